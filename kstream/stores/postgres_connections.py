"""Connections to one PostgreSQL database, kept from one transaction to the next."""

from __future__ import annotations

import threading
from math import ceil, inf
from typing import TYPE_CHECKING, Any, cast

from kstream.core.errors import ConfigurationError, LedgerError
from kstream.core.timely import call_within

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from psycopg import Connection

    from kstream.core.patience import Patience

    AnyConnection = Connection[tuple[Any, ...]]

# Two that make the tables at once would collide in the catalogue; this number, the same for all, lets one wait.
_SCHEMA_LOCK = 0x6B737472
_SETTINGS = """SELECT to_regclass('kstream_ledger'), to_regclass('kstream_ledger_keys'),
    (SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout')"""
_LONGEST_MS = 2**31 - 1  # that PostgreSQL's lock_timeout can be told


class Connections:
    """Made when they are needed. Thread-safe; each connection is one thread's at a time.

    ``schema``  the statements that make the ledger's tables, where they are not there.
    """

    def __init__(self, dsn: str, schema: Sequence[str]) -> None:
        self._dsn = dsn
        self._schema = schema
        self._lock = threading.Lock()
        self._idle: list[AnyConnection] = []
        self._prepared = False
        self._lock_timeout_ms = 0

    def take(self, verb: str, patience: Patience) -> AnyConnection:
        """An idle connection that still lives, or a new one, in a transaction that waits for no lock for longer than
        ``patience`` has. ``verb`` is for the text of the ``LedgerError`` that it raises."""
        driver = psycopg()
        # To set this costs no more than the question whether the server, which may have restarted since, is still there.
        check = self.hurry(patience) or b"SELECT 1"
        while (connection := self._idle_one()) is not None:
            try:
                connection.execute(check)
            except driver.Error:
                connection.close()
            else:
                return connection
        fresh = self._connect(verb, patience)
        try:
            self._prepare(fresh, patience)
            if statement := self.hurry(patience):
                fresh.execute(statement)
        except driver.Error as error:
            fresh.close()
            raise failed(verb, error) from error
        return fresh

    def hurry(self, patience: Patience) -> bytes:
        """The statement that bounds each further wait for a lock in a transaction; none where nothing bounds it more than
        the server's own ``lock_timeout``."""
        seconds, own = patience.seconds(), self._lock_timeout_ms
        if seconds == inf:
            return b""
        hurried = min(ceil(1000 * seconds), _LONGEST_MS)
        return b"" if 0 < own <= hurried else b"SET LOCAL lock_timeout = %d" % hurried

    def give_back(self, connection: AnyConnection) -> None:
        if not connection.closed:
            with self._lock:
                self._idle.append(connection)

    def close(self) -> None:
        """Closes the idle ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self, verb: str, patience: Patience) -> AnyConnection:
        driver = psycopg()

        def connect() -> AnyConnection:
            return cast("AnyConnection", driver.connect(self._dsn))

        try:
            return call_within(patience.seconds(), connect, discard=lambda late: late.close())
        except TimeoutError as error:
            raise failed(verb, error) from error
        except driver.ProgrammingError:
            # Its words repeat parts of the string, and with them perhaps the password.
            raise LedgerError(f"cannot {verb} the ledger in PostgreSQL: its dsn is no connection string") from None
        except driver.Error as error:
            raise failed(verb, error) from error

    def _idle_one(self) -> AnyConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _prepare(self, connection: AnyConnection, patience: Patience) -> None:
        """Makes the tables, if they are not there. Where it may not make them, somebody who may has to."""
        if self._prepared:
            return
        found = connection.execute(_SETTINGS).fetchone()
        assert found is not None
        self._lock_timeout_ms = found[2]
        if hurry := self.hurry(patience):
            connection.execute(hurry)
        if None in found:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            for statement in self._schema:
                connection.execute(statement.encode())
        connection.commit()
        self._prepared = True


def failed(verb: str, error: Exception) -> LedgerError:
    return LedgerError(f"cannot {verb} the ledger in PostgreSQL: {str(error).strip() or type(error).__name__}")


def psycopg() -> ModuleType:
    """The driver. Raises ``ConfigurationError`` where it is not installed."""
    try:
        import psycopg as driver
    except ImportError as error:
        raise ConfigurationError("PostgresLedger needs psycopg: pip install 'kstream[postgres]'") from error
    return driver
