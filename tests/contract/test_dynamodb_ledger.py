"""What the DynamoDB ledger costs, and how it fails, beyond what every ledger promises."""

from __future__ import annotations

import random
import socket
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from kstream.aws.ledger import DynamoDBLedger
from kstream.core.errors import LedgerError

from .conftest import TTL, integration

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.ports import Scope
    from kstream.testing.clock import VirtualClock

pytestmark = integration

KINESIS = 49590338271490256608559692538361571095921575989136588898
STEP = 1 << 80


class Counted:
    """A ledger, and the names of the requests that it makes."""

    def __init__(self, client: Any, table: str, clock: VirtualClock) -> None:
        self.requests: list[str] = []
        client.meta.events.register("before-call.dynamodb", lambda model, **_: self.requests.append(model.name))
        self.ledger = DynamoDBLedger(table, ttl=TTL, client=client, clock=clock)


def everything(client: Any, table: str, scope: Scope) -> list[dict[str, Any]]:
    """All items of a stream, positions and keys."""
    pages = client.get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"] if scope.stream_arn in item["scope"]["S"]]


@pytest.fixture
def counted(aws: Callable[[str], Any], table: str, clock: VirtualClock) -> Counted:
    return Counted(aws("dynamodb"), table, clock)


def test_a_clean_batch_costs_one_query(counted: Counted, scope: Scope) -> None:
    counted.ledger.load(scope, KINESIS, KINESIS + 10_000 * STEP)
    counted.ledger.save(scope, {})
    counted.ledger.load_keys(scope, [])
    counted.ledger.save_keys(scope, [])
    assert counted.requests == ["Query"]


def test_an_unfinished_batch_costs_one_write(counted: Counted, scope: Scope) -> None:
    counted.ledger.save(scope, {KINESIS + n * 3 * STEP: 1 for n in range(10_000)})
    assert counted.requests == ["PutItem"]


def test_what_needs_several_items_is_written_25_at_once(counted: Counted, scope: Scope) -> None:
    """Positions this far apart need an item each."""
    done = {KINESIS + n * (STEP << 17): 1 for n in range(51)}
    counted.ledger.save(scope, done)
    assert counted.requests == ["BatchWriteItem", "BatchWriteItem", "PutItem"]
    assert counted.ledger.load(scope, KINESIS, KINESIS + 51 * (STEP << 17)) == done


def test_a_load_reads_page_after_page(counted: Counted, scope: Scope) -> None:
    """DynamoDB answers a megabyte at a time."""
    rng = random.Random(7)
    done = {KINESIS + n: rng.getrandbits(300_000 * 8) | 1 for n in range(5)}
    counted.ledger.save(scope, done)
    counted.requests.clear()
    assert counted.ledger.load(scope, KINESIS, KINESIS + 10) == done
    assert set(counted.requests) == {"Query"}
    assert len(counted.requests) > 1


def test_a_load_reads_nothing_far_ahead(counted: Counted, scope: Scope, table: str, aws: Callable[[str], Any]) -> None:
    """After a rewind to the horizon, what was done since must not be read for each batch."""
    for n in range(40):
        counted.ledger.save(scope, {KINESIS + n * (STEP << 14): 1, KINESIS + n * (STEP << 14) + 1: 1})
    scanned: list[int] = []
    client = aws("dynamodb")
    client.meta.events.register("after-call.dynamodb.Query", lambda parsed, **_: scanned.append(parsed["ScannedCount"]))
    assert len(DynamoDBLedger(table, client=client).load(scope, KINESIS, KINESIS + 1)) == 2
    assert sum(scanned) <= 6


def test_keys_are_asked_for_100_at_once(counted: Counted, scope: Scope) -> None:
    counted.ledger.save_keys(scope, [f"key-{n}" for n in range(50)])
    assert counted.requests == ["BatchWriteItem", "BatchWriteItem"]
    counted.requests.clear()
    assert len(counted.ledger.load_keys(scope, [f"key-{n}" for n in range(250)])) == 50
    assert counted.requests == ["BatchGetItem"] * 3


def test_items_bear_the_time_to_live_that_the_table_acts_on(
    counted: Counted, scope: Scope, table: str, aws: Callable[[str], Any], clock: VirtualClock
) -> None:
    counted.ledger.save(scope, {KINESIS: 1})
    counted.ledger.save_keys(scope, ["key"])
    live = aws("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert live["TimeToLiveStatus"] in {"ENABLED", "ENABLING"}
    items = everything(aws("dynamodb"), table, scope)
    assert len(items) == 2
    for item in items:
        assert item[live["AttributeName"]] == {"N": str(int(clock.time() + TTL.total_seconds()))}
        # 38 digits is all that a DynamoDB number holds.
        assert [name for name, value in item.items() if "N" in value] == ["expires_at"]


def test_making_the_table_twice_is_harmless(endpoint: str, scope: Scope) -> None:
    ledger = DynamoDBLedger(f"ledger-{uuid.uuid4().hex}", endpoint_url=endpoint)
    ledger.create_table()
    ledger.save(scope, {1: 1})
    ledger.create_table()
    assert ledger.load(scope, 0, 9) == {1: 1}


ACTIONS: dict[str, Callable[[DynamoDBLedger, Scope], object]] = {
    "load": lambda ledger, scope: ledger.load(scope, 0, 9),
    "save": lambda ledger, scope: ledger.save(scope, {1: 1}),
    "save much": lambda ledger, scope: ledger.save(scope, {1: 1, KINESIS: 1}),
    "load_keys": lambda ledger, scope: ledger.load_keys(scope, ["key"]),
    "save_keys": lambda ledger, scope: ledger.save_keys(scope, ["key", "other"]),
}
every_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)


@every_action
def test_a_table_that_does_not_exist_is_named(
    endpoint: str, scope: Scope, action: Callable[[DynamoDBLedger, Scope], object]
) -> None:
    ledger = DynamoDBLedger("no-such-table", endpoint_url=endpoint)
    with pytest.raises(LedgerError, match=r"'no-such-table'.*make the table.*scope \(string, partition key\)"):
        action(ledger, scope)


@pytest.fixture(scope="module")
def misshapen(endpoint: str) -> str:
    """A table of somebody else's, with other keys."""
    import boto3

    name = f"other-{uuid.uuid4().hex}"
    boto3.client("dynamodb", endpoint_url=endpoint).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return name


@every_action
def test_a_table_with_other_keys_is_told_which_it_needs(
    endpoint: str, scope: Scope, misshapen: str, action: Callable[[DynamoDBLedger, Scope], object]
) -> None:
    with pytest.raises(LedgerError, match=rf"'{misshapen}'.*scope \(string, partition key\) and position"):
        action(DynamoDBLedger(misshapen, endpoint_url=endpoint), scope)


def test_making_a_table_where_another_stands_says_so(endpoint: str, misshapen: str) -> None:
    with pytest.raises(LedgerError, match=r"exists with the keys id;.*name another table"):
        DynamoDBLedger(misshapen, endpoint_url=endpoint).create_table()


def test_an_item_that_something_else_wrote_is_an_error_and_never_a_position(
    counted: Counted, scope: Scope, table: str, aws: Callable[[str], Any]
) -> None:
    counted.ledger.save(scope, {5: 1})
    (item,) = everything(aws("dynamodb"), table, scope)
    aws("dynamodb").put_item(TableName=table, Item=item | {"done": {"B": b"other"}})
    with pytest.raises(LedgerError, match="an item is of format"):
        counted.ledger.load(scope, 0, 9)


@every_action
def test_a_port_where_nothing_listens_is_an_error(
    scope: Scope, clock: VirtualClock, action: Callable[[DynamoDBLedger, Scope], object]
) -> None:
    import boto3
    from botocore.config import Config

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        client = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{holder.getsockname()[1]}",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(LedgerError, match="'ledger': EndpointConnectionError"):
            action(DynamoDBLedger("ledger", client=client, clock=clock), scope)
