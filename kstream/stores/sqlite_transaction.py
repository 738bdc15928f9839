"""Effects and markers in one SQLite transaction."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from kstream.core.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.core.record import Position


class SQLiteTransaction:
    """One open transaction, begun with the write lock: of two processes with the same batch, one waits for the other.

    ``is_marked``   whether a position, or a key, is marked as done.
    ``mark``        marks them, within the transaction.
    ``explain``     says in words what a database error means.
    ``ended``       called once, when the transaction is over.

    Implements ``kstream.core.ports.Transaction``.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        is_marked: Callable[[Position, str | None], bool],
        mark: Callable[[Position, str | None], None],
        explain: Callable[[sqlite3.Error], str],
        ended: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._is_marked = is_marked
        self._mark = mark
        self._explain = explain
        self._ended = ended
        self._open = True

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """For the handler: see ``kstream.stores.sql.SQLTransaction``."""
        return self._connection.execute(statement, parameters)

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        execute = self._connection.execute
        try:
            if self._is_marked(position, key):
                return False
            execute("SAVEPOINT kstream_effect")
            self._mark(position, key)
        except sqlite3.Error as error:
            raise self._failed("write", error) from error
        try:
            effect(self)
        except BaseException as error:
            self._undo_effect(error)
            raise
        try:
            execute("RELEASE kstream_effect")
        except sqlite3.Error as error:
            # The handler ended the transaction itself, and so committed or undid what is not its own.
            raise self._failed("write", error) from error
        return True

    def commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.rollback()
            raise self._failed("commit to", error) from error
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

    def _undo_effect(self, error: BaseException) -> None:
        """Undoes the one effect. If that took the whole transaction with it, nothing that it held may count as done."""
        try:
            self._connection.execute("ROLLBACK TO kstream_effect")
            self._connection.execute("RELEASE kstream_effect")
        except sqlite3.Error as failure:
            raise self._failed("write", error if isinstance(error, sqlite3.Error) else failure) from error

    def _failed(self, verb: str, error: sqlite3.Error) -> LedgerError:
        return LedgerError(f"cannot {verb} the ledger: {self._explain(error)}")

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._ended()
