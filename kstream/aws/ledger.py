"""A ledger in a DynamoDB table, shared by every invocation of a Lambda function."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from kstream.aws import table_batches
from kstream.aws.failures import code_of, told_as
from kstream.aws.lazy_client import LazyClient
from kstream.aws.ledger_items import expiry, items, key_range, unpack, within
from kstream.aws.table_transaction import TableTransaction
from kstream.clock import SystemClock
from kstream.core.errors import LedgerError
from kstream.core.ledger_keys import DEFAULT_TTL, key_digest, scope_key, sequence_key, ttl_seconds
from kstream.core.patience import ENDLESS
from kstream.core.timely import call_within

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from typing import Self

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryInputTypeDef

    from kstream.aws.ledger_items import Item
    from kstream.aws.table_batches import Row
    from kstream.core.patience import Patience
    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position

T = TypeVar("T")

_KEYS = "its keys must be scope (string, partition key) and position (string, sort key)"
_REMEDIES = {
    "ResourceNotFoundException": f"make the table, by deploying it or with DynamoDBLedger(...).create_table(); {_KEYS}",
    "ValidationException": _KEYS,
}
_NEEDS = "dynamodb:Query, BatchGetItem, PutItem and BatchWriteItem on the table"
_KEY_POSITION = "key"  # the sort key of every idempotency key


class DynamoDBLedger:
    """Remembers what is done in the DynamoDB table ``table`` (a name or an ARN).

    The table has the partition key ``scope`` and the sort key ``position``, both strings, and ``expires_at`` as its TTL
    attribute. ``ttl`` is the stream's retention plus the maximum record age; what has expired is not reported, even
    while DynamoDB still has it.

    Costs: a load is one strongly consistent Query (more only past 1 MB of items); a save is one write, or one
    BatchWriteItem for each 25 items if what it saves is too much or spread too far for one (see ``ledger_items``).
    Idempotency keys cost one BatchGetItem for each 100 of a batch, and one BatchWriteItem for each 25 that are new; so do
    the messages of an SQS queue.
    Throttling is retried by botocore, a few times, and then raised as ``LedgerError``. A request that has no answer when
    the invocation's time is over is given up; it may still take hold.

    A ``TransactionalHandler`` gets a ``DynamoDBTransaction``; each record costs one TransactWriteItems, which holds its
    writes and its marker, and nothing is saved besides.

    Thread-safe, and safe between processes: a save only ever adds items. The client is made at the first use; give
    ``client`` to bring your own.
    """

    group_limit = 1

    def __init__(
        self,
        table: str,
        *,
        ttl: timedelta = DEFAULT_TTL,
        client: DynamoDBClient | None = None,
        endpoint_url: str | None = None,
        region: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._table = table
        self._ttl = ttl_seconds(ttl)
        self._client: LazyClient[DynamoDBClient] = LazyClient(
            "dynamodb", client, endpoint_url=endpoint_url, region=region
        )
        self._clock = clock or SystemClock()
        self._patience = ENDLESS

    def within(self, patience: Patience) -> Self:
        hurried = copy(self)
        hurried._patience = patience  # noqa: SLF001 - its own class
        return hurried

    def load(self, scope: Scope, first: int, last: int) -> Mapping[int, int]:
        found: dict[int, int] = {}
        for blob in self._in_time("read", lambda: list(self._query(scope, first, last))):
            for number, bitmap in within(unpack(blob), first, last).items():
                found[number] = found.get(number, 0) | bitmap
        return found

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        if not done:
            return
        expires_at = expiry(self._clock.time(), self._ttl)
        partition = scope_key(scope)
        rows = (_position_row(partition, item, expires_at) for item in items(done))
        self._in_time("write", lambda: table_batches.write(self._client.get(), self._table, rows, self._clock))

    def load_keys(self, scope: Scope, keys: Collection[str]) -> Collection[str]:
        wanted = {_key_partition(scope, key): key for key in keys}
        now = self._clock.time()
        found = self._in_time(
            "read",
            lambda: list(table_batches.read(self._client.get(), self._table, map(_key_of_key, wanted), self._clock)),
        )
        return {wanted[row["scope"]["S"]] for row in found if int(row["expires_at"]["N"]) > now}

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        if not keys:
            return
        expires_at = {"expires_at": {"N": str(expiry(self._clock.time(), self._ttl))}}
        rows = (_key_of_key(partition) | expires_at for partition in {_key_partition(scope, key) for key in keys})
        self._in_time("write", lambda: table_batches.write(self._client.get(), self._table, rows, self._clock))

    def begin(self, scope: Scope) -> TableTransaction:
        return TableTransaction(
            self._table,
            client=self._client.get,
            markers=partial(self._markers, scope),
            check=lambda position: self.load(scope, position.sequence, position.sequence),
            clock=self._clock,
            patience=self._patience,
        )

    def create_table(self) -> None:
        """Makes the table, on demand and with its TTL, and waits until it is there: for tests and development.

        Harmless when it exists. Raises ``LedgerError``, also if it exists with other keys.
        """
        from botocore.exceptions import ClientError

        with self._failures(
            "create", needs="dynamodb:CreateTable, DescribeTable, DescribeTimeToLive, UpdateTimeToLive"
        ):
            client = self._client.get()
            try:
                client.create_table(
                    TableName=self._table,
                    BillingMode="PAY_PER_REQUEST",
                    AttributeDefinitions=[
                        {"AttributeName": "scope", "AttributeType": "S"},
                        {"AttributeName": "position", "AttributeType": "S"},
                    ],
                    KeySchema=[
                        {"AttributeName": "scope", "KeyType": "HASH"},
                        {"AttributeName": "position", "KeyType": "RANGE"},
                    ],
                )
            except ClientError as error:
                if code_of(error) != "ResourceInUseException":
                    raise
            client.get_waiter("table_exists").wait(TableName=self._table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
            self._check_keys(client)
            live = client.describe_time_to_live(TableName=self._table)["TimeToLiveDescription"]
            if live.get("TimeToLiveStatus", "DISABLED") == "DISABLED":
                client.update_time_to_live(
                    TableName=self._table,
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
                )

    def _markers(self, scope: Scope, position: Position, key: str | None) -> list[Row]:
        """The item that a save of this position alone would write, so that a load finds it; and the key's."""
        expires_at = expiry(self._clock.time(), self._ttl)
        partition = scope_key(scope)
        rows = [
            _position_row(partition, item, expires_at)
            for item in items({position.sequence: 1 << position.sub_sequence})
        ]
        if key is not None:
            rows.append(_key_of_key(_key_partition(scope, key)) | {"expires_at": {"N": str(expires_at)}})
        return rows

    def _check_keys(self, client: DynamoDBClient) -> None:
        table = client.describe_table(TableName=self._table)["Table"]
        keys = [(key["AttributeName"], key["KeyType"]) for key in table.get("KeySchema", [])]
        if keys != [("scope", "HASH"), ("position", "RANGE")]:
            names = ", ".join(name for name, _ in keys)
            raise LedgerError(f"the table {self._table!r} exists with the keys {names}; {_KEYS}: name another table")

    def _query(self, scope: Scope, first: int, last: int) -> Iterator[bytes]:
        low, high = key_range(first, last)
        request: QueryInputTypeDef = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#scope = :scope AND #position BETWEEN :low AND :high",
            "FilterExpression": "#first <= :last AND #expires > :now",
            "ProjectionExpression": "#done",
            "ExpressionAttributeNames": {
                "#scope": "scope",
                "#position": "position",
                "#first": "first",
                "#expires": "expires_at",
                "#done": "done",
            },
            "ExpressionAttributeValues": {
                ":scope": {"S": scope_key(scope)},
                ":low": {"S": low},
                ":high": {"S": high},
                ":last": {"S": sequence_key(last)},
                ":now": {"N": str(int(self._clock.time()))},
            },
        }
        while True:
            page = self._client.get().query(**request)
            for row in page["Items"]:
                yield row.get("done", {}).get("B", b"")
            if not page.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _in_time(self, verb: str, call: Callable[[], T]) -> T:
        """What ``call`` returns. botocore's own timeouts and retries are a client's, and know no deadline."""
        with self._failures(verb):
            try:
                return call_within(self._patience.seconds(), call)
            except TimeoutError as error:
                raise LedgerError(f"cannot {verb} the ledger table {self._table!r}: {error}") from error

    def _failures(self, verb: str, *, needs: str = _NEEDS) -> AbstractContextManager[None]:
        return told_as(LedgerError, f"cannot {verb} the ledger table {self._table!r}", needs=needs, remedies=_REMEDIES)


def _position_row(partition: str, item: Item, expires_at: int) -> Row:
    return {
        "scope": {"S": partition},
        "position": {"S": item.position},
        "first": {"S": item.first},
        "done": {"B": item.done},
        "expires_at": {"N": str(expires_at)},
    }


def _key_partition(scope: Scope, key: str) -> str:
    """An idempotency key has a partition of its own, so that any number of them spreads over the table."""
    # One "#" more than a scope of positions has, so never the same.
    return f"{scope_key(scope._replace(shard_id=''))}#{key_digest(key).hex()}"


def _key_of_key(partition: str) -> Row:
    return {"scope": {"S": partition}, "position": {"S": _KEY_POSITION}}
