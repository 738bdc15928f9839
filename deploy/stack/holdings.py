"""What the pipeline's streams, buckets, tables and queues hold, and the deletion of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.stack import artifacts
from deploy.stack.changes import HOLD_DATA, present
from deploy.stack.ownership import mark, owner
from deploy.stack.state import physical_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.stack.account import Account
    from deploy.stack.state import State
    from deploy.stacks import Holding, Stack

_ABSENT = {
    "ResourceNotFoundException", "NoSuchBucket", "404", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """``name`` is what AWS calls it. ``holds`` says in words what is in it; empty if nothing is. ``ours``: by its own tag,
    or, of what goes with a stack, because the stack has it."""

    name: str
    kind: str
    kept: bool
    holds: str
    ours: bool = True

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.holds or 'empty'})"


def held_by(account: Account, pipeline: str, state: State) -> Iterator[Held]:
    """All that a stack has and that is there, by what CloudFormation knows of it, and not by what any file says."""
    for kind, name, kept in _held_by(account, state):
        found = look(account, pipeline, kind, name, kept=kept)
        if found is not None:
            yield found


def left_by(account: Account, pipeline: str, stack: Stack) -> Iterator[Held]:
    """What is there under the names of a file's stack and outlives one: perhaps left by an earlier ``down``, perhaps
    somebody else's. Which of these shows ``ours``."""
    for holding in stack.holds:
        if holding.kept:
            found = look(account, pipeline, holding.kind, name_of(account, holding), kept=True)
            if found is not None:
                yield found


def look(account: Account, pipeline: str, kind: str, name: str, *, kept: bool) -> Held | None:
    """How it is at this moment; None if it is not there."""
    from botocore.exceptions import ClientError

    try:
        holds = _contents(account, kind, name)
        if holds is None:
            return None
        return Held(name, kind, kept, holds, ours=not kept or owner(account, kind, name) == pipeline)
    except ClientError as error:
        if error.response["Error"].get("Code") not in _ABSENT:
            raise
        return None


def mark_kept(account: Account, pipeline: str, state: State) -> None:
    """For an emulator: see ``ownership.mark``."""
    for kind, name, kept in _held_by(account, state):
        if kept:
            mark(account, kind, name, pipeline)


def _held_by(account: Account, state: State) -> Iterator[tuple[str, str, bool]]:
    """Kind, name, and whether it outlives the stack."""
    if not state.there:
        return
    template = present(account, state.name)
    for logical_id, physical_id in physical_ids(account, state.name).items():
        body = template["Resources"].get(logical_id, {})
        if physical_id and body.get("Type") in HOLD_DATA:
            kept = body.get("DeletionPolicy", "Delete") != "Delete"
            yield HOLD_DATA[body["Type"]], physical_id.rpartition("/")[2], kept


def name_of(account: Account, holding: Holding) -> str:
    """The name, with the account and region that CloudFormation would put in."""
    text: Any = holding.name if isinstance(holding.name, str) else holding.name["Fn::Sub"]
    return str(text).replace("${AWS::AccountId}", account.id).replace("${AWS::Region}", account.region)


def _contents(account: Account, kind: str, name: str) -> str | None:
    """None of what is about to go; AWS's own error of what is not there."""
    if kind == "stream":
        found = account.client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        if found["StreamStatus"] == "DELETING":
            return None
        return "records; nobody can tell from outside whether all are expired"
    if kind == "bucket":
        found = account.client("s3").list_object_versions(Bucket=name, MaxKeys=1, ExpectedBucketOwner=account.id)
        return "objects" if found.get("Versions") or found.get("DeleteMarkers") else ""
    if kind == "table":
        found = account.client("dynamodb").scan(TableName=name, Limit=1, Select="COUNT", ConsistentRead=True)
        return "items" if found["Count"] else ""
    sqs = account.client("sqs")
    counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    number = sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()))
    return f"about {number:,} messages" if number else ""


def delete(account: Account, one: Held) -> bool:
    """With all that is in it, if ``one`` holds something. False if it is a bucket that was empty and is no more: S3 itself
    refuses that. What is not ``kept`` goes with its stack instead."""
    if one.kind == "stream":
        account.client("kinesis").delete_stream(StreamName=one.name, EnforceConsumerDeletion=True)
    elif one.kind == "bucket":
        return artifacts.remove(account, one.name, content=bool(one.holds))
    elif one.kind == "table":
        account.client("dynamodb").delete_table(TableName=one.name)
    return True
