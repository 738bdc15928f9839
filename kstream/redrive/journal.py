"""How far each item has come on its way, kept over any interruption.

An item is one unit (a dead letter) or several (the Kinesis records that an on-failure message names). A unit is STARTED
before anything is done with it and SENT afterwards; the item is SENT once all its units are, and DELETED once it is gone
from its source. Each step is on the disk before the next one begins.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Self

from kstream.core.errors import KstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from kstream.core.ports import Clock
    from kstream.redrive.item import Item

WHOLE = "*"
"""The unit that stands for the item as a whole."""

# Longer than any source holds what it cannot delete: a stream keeps a year, a queue two weeks.
_KEPT_S = 400 * 86_400.0

_SCHEMA = """CREATE TABLE IF NOT EXISTS kstream_redrive (
    source TEXT NOT NULL,
    item TEXT NOT NULL,         -- an item's key
    generation TEXT NOT NULL,   -- when its last attempt was
    unit TEXT NOT NULL,         -- '*' for the item as a whole
    state TEXT NOT NULL,
    destination TEXT NOT NULL,
    doubtful INTEGER NOT NULL,  -- started, and nobody can know whether it took effect
    detail TEXT NOT NULL,       -- what came of it, such as the new sequence number
    at REAL NOT NULL,           -- seconds since the epoch
    PRIMARY KEY (source, item, generation, unit)
) WITHOUT ROWID"""
# A record may have been parked twice before it was redriven, and then a queue holds two letters of it: what was done with
# one of them counts for the other, unless that one was parked after it.
_LOAD = """SELECT unit, state, destination, doubtful, detail, at FROM kstream_redrive
    WHERE source = ? AND item = ? AND (generation = ? OR at >= ?) ORDER BY at"""
_WRITE = "INSERT OR REPLACE INTO kstream_redrive VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WITHDRAW = "DELETE FROM kstream_redrive WHERE source = ? AND item = ? AND generation = ? AND unit = ?"
_PURGE = "DELETE FROM kstream_redrive WHERE state = 'deleted' AND at < ?"


class State(StrEnum):
    STARTED = "started"
    SENT = "sent"
    DELETED = "deleted"


class Entry(NamedTuple):
    """Where a unit stands. ``doubtful``: if it is STARTED, it may have taken effect. ``at`` in epoch seconds."""

    state: State
    destination: str
    doubtful: bool
    detail: str
    at: float


class Journal:
    """The SQLite file at ``path``, made when first written to. A context manager; one thread.

    Raises ``KstreamError`` for a file that cannot be read or written: without its journal nothing may be redriven.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def entries(self, source: str, item: Item) -> dict[str, Entry]:
        """By unit, the last that is known of this item, or of an earlier copy of it."""
        if self._connection is None and not self._path.exists():
            return {}
        with self._told("read") as connection:
            since = float("inf") if item.when is None else item.when.timestamp()
            rows = connection.execute(_LOAD, (source, item.key, item.generation, since)).fetchall()
        return {
            unit: Entry(State(state), destination, bool(doubtful), detail, at)
            for unit, state, destination, doubtful, detail, at in rows
        }

    def start(self, source: str, item: Item, unit: str, destination: str, *, doubtful: bool) -> None:
        self._write(source, item, unit, State.STARTED, destination, doubtful, "")

    def sent(self, source: str, item: Item, unit: str, destination: str, detail: str) -> None:
        self._write(source, item, unit, State.SENT, destination, doubtful=False, detail=detail)

    def deleted(self, source: str, item: Item, destination: str, detail: str) -> None:
        self._write(source, item, WHOLE, State.DELETED, destination, doubtful=False, detail=detail)

    def withdraw(self, source: str, item: Item, unit: str) -> None:
        """The unit certainly took no effect: as if it had never been started."""
        with self._told("write") as connection:
            connection.execute(_WITHDRAW, (source, item.key, item.generation, unit))

    def _write(
        self, source: str, item: Item, unit: str, state: State, destination: str, doubtful: bool, detail: str
    ) -> None:
        row = (source, item.key, item.generation, unit, state, destination, doubtful, detail, self._clock.time())
        with self._told("write") as connection:
            connection.execute(_WRITE, row)

    @contextmanager
    def _told(self, verb: str) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise KstreamError(
                f"cannot {verb} the redrive journal {self._path}: {error}; it must be a file that this process may write "
                "to, on a disk with room. Without it nothing is redriven"
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            # The next step may be a put that cannot be taken back: what led to it must survive a power cut.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(_SCHEMA)
            connection.execute(_PURGE, (self._clock.time() - _KEPT_S,))
        except BaseException:
            connection.close()
            raise
        return connection
