"""A ledger in a PostgreSQL database, beside the tables that a handler's effects go to."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from kstream.clock import SystemClock
from kstream.core.given import check_number
from kstream.core.ledger_keys import DEFAULT_TTL, key_digest, scope_key, sequence_key, sequence_of, ttl_seconds
from kstream.core.patience import ENDLESS
from kstream.stores.postgres_connections import Connections, failed, psycopg

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from kstream.core.patience import Patience
    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position
    from kstream.stores.postgres_connections import AnyConnection
    from kstream.stores.postgres_transaction import PostgresTransaction

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

    No call waits for another's lock, or for a connection, for longer than the invocation has left. How long a server may
    take that answers slowly, or falls silent, is for the ``dsn`` to say: ``options='-c statement_timeout=5s'``,
    ``tcp_user_timeout``.

    Connects at the first use. Thread-safe: each transaction has a connection of its own, kept for the next one. Needs
    psycopg (``kstream[postgres]``). Raises ``LedgerError``, and ``ConfigurationError`` without psycopg.
    """

    def __init__(
        self, dsn: str, *, ttl: timedelta = DEFAULT_TTL, group_limit: int = 200, clock: Clock | None = None
    ) -> None:
        check_number("PostgresLedger(group_limit", group_limit, least=1, whole=True)
        self.group_limit = group_limit
        self._ttl = ttl_seconds(ttl)
        self._clock = clock or SystemClock()
        self._connections = Connections(dsn, _SCHEMA)
        self._patience = ENDLESS

    def within(self, patience: Patience) -> Self:
        hurried = copy(self)
        hurried._patience = patience  # noqa: SLF001 - its own class
        return hurried

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
        connection = self._connections.take("write", self._patience)
        from kstream.stores.postgres_transaction import PostgresTransaction

        return PostgresTransaction(
            connection,
            claim=partial(_claim, connection, scope, self._clock, self._ttl),
            tidy=partial(_tidy, connection, self._clock),
            over=partial(self._connections.give_back, connection),
            hurry=partial(self._connections.hurry, self._patience),
        )

    def close(self) -> None:
        """Closes its idle connections. A later use connects again."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[AnyConnection]:
        connection = self._connections.take(verb, self._patience)
        try:
            yield connection
            connection.commit()
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg().Error):
                raise failed(verb, error) from error
            raise
        self._connections.give_back(connection)


def _claim(
    connection: AnyConnection, scope: Scope, clock: Clock, ttl: float, position: Position, key: str | None
) -> bool:
    now = clock.time()
    until = now + ttl
    where = (scope_key(scope), sequence_key(position.sequence), position.sub_sequence)
    if connection.execute(_CLAIM, (*where, until, now)).fetchone() is None:
        return False
    if key is None:
        return True
    return connection.execute(_CLAIM_KEY, (_place(scope), key_digest(key), until, now)).fetchone() is not None


def _tidy(connection: AnyConnection, clock: Clock, most: int) -> None:
    now = clock.time()
    connection.execute(_PURGE, (now, most))
    connection.execute(_PURGE_KEYS, (now, most))


def _place(scope: Scope) -> str:
    return scope_key(scope._replace(shard_id=""))
