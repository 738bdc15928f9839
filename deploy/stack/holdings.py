"""What the pipeline's streams, buckets, tables and queues hold, and the deletion of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.stack import artifacts
from deploy.stack.changes import HOLD_DATA
from deploy.stack.state import physical_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.stack.account import Account
    from deploy.stack.state import State
    from deploy.stacks import Holding, Stack

_ABSENT = {
    "ResourceNotFoundException", "NoSuchBucket", "404", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """``name`` is what AWS calls it. ``holds`` says in words what is in it; empty if nothing is."""

    name: str
    kind: str
    kept: bool
    holds: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.holds or 'empty'})"


def held(account: Account, stacks: Iterable[Stack]) -> list[Held]:
    """All that is there, whether or not its stack is."""
    return list(_held(account, stacks))


def held_by(account: Account, state: State) -> Iterator[Held]:
    """All that a stack holds that is there, by what CloudFormation knows of it."""
    from botocore.exceptions import ClientError

    if not state.there:
        return
    template = account.cloudformation.get_template(StackName=state.name, TemplateStage="Original")["TemplateBody"]
    kinds = {name: body for name, body in template["Resources"].items() if body["Type"] in HOLD_DATA}
    for logical_id, physical_id in physical_ids(account, state.name).items():
        if logical_id not in kinds or not physical_id:
            continue
        kind, name = HOLD_DATA[kinds[logical_id]["Type"]], physical_id.rpartition("/")[2]
        kept = kinds[logical_id].get("DeletionPolicy", "Delete") != "Delete"
        try:
            yield Held(name, kind, kept, _contents(account, kind, name))
        except ClientError as error:
            if error.response["Error"].get("Code") not in _ABSENT:
                raise


def _held(account: Account, stacks: Iterable[Stack]) -> Iterator[Held]:
    from botocore.exceptions import ClientError

    for holding in (holding for stack in stacks for holding in stack.holds):
        name = name_of(account, holding)
        try:
            yield Held(name, holding.kind, holding.kept, _contents(account, holding.kind, name))
        except ClientError as error:
            if error.response["Error"].get("Code") not in _ABSENT:
                raise


def name_of(account: Account, holding: Holding) -> str:
    """The name, with the account and region that CloudFormation would put in."""
    text: Any = holding.name if isinstance(holding.name, str) else holding.name["Fn::Sub"]
    return str(text).replace("${AWS::AccountId}", account.id).replace("${AWS::Region}", account.region)


def _contents(account: Account, kind: str, name: str) -> str:
    if kind == "stream":
        account.client("kinesis").describe_stream_summary(StreamName=name)
        return "records; nobody can tell from outside whether all are expired"
    if kind == "bucket":
        found = account.client("s3").list_object_versions(Bucket=name, MaxKeys=1)
        return "objects" if found.get("Versions") or found.get("DeleteMarkers") else ""
    if kind == "table":
        return "items" if account.client("dynamodb").scan(TableName=name, Limit=1, Select="COUNT")["Count"] else ""
    sqs = account.client("sqs")
    counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    number = sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()))
    return f"about {number:,} messages" if number else ""


def delete(account: Account, one: Held) -> None:
    """With all that is in it. A queue or a table that is not ``kept`` goes with its stack instead."""
    if one.kind == "stream":
        account.client("kinesis").delete_stream(StreamName=one.name, EnforceConsumerDeletion=True)
    elif one.kind == "bucket":
        artifacts.remove(account, one.name)
    elif one.kind == "table":
        account.client("dynamodb").delete_table(TableName=one.name)
