"""Effects and markers in one PostgreSQL transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
from psycopg.pq import TransactionStatus

from kstream.core.errors import LedgerError, TransactionError
from kstream.stores.sql import SAVEPOINT, refuse_control

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection, Cursor

    from kstream.core.record import Position

# SQLSTATE's classes and codes that say nothing of a statement: the connection, the server's resources, its shutdown, its
# disk, its own faults, and a server that has become a replica. https://www.postgresql.org/docs/current/errcodes-appendix.html
_STORE_FAILS = ("08", "53", "57P", "58", "XX", "25006")


class PostgresTransaction:
    """One open transaction. Of two with the same record, the second waits for the first to end, and then knows.

    ``claim``  marks a position and a key within the transaction; False if either is marked already.
    ``tidy``   clears away as many rows, of those that have expired.
    ``over``   called once with the connection, when the transaction has ended; it may be broken.

    ``hurry``  gives the statement that bounds further waits for locks, or none.

    Implements ``kstream.core.ports.Transaction``.
    """

    def __init__(
        self,
        connection: Connection[tuple[Any, ...]],
        *,
        claim: Callable[[Position, str | None], bool],
        tidy: Callable[[int], None],
        over: Callable[[], None],
        hurry: Callable[[], bytes],
    ) -> None:
        self._connection = connection
        self._claim = claim
        self._tidy = tidy
        self._over = over
        self._hurry = hurry
        self._hurried = False
        self._open = True
        self._applied = 0

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Cursor[tuple[Any, ...]]:
        """For the handler: see ``kstream.stores.sql.SQLTransaction``."""
        if not self._open:
            raise TransactionError("this transaction is over: do not keep it beyond process()")
        refuse_control(statement)
        # Without parameters, psycopg would let several statements pass. Prepared, the server itself refuses all but one.
        prepare = True if ";" in statement.rstrip("; \n") else None
        try:
            return self._connection.execute(statement.encode(), parameters or None, prepare=prepare)
        except psycopg.errors.SyntaxError as error:
            if error.diag.source_function == "exec_parse_message":  # of the syntax itself the parser would tell
                raise TransactionError(
                    f"more than one statement in {statement.strip()[:40]!r}: execute each"
                ) from error
            raise

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        if not self._open:
            raise LedgerError("this transaction is over")
        try:
            savepoint = f"SAVEPOINT {SAVEPOINT}".encode()
            if hurry := self._hurry():
                self._hurried = True
                savepoint = hurry + b"; " + savepoint
            self._connection.execute(savepoint)
            if not self._claim(position, key):
                self._back_to_savepoint()
                return False
        except psycopg.Error as error:
            fail("write", error)
        try:
            effect(self)
        except BaseException as error:
            self._undo_effect(error)
            raise
        self._keep_effect()
        self._applied += 1
        return True

    def commit(self) -> None:
        if not self._open:
            raise LedgerError("this transaction is over")
        try:
            self._tidy(2 * self._applied)
            if self._status is TransactionStatus.INERROR:
                # COMMIT would answer ROLLBACK, and call that success.
                raise LedgerError("cannot commit to the ledger in PostgreSQL: the transaction has failed before")
            self._connection.commit()
        except psycopg.IntegrityError:
            self.rollback()
            raise  # a constraint that waits for the end: an effect broke it
        except psycopg.Error as error:
            self.rollback()
            fail("commit to", error)
        self._end()

    def rollback(self) -> None:
        if not self._open:
            return
        try:
            self._connection.rollback()
        except psycopg.Error:
            self._connection.close()  # and the server rolls back
        self._end()

    @property
    def _status(self) -> TransactionStatus:
        return self._connection.info.transaction_status

    def _keep_effect(self) -> None:
        if self._status is TransactionStatus.INERROR:
            failed = TransactionError(
                "process() went on after a statement that failed, which in PostgreSQL undoes its whole effect: let the "
                "error pass, or set a savepoint before such a statement and roll back to it"
            )
            self._undo_effect(failed)
            raise failed
        try:
            self._connection.execute(f"RELEASE {SAVEPOINT}".encode())
        except psycopg.Error as error:
            _fail_if_ended(error)
            fail("write", error)

    def _undo_effect(self, error: BaseException) -> None:
        """Undoes the one effect. If that is not possible, nothing that the transaction held may count as done."""
        try:
            self._back_to_savepoint()
        except psycopg.Error as failure:
            _fail_if_ended(failure)
            raise LedgerError(f"cannot write the ledger in PostgreSQL: {words(failure)}") from error
        if isinstance(error, psycopg.Error) and self._blames_store(error):
            fail("write", error)

    def _blames_store(self, error: psycopg.Error) -> bool:
        if isinstance(error, psycopg.errors.LockNotAvailable):
            # A wait that the deadline has cut short says nothing of the record; a NOWAIT of the handler's own does.
            return self._hurried and error.diag.source_function == "ProcessInterrupts"
        return (error.sqlstate or "").startswith(_STORE_FAILS)

    def _back_to_savepoint(self) -> None:
        self._connection.execute(f"ROLLBACK TO {SAVEPOINT}".encode())
        self._connection.execute(f"RELEASE {SAVEPOINT}".encode())

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._over()


def fail(verb: str, error: psycopg.Error) -> NoReturn:
    raise LedgerError(f"cannot {verb} the ledger in PostgreSQL: {words(error)}") from error


def words(error: psycopg.Error) -> str:
    return str(error).strip() or type(error).__name__


def _fail_if_ended(error: psycopg.Error) -> None:
    if isinstance(error, psycopg.errors.InvalidSavepointSpecification | psycopg.errors.NoActiveSqlTransaction):
        raise LedgerError(
            "process() ended its transaction: what it did up to there cannot be undone any more. Begin, commit and roll "
            "back nothing in it"
        ) from error
