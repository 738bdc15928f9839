"""What the public types must refuse: each line that bears an ignore is an error, or mypy complains of the ignore."""

from __future__ import annotations

from kstream import (
    Consumer,
    DynamoDBTransaction,
    Handler,
    Record,
    Retry,
    SQLTransaction,
    TransactionalHandler,
    on_lambda,
)


class Plain(Handler):
    def process(self, record: Record) -> None: ...


class Answers(Handler):
    def process(self, record: Record) -> bool:  # type: ignore[override]
        return True


class TakesText(Handler):
    def process(self, record: str) -> None: ...  # type: ignore[override]


class Later(TransactionalHandler[object]):
    async def process(self, record: Record, transaction: object) -> None: ...  # type: ignore[override]


class TakesItems(TransactionalHandler[SQLTransaction]):
    def process(self, record: Record, transaction: DynamoDBTransaction) -> None: ...  # type: ignore[override]


class Ends(TransactionalHandler[SQLTransaction]):
    def process(self, record: Record, transaction: SQLTransaction) -> None:
        transaction.commit()  # type: ignore[attr-defined]


class Misses(TransactionalHandler[DynamoDBTransaction]):
    def process(self, record: Record, transaction: DynamoDBTransaction) -> None:
        transaction.check("table", {"name": "x"})  # type: ignore[call-arg]
        transaction.put("table", {"name": "x"}, "amount > 0")  # type: ignore[call-arg]


Consumer(3)  # type: ignore[arg-type]
Consumer(dict)  # type: ignore[arg-type]
Consumer(Plain, "name")  # type: ignore[call-arg]
Consumer(Plain, ordering="key")  # type: ignore[arg-type]
Consumer(Plain, mode="dense")  # type: ignore[arg-type]
Consumer(Plain, retry=3)  # type: ignore[arg-type]
Consumer(Plain, ledger="sqlite:x")  # type: ignore[arg-type]
Consumer(Plain, dead_letters=[])  # type: ignore[arg-type]
Retry(3)  # type: ignore[call-arg]
Retry(exhausted="drop")  # type: ignore[arg-type]
on_lambda(Plain)  # type: ignore[arg-type]
on_lambda(Consumer(Plain), "raise")  # type: ignore[call-arg]
on_lambda(Consumer(Plain), answer="none")  # type: ignore[arg-type]
Record(b"x").data = b"y"  # type: ignore[misc]
Record("text")  # type: ignore[arg-type]
Consumer(Plain).name = "other"  # type: ignore[misc]
