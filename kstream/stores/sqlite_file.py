"""One SQLite file as a process holds it: its connections, whose turn it is, and what its errors mean."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from math import ceil, inf
from typing import TYPE_CHECKING

from kstream.core.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kstream.core.patience import Patience
    from kstream.core.ports import Clock

_RETRY_PAUSE = 0.02  # seconds; between attempts to switch a file to WAL
_LONGEST_MS = 2**31 - 1  # that SQLite's busy_timeout can be told


class _Connection(sqlite3.Connection):
    """Knows how long it waits for locks, since to ask or to tell SQLite costs as much as a small statement."""

    waits_ms = 0

    def wait_for(self, seconds: float) -> None:
        waits_ms = min(ceil(1000 * seconds), _LONGEST_MS)
        if waits_ms != self.waits_ms:
            self.execute(f"PRAGMA busy_timeout = {waits_ms}")
            self.waits_ms = waits_ms


class SQLiteFile:
    """Two connections to the file at ``path``: one for single statements, one for transactions, which take turns.

    Opened when first needed, and again after ``close``. Thread-safe.

    ``busy_timeout``  the most seconds to wait for another process's lock.
    ``prepare``       makes of a new connection what its users need.
    """

    def __init__(
        self, path: Path, *, busy_timeout: float, clock: Clock, prepare: Callable[[sqlite3.Connection], None]
    ) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._prepare = prepare
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._turn = threading.Lock()
        self._transactions: _Connection | None = None

    @contextmanager
    def connection(self, verb: str, patience: Patience) -> Iterator[sqlite3.Connection]:
        """The connection for single statements, for one thread at a time. ``verb`` is for the error's text.

        Raises ``LedgerError`` for whatever SQLite raises within.
        """
        self._acquire(self._lock, verb, patience)
        try:
            self._connection = self._ready(self._connection, patience)
            yield self._connection
        except sqlite3.Error as error:
            raise self.failed(verb, error) from error
        finally:
            self._lock.release()

    def take_turn(self, patience: Patience) -> sqlite3.Connection:
        """The connection for transactions, in one, with the file's write lock. It is the caller's until ``end_turn``."""
        self._acquire(self._turn, "write", patience)
        try:
            connection = self._transactions = self._ready(self._transactions, patience)
            connection.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self.drop_turn()
            if isinstance(error, sqlite3.Error):
                raise self.failed("write", error) from error
            raise
        return connection

    def end_turn(self) -> None:
        assert self._transactions is not None
        try:
            self._transactions.total_changes  # noqa: B018 - asks whether it is closed, as a rollback that failed leaves it
        except sqlite3.ProgrammingError:
            self._transactions = None
        self._turn.release()

    def drop_turn(self) -> None:
        """Ends the turn, and the connection with what it had begun."""
        self._drop_transactions()
        self._turn.release()

    def close(self) -> None:
        """Closes the file, but for a transaction that is still open: it keeps its connection. Harmless when closed."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
        if self._turn.acquire(blocking=False):
            self._drop_transactions()
            self._turn.release()

    def failed(self, verb: str, error: sqlite3.Error) -> LedgerError:
        return LedgerError(f"cannot {verb} the ledger {str(self.path)!r}: {self._explain(error)}")

    def _explain(self, error: sqlite3.Error) -> str:
        """The error in words, with what to do about it."""
        folder = self.path.parent
        if _is(error, sqlite3.SQLITE_CANTOPEN):
            if not folder.exists():
                return f"the directory {str(folder)!r} does not exist: make it, or name another path"
            if self.path.is_dir():
                return "it is a directory: name a file"
            return f"{error}: this process needs to read and write it and its directory {str(folder)!r}"
        for code, remedy in _REMEDIES.items():
            if _is(error, code):
                return f"{error}: {remedy}"
        return str(error)

    def _acquire(self, lock: threading.Lock, verb: str, patience: Patience) -> None:
        seconds = patience.seconds()
        if not lock.acquire(timeout=-1 if seconds == inf else min(seconds, threading.TIMEOUT_MAX)):
            raise LedgerError(
                f"cannot {verb} the ledger {str(self.path)!r}: other threads of this process keep it busy, and there is no "
                "more time to wait for them"
            )

    def _drop_transactions(self) -> None:
        connection, self._transactions = self._transactions, None
        if connection is not None:
            connection.close()

    def _ready(self, connection: _Connection | None, patience: Patience) -> _Connection:
        """This connection or a new one, that waits for others as long as ``patience`` has it."""
        if connection is None:
            return self._open(patience)
        connection.wait_for(patience.seconds(self._busy_timeout))
        return connection

    def _open(self, patience: Patience) -> _Connection:
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        try:
            self._switch_to_wal(connection, patience)
            connection.execute("PRAGMA synchronous = FULL")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _switch_to_wal(self, connection: _Connection, patience: Patience) -> None:
        # Only the first to open a file switches it. SQLite does not wait for other processes there, so this does.
        attempts = max(1, int(patience.seconds(self._busy_timeout) / _RETRY_PAUSE))
        for attempt in range(attempts):
            connection.wait_for(patience.seconds(self._busy_timeout))
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            try:
                if mode != "wal":
                    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if not _is(error, sqlite3.SQLITE_BUSY) or attempt == attempts - 1:
                    raise
                self._clock.sleep(_RETRY_PAUSE)
            else:
                if mode != "wal":
                    raise sqlite3.OperationalError(
                        "its file system cannot hold a write-ahead log: put it on a local disk"
                    )
                return


_OTHER_TABLES = (
    "its tables kstream_ledger and kstream_ledger_keys are not as this kstream makes them: name another path, or move "
    "those two away"
)
_REMEDIES = {
    sqlite3.SQLITE_READONLY: "let this process write to the file and to its directory",
    sqlite3.SQLITE_PERM: "let this process read and write the file and its directory",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "look at its disk, at the room left on it and at limits on the size of files",
    sqlite3.SQLITE_NOTADB: "name another path, or move that file away",
    sqlite3.SQLITE_CORRUPT: "move the file away; a new one starts empty, and what is redelivered runs again",
    sqlite3.SQLITE_BUSY: "another process held its write lock for too long: end it, or raise busy_timeout",
    # The ledger's own statements are sound, so it is what they meet that is not.
    sqlite3.SQLITE_ERROR: _OTHER_TABLES,
    sqlite3.SQLITE_CONSTRAINT: _OTHER_TABLES,
    sqlite3.SQLITE_MISMATCH: _OTHER_TABLES,
}


def _is(error: sqlite3.Error, code: int) -> bool:
    # The low byte of an extended result code is its family.
    found: int | None = getattr(error, "sqlite_errorcode", None)
    return found is not None and found & 0xFF == code
