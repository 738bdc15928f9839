"""A transactional ledger held to its port. Most of what a transaction raises is its handler's, and passes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from kstream.core.errors import LedgerError, TransactionError
from kstream.core.guarded import GuardedLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.guarded import Guard
    from kstream.core.ports import Ledger, Scope, Transaction, TransactionalLedger
    from kstream.core.record import Position


def guarded(ledger: Ledger | None, *, transactional: bool) -> GuardedLedger | None:
    """This ledger, if there is one, held to its port."""
    if ledger is None:
        return None
    return GuardedTransactionalLedger(cast("TransactionalLedger", ledger)) if transactional else GuardedLedger(ledger)


class GuardedTransactionalLedger(GuardedLedger):
    """A ledger whose transactions raise ``LedgerError``, what their effects raise, and nothing else."""

    _ledger: TransactionalLedger

    def __init__(self, ledger: TransactionalLedger) -> None:
        super().__init__(ledger)
        self.group_limit = ledger.group_limit

    def begin(self, scope: Scope) -> GuardedTransaction:
        return GuardedTransaction(self._guard.call(self._ledger.begin, scope), self._guard)


class GuardedTransaction:
    def __init__(self, transaction: Transaction, guard: Guard) -> None:
        self._transaction = transaction
        self._guard = guard

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        raised: list[BaseException] = []

        def noted(transaction: Any) -> object:
            try:
                return effect(transaction)
            except BaseException as error:
                raised.append(error)
                raise

        try:
            fresh = self._transaction.apply(position, key, noted)
        except (LedgerError, TransactionError):
            raise
        except Exception as error:
            if any(error is one for one in raised):
                raise
            raise self._guard.told(self._transaction.apply, error) from error
        if not isinstance(fresh, bool):
            raise self._guard.broken(self._transaction.apply, fresh, "whether the effect was made")
        return fresh

    def commit(self) -> Collection[Position] | None:
        # What it raises is an effect's fault, unless it is LedgerError: so the port has it, and only the store can tell.
        known = self._transaction.commit()
        if known is None or isinstance(known, Collection):
            return known
        raise self._guard.broken(self._transaction.commit, known, "the positions that were marked before")

    def rollback(self) -> None:
        try:
            self._transaction.rollback()
        except Exception as error:  # noqa: BLE001 - a store's; nothing of this transaction counts as done
            self._guard.told(self._transaction.rollback, error)
