"""The sums and their SQL, all of it: one row for each carrier and day."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream import SQLTransaction

_SCHEMA = """CREATE TABLE IF NOT EXISTS delays (
    carrier TEXT NOT NULL,
    day TEXT NOT NULL,
    flights INTEGER NOT NULL,
    departures INTEGER NOT NULL,
    delay_minutes INTEGER NOT NULL,
    PRIMARY KEY (carrier, day)
) WITHOUT ROWID"""
_ADD = """INSERT INTO delays VALUES (?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET
    flights = flights + 1,
    departures = departures + excluded.departures,
    delay_minutes = delay_minutes + excluded.delay_minutes"""

_BUSY_SECONDS = 30.0


class CarrierDay(NamedTuple):
    carrier: str
    day: str
    """Local date of the scheduled departure, as 2013-01-31."""


class Tally(NamedTuple):
    """``flights`` scheduled; ``departures`` those that left; ``delay_minutes`` how late these left, early ones at 0."""

    flights: int = 0
    departures: int = 0
    delay_minutes: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(*map(sum, zip(self, other, strict=True)))


def prepare(path: Path) -> None:
    """Makes the table, if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path):
        pass


def add(transaction: SQLTransaction, of: CarrierDay, *, departed: bool, delay_minutes: int) -> None:
    """Counts one flight, within the transaction that it is given."""
    transaction.execute(_ADD, (*of, departed, delay_minutes))


def read(path: Path) -> dict[CarrierDay, Tally]:
    """All sums, as last committed."""
    with _opened(path) as connection:
        rows = connection.execute("SELECT carrier, day, flights, departures, delay_minutes FROM delays")
        return {CarrierDay(carrier, day): Tally(*numbers) for carrier, day, *numbers in rows}


def total(path: Path) -> Tally:
    """Over all carriers and days."""
    with _opened(path) as connection:
        query = "SELECT total(flights), total(departures), total(delay_minutes) FROM delays"
        return Tally(*map(int, connection.execute(query).fetchone()))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute(_SCHEMA)
        yield connection
