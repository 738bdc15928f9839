"""The sums and their SQL, all of it: one row for each carrier and day.

``prepare`` and ``add`` work within whatever transaction the connection is in, and begin or end none, so that a sum and a
ledger's marker may be committed together.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

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


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that several threads may use in turn, with every statement its own transaction unless one is begun.

    A killed process loses nothing that was committed. A power failure might: what is committed reaches the disk in time,
    but not at once, for a commit for each record would else wait for the disk each time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    prepare(connection)
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the table, if it is not there."""
    connection.execute(_SCHEMA)


def add(connection: sqlite3.Connection, of: CarrierDay, *, departed: bool, delay_minutes: int) -> None:
    """Counts one flight."""
    connection.execute(_ADD, (*of, departed, delay_minutes))


def read(path: Path) -> dict[CarrierDay, Tally]:
    """All sums, as last committed. None if there are none yet."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        prepare(connection)
        rows = connection.execute("SELECT carrier, day, flights, departures, delay_minutes FROM delays")
        return {CarrierDay(carrier, day): Tally(*numbers) for carrier, day, *numbers in rows}


def total(path: Path) -> Tally:
    """Over all carriers and days."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        prepare(connection)
        query = "SELECT total(flights), total(departures), total(delay_minutes) FROM delays"
        return Tally(*map(int, connection.execute(query).fetchone()))
