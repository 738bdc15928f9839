"""Whose a stream, bucket or table is: it says so itself, by a tag, also when the stack that made it is gone.

A name in a file is no proof: two pipelines, or a person's own table, may have it. The templates write the tag on everything
that outlives its stack; nothing without it, or with another pipeline's, is ever deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.naming import OWNER_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.stack.account import Account


def owner(account: Account, kind: str, name: str) -> str:
    """The pipeline that it says it belongs to; empty if none. ``kind``: ``stream``, ``bucket`` or ``table``."""
    return next((value for key, value in _tags(account, kind, name) if key == OWNER_TAG), "")


def mark(account: Account, kind: str, name: str, pipeline: str) -> None:
    """Does what an emulator leaves out of a stack that it has made: LocalStack 4.14.0 takes a stream's tags and does nothing
    with them. Only for what that stack has."""
    if owner(account, kind, name) == pipeline:
        return
    if kind == "stream":
        account.client("kinesis").add_tags_to_stream(StreamName=name, Tags={OWNER_TAG: pipeline})
    elif kind == "bucket":
        others = [(key, value) for key, value in _tags(account, kind, name) if key != OWNER_TAG]
        every = [{"Key": key, "Value": value} for key, value in [*others, (OWNER_TAG, pipeline)]]
        account.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": every})
    elif kind == "table":
        tags = [{"Key": OWNER_TAG, "Value": pipeline}]
        account.client("dynamodb").tag_resource(ResourceArn=_table_arn(account, name), Tags=tags)


def _tags(account: Account, kind: str, name: str) -> Iterator[tuple[str, str]]:
    if kind == "stream":
        yield from _of_stream(account, name)
    elif kind == "bucket":
        yield from _of_bucket(account, name)
    elif kind == "table":
        pages = account.client("dynamodb").get_paginator("list_tags_of_resource")
        for page in pages.paginate(ResourceArn=_table_arn(account, name)):
            yield from ((tag["Key"], tag["Value"]) for tag in page["Tags"])


def _of_stream(account: Account, name: str) -> Iterator[tuple[str, str]]:
    after: dict[str, str] = {}
    while True:
        found = account.client("kinesis").list_tags_for_stream(StreamName=name, **after)
        yield from ((tag["Key"], tag["Value"]) for tag in found["Tags"])
        if not found["HasMoreTags"]:
            return
        after = {"ExclusiveStartTagKey": found["Tags"][-1]["Key"]}


def _of_bucket(account: Account, name: str) -> Iterator[tuple[str, str]]:
    from botocore.exceptions import ClientError

    try:
        found = account.client("s3").get_bucket_tagging(Bucket=name, ExpectedBucketOwner=account.id)
    except ClientError as error:
        if error.response["Error"].get("Code") != "NoSuchTagSet":
            raise
        return
    yield from ((tag["Key"], tag["Value"]) for tag in found["TagSet"])


def _table_arn(account: Account, name: str) -> str:
    return str(account.client("dynamodb").describe_table(TableName=name)["Table"]["TableArn"])
