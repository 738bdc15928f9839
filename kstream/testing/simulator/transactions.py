"""A transactional ledger in memory, with a table for the effects of a ``TransactionalHandler``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kstream.core.errors import LedgerError
from kstream.stores.memory import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position


class SimulatedTransactions(MemoryLedger):
    """Effects in ``table``, a dictionary. For simulations and tests; not thread-safe.

    A handler is given a ``TableTransaction``: ``get`` and ``set`` by key. ``locking=True``: one transaction at a time, and
    who comes second gets ``LedgerError``, as with SQLite. Else transactions run side by side, and a commit fails, with
    nothing written, if anything it read or wrote has been written meanwhile, as with DynamoDB.
    """

    def __init__(self, *, clock: Clock | None = None, locking: bool = False, group_limit: int = 10) -> None:
        super().__init__(clock=clock)
        self.table: dict[Any, Any] = {}
        self.versions: Counter[Any] = Counter()
        self.group_limit = group_limit
        self.locked = False
        self._locking = locking

    def begin(self, scope: Scope) -> TableTransaction:
        if self._locking:
            if self.locked:
                raise LedgerError("locked by another transaction")
            self.locked = True
        return TableTransaction(self, scope)


class TableTransaction:
    """Changes to the table and markers, which take hold together or not at all."""

    def __init__(self, store: SimulatedTransactions, scope: Scope) -> None:
        self._store = store
        self._scope = scope
        self._seen: dict[Any, int] = {}
        self._changes: dict[Any, Any] = {}
        self._done: dict[int, int] = {}
        self._keys: set[str] = set()
        self._open = True

    # The handler's side

    def get(self, key: Any, default: Any = None) -> Any:
        self._see(("table", key))
        return self._changes.get(key, self._store.table.get(key, default))

    def set(self, key: Any, value: Any) -> None:
        self._see(("table", key))
        self._changes[key] = value

    # The core's side

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        sequence, sub = position
        place = (*self._scope, sequence, sub)
        self._see(place)
        if (self._store.load(self._scope, sequence, sequence).get(sequence, 0) | self._done.get(sequence, 0)) >> sub & 1:
            return False
        if key is not None:
            self._see((*self._scope[:2], key))
            if key in self._keys or self._store.load_keys(self._scope, [key]):
                return False
        changes = self._changes.copy()
        try:
            effect(self)
        except BaseException:
            self._changes = changes
            raise
        self._done[sequence] = self._done.get(sequence, 0) | 1 << sub
        if key is not None:
            self._keys.add(key)
        return True

    def commit(self) -> None:
        store = self._store
        if not self._open:
            raise LedgerError("the transaction has ended")
        self._end()
        if any(store.versions[place] != version for place, version in self._seen.items()):
            raise LedgerError("another transaction was faster")
        store.table.update(self._changes)
        store.save(self._scope, self._done)
        store.save_keys(self._scope, self._keys)
        for key in self._changes:
            store.versions["table", key] += 1
        for sequence, bitmap in self._done.items():
            for sub in range(bitmap.bit_length()):
                if bitmap >> sub & 1:
                    store.versions[(*self._scope, sequence, sub)] += 1
        for key in self._keys:
            store.versions[(*self._scope[:2], key)] += 1

    def rollback(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._store.locked = False

    def _see(self, place: Any) -> None:
        self._seen.setdefault(place, self._store.versions[place])
