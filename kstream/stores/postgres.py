"""A ledger in a PostgreSQL database, beside the tables that a handler's effects go to."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError, LedgerError
from kstream.core.ledger_keys import DEFAULT_TTL, key_digest, scope_key, sequence_key, sequence_of, ttl_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import timedelta
    from types import ModuleType, TracebackType
    from typing import Self

    from psycopg import Connection, Cursor

    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position

# One row for each user record, so that two transactions that mark the same one meet at its key: the second waits for the
# first, and then finds it marked. COLLATE "C": the order of a sequence key is that of its bytes.
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS kstream_ledger (
        scope text NOT NULL,
        sequence text COLLATE "C" NOT NULL,
        sub_sequence integer NOT NULL,
        expires_at double precision NOT NULL,
        PRIMARY KEY (scope, sequence, sub_sequence)
    )""",
    "CREATE INDEX IF NOT EXISTS kstream_ledger_expiry ON kstream_ledger (expires_at)",
    """CREATE TABLE IF NOT EXISTS kstream_ledger_keys (
        scope text NOT NULL,
        digest bytea NOT NULL,
        expires_at double precision NOT NULL,
        PRIMARY KEY (scope, digest)
    )""",
    "CREATE INDEX IF NOT EXISTS kstream_ledger_keys_expiry ON kstream_ledger_keys (expires_at)",
)
# Two that make the tables at once would collide in the catalogue; this number, the same for all, lets one wait.
_SCHEMA_LOCK = 0x6B737472

_LOAD = """SELECT sequence, sub_sequence FROM kstream_ledger
    WHERE scope = %s AND sequence BETWEEN %s AND %s AND expires_at > %s"""
_SAVE = """INSERT INTO kstream_ledger VALUES (%s, %s, %s, %s)
    ON CONFLICT (scope, sequence, sub_sequence)
    DO UPDATE SET expires_at = greatest(kstream_ledger.expires_at, excluded.expires_at)"""
_LOAD_KEYS = "SELECT digest FROM kstream_ledger_keys WHERE scope = %s AND digest = ANY(%s) AND expires_at > %s"
_SAVE_KEY = """INSERT INTO kstream_ledger_keys VALUES (%s, %s, %s)
    ON CONFLICT (scope, digest)
    DO UPDATE SET expires_at = greatest(kstream_ledger_keys.expires_at, excluded.expires_at)"""
# A row comes back only if it was not marked, or the mark had expired.
_CLAIM = """INSERT INTO kstream_ledger VALUES (%s, %s, %s, %s)
    ON CONFLICT (scope, sequence, sub_sequence) DO UPDATE SET expires_at = excluded.expires_at
    WHERE kstream_ledger.expires_at <= %s RETURNING 1"""
_CLAIM_KEY = """INSERT INTO kstream_ledger_keys VALUES (%s, %s, %s)
    ON CONFLICT (scope, digest) DO UPDATE SET expires_at = excluded.expires_at
    WHERE kstream_ledger_keys.expires_at <= %s RETURNING 1"""
_PURGE = """DELETE FROM kstream_ledger WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM kstream_ledger WHERE expires_at <= %s LIMIT %s FOR UPDATE SKIP LOCKED))"""
_PURGE_KEYS = """DELETE FROM kstream_ledger_keys WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM kstream_ledger_keys WHERE expires_at <= %s LIMIT %s FOR UPDATE SKIP LOCKED))"""
_PURGE_FACTOR = 2  # each save clears away up to twice what it adds


class PostgresLedger:
    """Remembers what is done in two tables, ``kstream_ledger`` and ``kstream_ledger_keys``, which it makes if it may.

    ``dsn``          a connection string or URL, as libpq reads it; its password stays out of every message.
    ``group_limit``  how many records of a ``TransactionalHandler`` share a transaction.

    Connects at the first use. Thread-safe: each transaction has a connection of its own, kept for the next one. Needs
    psycopg (``kstream[postgres]``). Raises ``LedgerError``, and ``ConfigurationError`` without psycopg.
    """

    def __init__(
        self, dsn: str, *, ttl: timedelta = DEFAULT_TTL, group_limit: int = 200, clock: Clock | None = None
    ) -> None:
        if group_limit < 1:
            raise ConfigurationError(f"PostgresLedger(group_limit={group_limit}): at least 1")
        self.group_limit = group_limit
        self._dsn = dsn
        self._ttl = ttl_seconds(ttl)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._idle: list[Connection[tuple[Any, ...]]] = []
        self._prepared = False

    def load(self, scope: Scope, first: int, last: int) -> dict[int, int]:
        done: dict[int, int] = {}
        with self._transaction("read") as connection:
            rows = connection.execute(
                _LOAD, (scope_key(scope), sequence_key(first), sequence_key(last), self._clock.time())
            )
            for key, sub_sequence in rows:
                sequence = sequence_of(key)
                done[sequence] = done.get(sequence, 0) | 1 << sub_sequence
        return done

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        if not done:
            return
        now, key = self._clock.time(), scope_key(scope)
        # In the order of the key: two saves that overlap then wait for each other in the same order.
        rows = [
            (key, sequence_key(sequence), bit, now + self._ttl)
            for sequence, bitmap in sorted(done.items())
            for bit in range(bitmap.bit_length())
            if bitmap >> bit & 1
        ]
        with self._transaction("write") as connection, connection.cursor() as cursor:
            cursor.executemany(_SAVE, rows)
            cursor.execute(_PURGE, (now, _PURGE_FACTOR * len(rows)))

    def load_keys(self, scope: Scope, keys: Collection[str]) -> set[str]:
        wanted = {key_digest(key): key for key in keys}
        with self._transaction("read") as connection:
            rows = connection.execute(_LOAD_KEYS, (_place(scope), list(wanted), self._clock.time())).fetchall()
        return {wanted[bytes(digest)] for (digest,) in rows}

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        if not keys:
            return
        now, place = self._clock.time(), _place(scope)
        rows = [(place, digest, now + self._ttl) for digest in sorted(map(key_digest, keys))]
        with self._transaction("write") as connection, connection.cursor() as cursor:
            cursor.executemany(_SAVE_KEY, rows)
            cursor.execute(_PURGE_KEYS, (now, _PURGE_FACTOR * len(rows)))

    def begin(self, scope: Scope) -> PostgresTransaction:
        connection = self._take("write")
        return PostgresTransaction(connection, scope, self._clock, self._ttl, _psycopg().Error, self._give_back)

    def close(self) -> None:
        """Closes its idle connections. A later use connects again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[Connection[tuple[Any, ...]]]:
        connection = self._take(verb)
        try:
            yield connection
            connection.commit()
        except _psycopg().Error as error:
            connection.close()
            raise _failed(verb, error) from error
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def _take(self, verb: str) -> Connection[tuple[Any, ...]]:
        """An idle connection that still lives, or a new one."""
        psycopg = _psycopg()
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not connection.closed:
                    return connection
        try:
            connection = cast("Connection[tuple[Any, ...]]", psycopg.connect(self._dsn))
            self._prepare(connection)
        except psycopg.Error as error:
            raise _failed(verb, error) from error
        return connection

    def _prepare(self, connection: Connection[tuple[Any, ...]]) -> None:
        if self._prepared:
            return
        found = connection.execute("SELECT to_regclass('kstream_ledger'), to_regclass('kstream_ledger_keys')")
        if None in (found.fetchone() or (None,)):
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            for statement in _SCHEMA:
                connection.execute(statement.encode())
        connection.commit()
        self._prepared = True

    def _give_back(self, connection: Connection[tuple[Any, ...]]) -> None:
        with self._lock:
            self._idle.append(connection)


class PostgresTransaction:
    """Effects and markers in one PostgreSQL transaction. Implements ``kstream.core.ports.Transaction``."""

    def __init__(
        self,
        connection: Connection[tuple[Any, ...]],
        scope: Scope,
        clock: Clock,
        ttl: float,
        error: type[Exception],
        give_back: Callable[[Connection[tuple[Any, ...]]], None],
    ) -> None:
        self._connection: Connection[tuple[Any, ...]] | None = connection
        self._scope = scope
        self._clock = clock
        self._ttl = ttl
        self._error = error
        self._give_back = give_back

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Cursor[tuple[Any, ...]]:
        """For the handler: see ``kstream.stores.sql.SQLTransaction``."""
        return self._live().execute(statement.encode(), parameters or None)

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        connection = self._live()
        try:
            connection.execute("SAVEPOINT kstream_effect")
            if not self._claim(connection, position, key):
                connection.execute("ROLLBACK TO kstream_effect")
                connection.execute("RELEASE kstream_effect")
                return False
        except self._error as error:
            raise _failed("write", error) from error
        try:
            effect(self)
        except BaseException as error:
            self._undo_effect(connection, error)
            raise
        try:
            connection.execute("RELEASE kstream_effect")
        except self._error as error:
            raise _failed("write", error) from error
        return True

    def commit(self) -> None:
        connection = self._live()
        try:
            connection.commit()
        except self._error as error:
            self.rollback()
            raise _failed("commit to", error) from error
        self._connection = None
        self._give_back(connection)

    def rollback(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.rollback()
        except self._error:
            connection.close()  # the server rolls back what it had
        else:
            self._give_back(connection)

    def _claim(self, connection: Connection[tuple[Any, ...]], position: Position, key: str | None) -> bool:
        now = self._clock.time()
        until = now + self._ttl
        where = (scope_key(self._scope), sequence_key(position.sequence), position.sub_sequence)
        if connection.execute(_CLAIM, (*where, until, now)).fetchone() is None:
            return False
        if key is None:
            return True
        return connection.execute(_CLAIM_KEY, (_place(self._scope), key_digest(key), until, now)).fetchone() is not None

    def _undo_effect(self, connection: Connection[tuple[Any, ...]], error: BaseException) -> None:
        try:
            connection.execute("ROLLBACK TO kstream_effect")
            connection.execute("RELEASE kstream_effect")
        except self._error as failure:
            # The connection, and with it all that the transaction held, is gone.
            raise _failed("write", failure) from error

    def _live(self) -> Connection[tuple[Any, ...]]:
        if self._connection is None:
            raise LedgerError("this transaction is over: do not keep it beyond process()")
        return self._connection


def _failed(verb: str, error: Exception) -> LedgerError:
    return LedgerError(f"cannot {verb} the ledger in PostgreSQL: {str(error).strip() or type(error).__name__}")


def _place(scope: Scope) -> str:
    return scope_key(scope._replace(shard_id=""))


def _psycopg() -> ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigurationError("PostgresLedger needs psycopg: pip install 'kstream[postgres]'") from error
    return psycopg
