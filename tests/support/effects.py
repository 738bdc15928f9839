"""Stores with an effect in them beside the ledger: amounts by name. One face for SQLite, PostgreSQL and DynamoDB."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kstream.core.ports import Clock, Scope, TransactionalLedger
    from kstream.core.record import Position

TTL = timedelta(days=8)


class Effects(Protocol):
    def ledger(self) -> TransactionalLedger:
        """Another instance over the same store."""
        ...

    def create(self) -> None: ...
    def add(self, transaction: Any, name: str, amount: int = 1) -> None:
        """The effect, as a handler would write it."""
        ...

    def total(self, name: str) -> int:
        """What has taken hold, as anybody sees it."""
        ...


@dataclass
class SQLiteEffects:
    place: str
    clock: Clock | None = None

    def ledger(self) -> TransactionalLedger:
        from kstream.stores.sqlite import SQLiteLedger

        return SQLiteLedger(self.place, ttl=TTL, clock=self.clock, busy_timeout=60)

    def create(self) -> None:
        with closing(sqlite3.connect(self.place)) as connection:
            connection.execute("CREATE TABLE effect (name TEXT, amount INTEGER)")

    def add(self, transaction: Any, name: str, amount: int = 1) -> None:
        transaction.execute("INSERT INTO effect VALUES (?, ?)", (name, amount))

    def total(self, name: str) -> int:
        with closing(sqlite3.connect(self.place)) as connection:
            (total,) = connection.execute("SELECT sum(amount) FROM effect WHERE name = ?", (name,)).fetchone()
        return total or 0


@dataclass
class PostgresEffects:
    place: str
    clock: Clock | None = None

    def ledger(self) -> TransactionalLedger:
        from kstream.stores.postgres import PostgresLedger

        return PostgresLedger(self.place, ttl=TTL, clock=self.clock)

    def create(self) -> None:
        import psycopg

        with psycopg.connect(self.place) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS effect (name text, amount integer)")

    def add(self, transaction: Any, name: str, amount: int = 1) -> None:
        transaction.execute("INSERT INTO effect VALUES (%s, %s)", (name, amount))

    def total(self, name: str) -> int:
        import psycopg

        with psycopg.connect(self.place) as connection:
            row = connection.execute("SELECT sum(amount) FROM effect WHERE name = %s", (name,)).fetchone()
        assert row is not None
        return row[0] or 0


@dataclass
class DynamoDBEffects:
    """``place``: the endpoint, a space, the ledger's table. The effects are in a table of that name and ``-effects``."""

    place: str
    clock: Clock | None = None

    @property
    def endpoint(self) -> str:
        return self.place.split()[0]

    @property
    def table(self) -> str:
        return self.place.split()[1]

    def ledger(self) -> TransactionalLedger:
        from kstream.aws.ledger import DynamoDBLedger

        return DynamoDBLedger(self.table, ttl=TTL, clock=self.clock, endpoint_url=self.endpoint)

    def create(self) -> None:
        ledger: Any = self.ledger()
        ledger.create_table()
        self._client().create_table(
            TableName=f"{self.table}-effects",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        )

    def add(self, transaction: Any, name: str, amount: int = 1) -> None:
        transaction.update(
            f"{self.table}-effects", {"name": name}, "ADD amount :amount", values={":amount": Decimal(amount)}
        )

    def total(self, name: str) -> int:
        found = self._client().get_item(TableName=f"{self.table}-effects", Key={"name": {"S": name}})
        return int(found["Item"]["amount"]["N"]) if "Item" in found else 0

    def _client(self) -> Any:
        import boto3

        return boto3.client("dynamodb", endpoint_url=self.endpoint)


KINDS: dict[str, Any] = {"sqlite": SQLiteEffects, "postgres": PostgresEffects, "dynamodb": DynamoDBEffects}


def apply_all(
    ledger: TransactionalLedger, scope: Scope, todo: Iterable[tuple[Position, str | None, Any]]
) -> list[Position]:
    """Applies effects in as few transactions as the ledger takes; answers those that were not done before."""
    fresh: list[Position] = []
    rest = list(todo)
    while rest:
        some, rest = rest[: ledger.group_limit], rest[ledger.group_limit :]
        transaction = ledger.begin(scope)
        try:
            applied = [position for position, key, effect in some if transaction.apply(position, key, effect)]
            known = transaction.commit() or ()
        finally:
            transaction.rollback()
        fresh += [position for position in applied if position not in known]
    return fresh


def sqlite_place(folder: Path) -> str:
    return str(folder / "effects.db")
