"""Many items of one DynamoDB table, in as few requests as it allows. What it leaves undone is asked for again."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from kstream.core.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from kstream.core.ports import Clock

_WRITES = 25  # the most that BatchWriteItem takes
_READS = 100  # the most that BatchGetItem takes
_ATTEMPTS = 5  # for what is left; botocore retries each request besides
_PAUSE = 0.05  # seconds, doubled after each attempt

Row = dict[str, Any]
"""An item, or its key, in DynamoDB's own notation: attribute name to ``{type: value}``."""


def write(client: DynamoDBClient, table: str, rows: Iterable[Row], clock: Clock) -> None:
    """Puts every row. Not atomic: if it raises ``LedgerError``, some may have been put."""
    for some in _chunks(rows, _WRITES):
        if len(some) == 1:
            client.put_item(TableName=table, Item=some[0])
            continue
        left: Mapping[str, Any] = {table: [{"PutRequest": {"Item": row}} for row in some]}
        for _ in _attempts(clock, table, "write"):
            left = client.batch_write_item(RequestItems=left).get("UnprocessedItems") or {}
            if not left:
                break


def read(client: DynamoDBClient, table: str, keys: Iterable[Row], clock: Clock) -> Iterator[Mapping[str, Any]]:
    """The items that exist of these keys, which must differ, in any order; strongly consistent."""
    for some in _chunks(keys, _READS):
        left: Mapping[str, Any] = {table: {"Keys": some, "ConsistentRead": True}}
        for _ in _attempts(clock, table, "read"):
            answer = client.batch_get_item(RequestItems=left)
            for items in answer["Responses"].values():
                yield from items
            left = answer.get("UnprocessedKeys") or {}
            if not left:
                break


def _attempts(clock: Clock, table: str, verb: str) -> Iterator[None]:
    """Goes round as long as its caller does not break off; raises ``LedgerError`` after the last attempt."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            clock.sleep(_PAUSE * 2.0 ** (attempt - 1))
        yield
    raise LedgerError(
        f"cannot {verb} the ledger table {table!r}: DynamoDB left items undone {_ATTEMPTS} times; "
        "it throttles: give it more capacity"
    )


def _chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rest = iter(rows)
    while some := list(islice(rest, size)):
        yield some
