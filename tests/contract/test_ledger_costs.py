"""What an invocation costs in requests to DynamoDB, in each mode: the numbers of docs/guides/processing-once.md."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kstream.aws.ledger import DynamoDBLedger
from kstream.core.consumer import Consumer
from kstream.core.handler import Handler, TransactionalHandler
from kstream.core.ports import Scope
from kstream.core.retry import Retry
from kstream.stores.sqlite import SQLiteLedger
from tests.support.processing import batch, entry, processor_of

from .conftest import TTL, integration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kstream.core.batch import Batch
    from kstream.core.record import Record
    from kstream.stores.sql import SQLTransaction
    from kstream.testing.clock import VirtualClock

KINESIS = 49590338271490256608559692538361571095921575989136588898
STEP = 1 << 80
RECORDS = 100


class Plain(Handler):
    def process(self, record: Record) -> None:
        fail(record)


class Keyed(Plain):
    def idempotency_key(self, record: Record) -> str:
        return record.text()


class Transactional(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None:
        fail(record)


class Writing(TransactionalHandler["SQLTransaction"]):
    def process(self, record: Record, transaction: SQLTransaction) -> None:
        transaction.execute("INSERT INTO effect VALUES (1)")
        fail(record)


class TransactionalKeyed(Transactional):
    def idempotency_key(self, record: Record) -> str:
        return record.text()


def fail(record: Record) -> None:
    if b"fails" in record.data:
        raise OSError


def batch_of_100(failing: int) -> Batch:
    return batch(
        *(
            entry(KINESIS + n * STEP, f"{n}{' fails' if n == failing else ''}".encode(), key=f"k{n}")
            for n in range(RECORDS)
        )
    )


def costs(
    aws: Callable[[str], Any], table: str, clock: VirtualClock, handler: type[Any], **policies: Any
) -> dict[str, dict[str, int]]:
    """Requests for a batch of 100 records in which all goes well, and for one in which the tenth fails."""
    found = {}
    for what, failing in (("clean", -1), ("unfinished", 10)):
        client, requests = aws("dynamodb"), Counter[str]()
        client.meta.events.register("before-call.dynamodb", lambda model, seen=requests, **_: seen.update([model.name]))
        ledger = DynamoDBLedger(table, ttl=TTL, client=client, clock=clock)
        consumer = Consumer(
            handler,
            name=uuid.uuid4().hex,
            ordering="partition_key",
            ledger=ledger,
            retry=Retry(attempts=1),
            **policies,
        )
        processor = processor_of(consumer, clock=clock)
        assert processor.process(batch_of_100(failing)).done == RECORDS - (failing > 0)
        processor.close()
        found[what] = dict(requests)
    return found


@integration
@pytest.mark.parametrize(
    ("handler", "policies", "clean", "unfinished"),
    [
        (Plain, {}, {"Query": 1}, {"Query": 1, "PutItem": 1}),
        (Plain, {"save_every": 25}, {"Query": 1, "PutItem": 4}, {"Query": 1, "PutItem": 4}),
        (Plain, {"mode": "full"}, {"Query": 1, "PutItem": 100}, {"Query": 1, "PutItem": 99}),
        (Transactional, {}, {"Query": 1, "TransactWriteItems": 100}, {"Query": 1, "TransactWriteItems": 99}),
        (
            Keyed,
            {},
            {"Query": 1, "BatchGetItem": 1, "BatchWriteItem": 4},
            {"Query": 1, "PutItem": 1, "BatchGetItem": 1, "BatchWriteItem": 4},
        ),
        (
            TransactionalKeyed,
            {},
            {"Query": 1, "BatchGetItem": 1, "TransactWriteItems": 100},
            {"Query": 1, "BatchGetItem": 1, "TransactWriteItems": 99},
        ),
    ],
    ids=["sparse", "save_every", "full", "transactional", "keys", "transactional keys"],
)
def test_an_invocation_costs_what_the_guide_says(
    aws: Callable[[str], Any],
    table: str,
    clock: VirtualClock,
    handler: type[Any],
    policies: dict[str, Any],
    clean: dict[str, int],
    unfinished: dict[str, int],
) -> None:
    assert costs(aws, table, clock, handler, **policies) == {"clean": clean, "unfinished": unfinished}


@pytest.mark.parametrize(("failing", "commits"), [(-1, 1), (10, 2)])
def test_records_in_a_sql_transaction_share_its_commit(tmp_path: Path, failing: int, commits: int) -> None:
    with SQLiteLedger(tmp_path / "effects.db") as ledger:
        ledger.begin(Scope("", "", "")).rollback()
        connection = ledger._file._transactions
        assert connection is not None
        connection.execute("CREATE TABLE effect (n INTEGER)")
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        consumer = Consumer(Writing, ordering="partition_key", ledger=ledger, retry=Retry(attempts=1))
        assert processor_of(consumer).process(batch_of_100(failing)).done == RECORDS - (failing > 0)
        connection.set_trace_callback(None)
    assert statements.count("COMMIT") == commits
    per_record = [one.split()[0] for one in statements[statements.index("SAVEPOINT kstream_effect") - 1 :]][:5]
    assert per_record == ["SELECT", "SAVEPOINT", "INSERT", "INSERT", "RELEASE"]
