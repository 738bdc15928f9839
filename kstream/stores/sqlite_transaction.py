"""Effects and markers in one SQLite transaction."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, NoReturn

from kstream.core.errors import LedgerError, TransactionError
from kstream.stores.sql import SAVEPOINT, refuse_control

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.core.record import Position

# What the file or its disk is to blame for, whatever statement meets it.
_STORE_FAILS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


class SQLiteTransaction:
    """One open transaction, begun with the write lock: of two processes with the same batch, one waits for the other.

    ``is_marked``   whether a position, or a key, is marked as done.
    ``mark``        marks them, within the transaction.
    ``failed``      makes a ``LedgerError`` of what was tried (a verb) and SQLite's error.
    ``ended``       called once, when the transaction is over.

    Implements ``kstream.core.ports.Transaction``.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        is_marked: Callable[[Position, str | None], bool],
        mark: Callable[[Position, str | None], None],
        failed: Callable[[str, sqlite3.Error], LedgerError],
        ended: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._is_marked = is_marked
        self._mark = mark
        self._failed = failed
        self._ended = ended
        self._open = True
        self._store_failed: sqlite3.Error | None = None
        self._ended_by: sqlite3.Error | None = None
        # What the effect raised that had everything rolled back, as INSERT OR ROLLBACK does.
        self._lost: BaseException | None = None

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """For the handler: see ``kstream.stores.sql.SQLTransaction``."""
        if not self._open:
            raise TransactionError("this transaction is over: do not keep it beyond process()")
        if not self._under_way():
            # SQLite would commit it at once, by itself.
            raise self._rolled_back() from self._ended_by
        refuse_control(statement)
        try:
            return self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
            if code & 0xFF in _STORE_FAILS:  # the low byte of an extended result code is its family
                self._store_failed = error
            elif not self._under_way():
                self._ended_by = error
            raise

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        if not self._open:
            raise LedgerError("this transaction is over")
        if self._lost is not None:
            raise LedgerError("this transaction has been rolled back by an effect before this one")
        execute = self._connection.execute
        try:
            if self._is_marked(position, key):
                return False
            execute(f"SAVEPOINT {SAVEPOINT}")
            self._mark(position, key)
        except sqlite3.Error as error:
            self._fail("write", error)
        try:
            effect(self)
        except BaseException as error:
            self._undo_effect(position, key, error)
            raise
        self._keep_effect(position, key)
        return True

    def commit(self) -> None:
        if not self._open:
            raise LedgerError("this transaction is over")
        if self._lost is not None:
            self.rollback()
            raise self._lost
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.rollback()
            if isinstance(error, sqlite3.IntegrityError):
                raise  # a constraint that waits for the end: an effect broke it
            self._fail("commit to", error)
        self._end()

    def rollback(self) -> None:
        if not self._open:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # The connection is of no use any more; closing it rolls back.
            self._connection.close()
        self._end()

    def _under_way(self) -> bool:
        return self._connection.in_transaction

    def _keep_effect(self, position: Position, key: str | None) -> None:
        if self._has_rolled_back(position, key):
            self._lost = self._rolled_back()
            raise self._lost from self._ended_by
        try:
            self._connection.execute(f"RELEASE {SAVEPOINT}")
        except sqlite3.Error as failure:
            raise self._unusable(failure) from failure

    def _undo_effect(self, position: Position, key: str | None, error: BaseException) -> None:
        """Undoes the one effect. If that took the whole transaction with it, nothing that it held may count as done."""
        if self._has_rolled_back(position, key):
            self._lost = error
            return
        try:
            self._connection.execute(f"ROLLBACK TO {SAVEPOINT}")
            self._connection.execute(f"RELEASE {SAVEPOINT}")
        except sqlite3.Error as failure:
            raise self._unusable(failure) from error
        if self._store_failed is not None:
            self._fail("write", self._store_failed)

    def _has_rolled_back(self, position: Position, key: str | None) -> bool:
        """Whether the effect itself, and not a store that fails, undid the transaction. Had it committed, the marker,
        which was written before it, would stand."""
        if self._store_failed is not None:
            return False
        try:
            return not self._under_way() and not self._is_marked(position, key)
        except sqlite3.Error:
            return False  # and what comes next tells why

    def _rolled_back(self) -> TransactionError:
        reason = "" if self._ended_by is None else f" ({self._ended_by})"
        return TransactionError(
            f"process() has rolled its transaction back{reason}, so nothing more can be done in it: let the error pass, "
            "and take OR ABORT and RAISE(ABORT), which undo their statement alone, in place of ROLLBACK"
        )

    def _unusable(self, failure: sqlite3.Error) -> LedgerError:
        """For a savepoint that can be neither kept nor undone."""
        if self._store_failed is None and getattr(failure, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            return LedgerError(
                "process() ended its transaction: what it did up to there cannot be undone any more. Begin, commit and "
                "roll back nothing in it"
            )
        return self._failed("write", self._store_failed or failure)

    def _fail(self, verb: str, error: sqlite3.Error) -> NoReturn:
        raise self._failed(verb, error) from error

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._ended()
