"""A ledger in one SQLite file, shared by every process of one machine.

The tables are plain, so that a handler's own effect commits with its markers in one transaction.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError
from kstream.core.given import check_number
from kstream.core.ledger_keys import DEFAULT_TTL, key_digest, scope_key, sequence_key, sequence_of, ttl_seconds
from kstream.core.patience import ENDLESS
from kstream.stores.paths import absolute
from kstream.stores.sqlite_file import SQLiteFile
from kstream.stores.sqlite_transaction import SQLiteTransaction

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from kstream.core.patience import Patience
    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position

# WITHOUT ROWID: one tree in the order of its key, so that a load is one walk along a few neighbouring pages.
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS kstream_ledger (
        scope TEXT NOT NULL,       -- consumer#stream#shard
        sequence TEXT NOT NULL,    -- length-prefixed, so that it sorts by value
        done BLOB NOT NULL,        -- bit i, from the low end: user record i is done; little-endian bytes
        expires_at REAL NOT NULL,  -- seconds since the epoch
        PRIMARY KEY (scope, sequence)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS kstream_ledger_expiry ON kstream_ledger (expires_at)",
    """CREATE TABLE IF NOT EXISTS kstream_ledger_keys (
        scope TEXT NOT NULL,       -- consumer#stream#
        digest BLOB NOT NULL,      -- of an idempotency key
        expires_at REAL NOT NULL,
        PRIMARY KEY (scope, digest)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS kstream_ledger_keys_expiry ON kstream_ledger_keys (expires_at)",
)
_LOAD = """SELECT sequence, done FROM kstream_ledger
    WHERE scope = ? AND sequence BETWEEN ? AND ? AND expires_at > ?"""
# What has expired is as if it were not there: replaced, not added to.
_IS_MARKED = "SELECT done FROM kstream_ledger WHERE scope = ? AND sequence = ? AND expires_at > ?"
_MARK = """INSERT INTO kstream_ledger (scope, sequence, done, expires_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (scope, sequence) DO UPDATE SET
        done = CASE WHEN expires_at > ?5 THEN kstream_union(done, excluded.done) ELSE excluded.done END,
        expires_at = max(expires_at, excluded.expires_at)"""
_PURGE = """DELETE FROM kstream_ledger WHERE (scope, sequence) IN
    (SELECT scope, sequence FROM kstream_ledger WHERE expires_at <= ? LIMIT ?)"""
_MARK_KEY = """INSERT INTO kstream_ledger_keys (scope, digest, expires_at) VALUES (?1, ?2, ?3)
    ON CONFLICT (scope, digest) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)"""
_LOAD_KEYS = "SELECT digest FROM kstream_ledger_keys WHERE scope = ? AND expires_at > ? AND digest IN (%s)"
_PURGE_KEYS = """DELETE FROM kstream_ledger_keys WHERE (scope, digest) IN
    (SELECT scope, digest FROM kstream_ledger_keys WHERE expires_at <= ? LIMIT ?)"""
_KEYS_PER_QUERY = 500  # SQLite may be built to take as few as 999 parameters
# Each save clears away up to twice what it adds: the file does not outgrow what is alive, and no save has to stop for a
# great clean-up.
_PURGE_FACTOR = 2


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the ledger's table, if it is not there, and what ``mark`` needs of this connection."""
    connection.create_function("kstream_union", 2, _union, deterministic=True)
    for statement in _SCHEMA:
        connection.execute(statement)


def mark(
    connection: sqlite3.Connection, scope: Scope, done: Mapping[int, int], *, now: float, expires_at: float
) -> None:
    """Adds ``done`` within the transaction that ``connection`` is in."""
    key = scope_key(scope)
    connection.executemany(
        _MARK, [(key, sequence_key(sequence), _blob(bitmap), expires_at, now) for sequence, bitmap in done.items()]
    )


def mark_keys(connection: sqlite3.Connection, scope: Scope, keys: Iterable[str], *, expires_at: float) -> None:
    """Adds idempotency keys within the transaction that ``connection`` is in."""
    place = _place(scope)
    connection.executemany(_MARK_KEY, [(place, key_digest(key), expires_at) for key in keys])


def is_marked(connection: sqlite3.Connection, scope: Scope, position: Position, key: str | None, *, now: float) -> bool:
    """Whether this position, or this idempotency key, is done as the transaction sees it."""
    row = connection.execute(_IS_MARKED, (scope_key(scope), sequence_key(position.sequence), now)).fetchone()
    if row is not None and int.from_bytes(row[0], "little") >> position.sub_sequence & 1:
        return True
    if key is None:
        return False
    query = _LOAD_KEYS % "?"
    return connection.execute(query, (_place(scope), now, key_digest(key))).fetchone() is not None


class SQLiteLedger:
    """Remembers what is done in the SQLite file at ``path``, which any number of processes of one machine may share.

    Opened at the first use, and again after ``close``. Thread-safe: one connection behind a lock, because SQLite writes
    one at a time anyway. Open it after a fork, never before. WAL needs shared memory, so the file must not lie on a
    network file system.

    A ``save`` is on the disk when it returns: ``synchronous=FULL``, because with ``NORMAL`` a WAL may lose its last
    transactions when the power fails, and its checkpoint would by then be ahead of what the ledger remembers. That is
    one fsync for each batch left unfinished.

    Waits up to ``busy_timeout`` seconds for another process's write, and no longer than the invocation has left; then it
    raises ``LedgerError``.

    A ``TransactionalHandler``'s effects go into the same file; up to ``group_limit`` of its records share a transaction,
    which holds the file's write lock. Transactions have a connection of their own, and take turns.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ttl: timedelta = DEFAULT_TTL,
        busy_timeout: float = 5.0,
        group_limit: int = 200,
        clock: Clock | None = None,
    ) -> None:
        check_number("SQLiteLedger(group_limit", group_limit, least=1, whole=True)
        check_number("SQLiteLedger(busy_timeout", busy_timeout, least=0, what="seconds")
        file = absolute("SQLiteLedger(", path)
        if str(path) in {"", ":memory:"}:
            raise ConfigurationError(
                f"SQLiteLedger({str(path)!r}) would be in memory: name a file, or take MemoryLedger()"
            )
        self._ttl = ttl_seconds(ttl)
        self._clock = clock or SystemClock()
        self._file = SQLiteFile(file, busy_timeout=busy_timeout, clock=self._clock, prepare=prepare)
        self._patience = ENDLESS
        self.group_limit = group_limit

    def within(self, patience: Patience) -> Self:
        hurried = copy(self)
        hurried._patience = patience  # noqa: SLF001 - its own class
        return hurried

    def load(self, scope: Scope, first: int, last: int) -> dict[int, int]:
        with self._connection("read") as connection:
            rows = connection.execute(
                _LOAD, (scope_key(scope), sequence_key(first), sequence_key(last), self._clock.time())
            ).fetchall()
        return {sequence_of(key): int.from_bytes(done, "little") for key, done in rows}

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        if not done:
            return
        now = self._clock.time()
        with self._connection("write") as connection, _transaction(connection):
            mark(connection, scope, done, now=now, expires_at=now + self._ttl)
            connection.execute(_PURGE, (now, _PURGE_FACTOR * len(done)))

    def load_keys(self, scope: Scope, keys: Collection[str]) -> set[str]:
        wanted = {key_digest(key): key for key in keys}
        digests, place, now = list(wanted), _place(scope), self._clock.time()
        found: set[str] = set()
        with self._connection("read") as connection:
            for start in range(0, len(digests), _KEYS_PER_QUERY):
                some = digests[start : start + _KEYS_PER_QUERY]
                query = _LOAD_KEYS % ",".join("?" * len(some))
                found.update(wanted[digest] for (digest,) in connection.execute(query, (place, now, *some)))
        return found

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        if not keys:
            return
        now = self._clock.time()
        with self._connection("write") as connection, _transaction(connection):
            mark_keys(connection, scope, keys, expires_at=now + self._ttl)
            connection.execute(_PURGE_KEYS, (now, _PURGE_FACTOR * len(keys)))

    def begin(self, scope: Scope) -> SQLiteTransaction:
        file = self._file
        connection = file.take_turn(self._patience)
        try:
            self._clear_away(connection)
        except BaseException as error:
            file.drop_turn()
            if isinstance(error, sqlite3.Error):
                raise file.failed("write", error) from error
            raise
        return SQLiteTransaction(
            connection,
            is_marked=partial(self._is_marked, connection, scope),
            mark=partial(self._mark, connection, scope),
            failed=file.failed,
            ended=file.end_turn,
        )

    def close(self) -> None:
        """Closes the file, but for a transaction that is still open: it keeps its connection. Harmless when closed."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connection(self, verb: str) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.connection(verb, self._patience)

    def _is_marked(self, connection: sqlite3.Connection, scope: Scope, position: Position, key: str | None) -> bool:
        return is_marked(connection, scope, position, key, now=self._clock.time())

    def _mark(self, connection: sqlite3.Connection, scope: Scope, position: Position, key: str | None) -> None:
        now = self._clock.time()
        mark(connection, scope, {position.sequence: 1 << position.sub_sequence}, now=now, expires_at=now + self._ttl)
        if key is not None:
            mark_keys(connection, scope, [key], expires_at=now + self._ttl)

    def _clear_away(self, connection: sqlite3.Connection) -> None:
        """As much as a full transaction will add."""
        now = self._clock.time()
        connection.execute(_PURGE, (now, _PURGE_FACTOR * self.group_limit))
        connection.execute(_PURGE_KEYS, (now, _PURGE_FACTOR * self.group_limit))


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock at once: of two that write, one waits; neither fails half-way.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has already rolled it back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _place(scope: Scope) -> str:
    return scope_key(scope._replace(shard_id=""))


def _blob(bitmap: int) -> bytes:
    return bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "little")


def _union(one: bytes, other: bytes) -> bytes:
    return _blob(int.from_bytes(one, "little") | int.from_bytes(other, "little"))
