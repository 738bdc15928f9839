"""A consumer's own ledger, seen from beside: for replaying records that it holds as settled because they were parked.

A parked record counts as done, in the ledger or by the checkpoint. So while a detour is ``beside``, positions are looked
up and marked under a shard name of their own, ``SHARD/redrive``: what the consumer settled does not stop a replay, and
what a replay has done stops the next one, in the very transaction of the effect where the ledger has transactions.

Idempotency keys: a transactional ledger marks only the keys of effects that took place, so they hold in a replay as they
do elsewhere. Any other marks the keys of parked records too, which says nothing; so replays have marks of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.ports import TransactionalLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kstream.core.ports import Ledger, Scope, Transaction
    from kstream.core.record import Position

_SHARD = "/redrive"
_KEY = "kstream-redrive:"


class Detour:
    """A ``Ledger`` over another one. ``beside``: whether it leads past it just now."""

    def __init__(self, ledger: Ledger, *, keys_hold: bool) -> None:
        self._ledger = ledger
        self._keys_hold = keys_hold
        self.beside = False

    def load(self, scope: Scope, first: int, last: int) -> Mapping[int, int]:
        return self._ledger.load(self._scope(scope), first, last)

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        self._ledger.save(self._scope(scope), done)

    def load_keys(self, scope: Scope, keys: Collection[str]) -> Collection[str]:
        if self._own_keys:
            marked = self._ledger.load_keys(scope, [_KEY + key for key in keys])
            return {key.removeprefix(_KEY) for key in marked}
        return self._ledger.load_keys(scope, keys)

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        own = [_KEY + key for key in keys] if self._own_keys else []
        self._ledger.save_keys(scope, [*keys, *own])

    @property
    def _own_keys(self) -> bool:
        return self.beside and not self._keys_hold

    def _scope(self, scope: Scope) -> Scope:
        return scope._replace(shard_id=scope.shard_id + _SHARD) if self.beside else scope


class TransactionalDetour(Detour):
    """A ``TransactionalLedger`` over another one."""

    _ledger: TransactionalLedger

    @property
    def group_limit(self) -> int:
        return self._ledger.group_limit

    def begin(self, scope: Scope) -> Transaction:
        transaction = self._ledger.begin(self._scope(scope))
        return _OwnKeys(transaction) if self._own_keys else transaction


class _OwnKeys:
    """A ``Transaction`` with the keys of replays."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        return self._transaction.apply(position, None if key is None else _KEY + key, effect)

    def commit(self) -> Collection[Position] | None:
        return self._transaction.commit()

    def rollback(self) -> None:
        self._transaction.rollback()


def detour_of(ledger: Ledger, *, keys_hold: bool) -> Detour:
    """A detour that has transactions if the ledger does."""
    kind = TransactionalDetour if isinstance(ledger, TransactionalLedger) else Detour
    return kind(ledger, keys_hold=keys_hold)
