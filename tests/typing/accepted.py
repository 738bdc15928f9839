"""What the public types must accept: checked by mypy in strict mode, never run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_type

from kstream import (
    BatchHandler,
    CircuitBreaker,
    Consumer,
    DirectoryDeadLetters,
    DynamoDBLedger,
    DynamoDBTransaction,
    Handler,
    MemoryLedger,
    Outcome,
    PostgresLedger,
    Record,
    Reject,
    Retry,
    SQLiteLedger,
    SQLTransaction,
    TransactionalHandler,
    on_lambda,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Plain(Handler):
    def process(self, record: Record) -> None:
        if not record.data:
            raise Reject("empty")


class Later(Handler):
    async def process(self, record: Record) -> None:
        self.seen = record.id


class Keyed(Plain):
    def open(self) -> None: ...

    def idempotency_key(self, record: Record) -> str:
        return record.partition_key

    def close(self) -> None: ...


class Silent(BatchHandler):
    def process(self, records: Sequence[Record]) -> None: ...


class Listing(BatchHandler):
    def process(self, records: Sequence[Record]) -> list[Record]:
        return [record for record in records if not record.data]


class Yielding(BatchHandler):
    def process(self, records: Sequence[Record]) -> Iterable[Record]:
        yield from records


class ListingLater(BatchHandler):
    async def process(self, records: Sequence[Record]) -> list[Record]:
        return list(records)


class SilentLater(BatchHandler):
    async def process(self, records: Sequence[Record]) -> None: ...


class Exact(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None: ...


class Sums(TransactionalHandler[SQLTransaction]):
    def process(self, record: Record, transaction: SQLTransaction) -> None:
        rows = transaction.execute("SELECT total FROM sums WHERE name = ?", (record.partition_key,))
        assert_type(rows.rowcount, int)
        transaction.execute("UPDATE sums SET total = :total", {"total": next(iter(rows), 0)})


class Items(TransactionalHandler[DynamoDBTransaction]):
    def idempotency_key(self, record: Record) -> str | None:
        return record.headers.get("order")

    def process(self, record: Record, transaction: DynamoDBTransaction) -> None:
        key = {"name": record.partition_key}
        transaction.put(
            "orders", {**key, "amounts": [1, 2]}, condition="attribute_not_exists(#n)", names={"#n": "name"}
        )
        transaction.update("totals", key, "ADD total :n", values={":n": 1})
        transaction.delete("open", key)
        transaction.check("customers", key, "attribute_exists(#n)", names={"#n": "name"}, otherwise=Reject("unknown"))


# What a ledger begins is what its handler receives.
def sqlite_fits(ledger: SQLiteLedger, scope: Any) -> SQLTransaction:
    return ledger.begin(scope)


def postgres_fits(ledger: PostgresLedger, scope: Any) -> SQLTransaction:
    return ledger.begin(scope)


def make() -> Plain:
    return Plain()


def make_either(bulk: bool) -> Handler | BatchHandler:
    return Silent() if bulk else Plain()


consumers = [
    Consumer(Plain),
    Consumer(Plain()),
    Consumer(make),
    Consumer(lambda: make_either(bulk=True), name="either"),
    Consumer(handler=Later),
    Consumer(Keyed, ledger=MemoryLedger()),
    Consumer(Silent),
    Consumer(Listing()),
    Consumer(Yielding),
    Consumer(ListingLater),
    Consumer(SilentLater),
    Consumer(Exact, ledger=SQLiteLedger("ledger.db")),
    Consumer(Sums, ledger=SQLiteLedger("ledger.db"), mode="transactional"),
    Consumer(Sums(), ledger=PostgresLedger("dbname=sums", group_limit=50)),
    Consumer(Items, ledger=DynamoDBLedger("ledger")),
    Consumer(
        Plain,
        name="totals",
        ordering="partition_key",
        retry=Retry(attempts=5, base=0.2, cap=10, on=(OSError,), exhausted="dead_letter"),
        breaker=CircuitBreaker(failures=3, on=(ConnectionError,)),
        ledger=SQLiteLedger("ledger.db"),
        mode="full",
        save_every=100,
        dead_letters=DirectoryDeadLetters("letters"),
        max_workers=8,
        deadline_margin=2.5,
    ),
]

handle = on_lambda(consumers[0])
assert_type(handle({"Records": []}, None), dict[str, list[dict[str, str]]])
assert_type(handle.outcome, Outcome | None)
on_lambda(consumers[0], answer="raise")

record = Record(b"x", partition_key="k")
assert_type(record.data, bytes)
assert_type(record.partition_key, str)
assert_type(record.explicit_hash_key, str | None)
assert_type(record.sequence_number, str)
assert_type(record.sub_sequence_number, int)
assert_type(record.arrived_at, datetime)
assert_type(record.text(), str)
assert_type(record.id, str)
