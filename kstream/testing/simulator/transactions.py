"""A transactional ledger in memory, with a table for the effects of a ``TransactionalHandler``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from kstream.core.errors import ConditionFailed, LedgerError, TransactionError
from kstream.stores.memory import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position

Style = Literal["locking", "optimistic", "blind"]


class SimulatedTransactions(MemoryLedger):
    """Effects in ``table``, a dictionary. For simulations and tests; not thread-safe.

    ``style``  ``"locking"``: one transaction at a time, and who comes second gets ``LedgerError``, as with SQLite.
               ``"optimistic"``: transactions run side by side, and one that read or wrote what another has written
               meanwhile fails to commit. ``"blind"``: as well, but it cannot look before it writes, and learns only from
               its commit which records were marked already, as with DynamoDB.

    A handler is given a ``TableTransaction``: ``get``, ``set``, ``add`` and ``require``.
    """

    def __init__(self, *, style: Style = "optimistic", group_limit: int = 10, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.table: dict[Any, Any] = {}
        self.versions: Counter[Any] = Counter()
        self.group_limit = group_limit
        self.style = style
        self.locked = False

    def begin(self, scope: Scope) -> TableTransaction:
        if self.style == "locking":
            if self.locked:
                raise LedgerError("locked by another transaction")
            self.locked = True
        return TableTransaction(self, scope)

    def is_marked(self, scope: Scope, position: Position, key: str | None) -> bool:
        sequence, sub = position
        if self.load(scope, sequence, sequence).get(sequence, 0) >> sub & 1:
            return True
        return key is not None and bool(self.load_keys(scope, [key]))


class TableTransaction:
    """Changes to the table and markers, which take hold together or not at all.

    ``get`` (where it ``reads``) and ``set`` by key; ``add`` to a number without reading it; ``require`` that a key has a
    value at the commit, or else the commit raises ``ConditionFailed``.
    """

    def __init__(self, store: SimulatedTransactions, scope: Scope) -> None:
        self._store = store
        self._scope = scope
        self._seen: dict[Any, int] = {}
        self._applied: dict[Position, str | None] = {}
        self._changes: list[tuple[Position, Callable[[dict[Any, Any]], None], Any]] = []
        self._required: list[tuple[Any, Any]] = []
        self._at: Position | None = None
        self._open = True

    # The handler's side

    @property
    def reads(self) -> bool:
        return self._store.style != "blind"

    def get(self, key: Any, default: Any = None) -> Any:
        if not self.reads:
            raise TransactionError('a "blind" transaction collects writes and cannot read: use add')
        self._see(key)
        view = {key: self._store.table[key]} if key in self._store.table else {}
        for _, change, changed in self._changes:
            if changed == key:
                change(view)
        return view.get(key, default)

    def set(self, key: Any, value: Any) -> None:
        self._see(key)
        self._change(key, lambda table: table.__setitem__(key, value))

    def add(self, key: Any, number: float) -> None:
        self._change(key, lambda table: table.__setitem__(key, table.get(key, 0) + number))

    def require(self, key: Any, value: Any) -> None:
        self._required.append((key, value))

    # The core's side

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        if position in self._applied or (key is not None and key in self._applied.values()):
            return False
        if self._store.style != "blind" and self._store.is_marked(self._scope, position, key):
            return False
        changes, required = len(self._changes), len(self._required)
        self._at = position
        try:
            effect(self)
        except BaseException:
            del self._changes[changes:], self._required[required:]
            raise
        self._applied[position] = key
        return True

    def commit(self) -> Collection[Position] | None:
        if not self._open:
            raise LedgerError("the transaction has ended")
        self._end()
        store, scope = self._store, self._scope
        known = {at for at, key in self._applied.items() if store.is_marked(scope, at, key)}
        if any(store.versions[key] != version for key, version in self._seen.items()) or (
            known and store.style != "blind"
        ):
            raise LedgerError("another transaction was faster")
        for key, value in self._required:
            if store.table.get(key) != value:
                raise ConditionFailed(f"{key!r} is {store.table.get(key)!r}, not {value!r}")
        for at, change, changed in self._changes:
            if at not in known:
                change(store.table)
                store.versions[changed] += 1
        for at, key in self._applied.items():
            if at not in known:
                self._mark(at, key)
        return known or None

    def rollback(self) -> None:
        self._end()

    def _mark(self, position: Position, key: str | None) -> None:
        self._store.save(self._scope, {position.sequence: 1 << position.sub_sequence})
        if key is not None:
            self._store.save_keys(self._scope, [key])

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._store.locked = False

    def _see(self, key: Any) -> None:
        self._seen.setdefault(key, self._store.versions[key])

    def _change(self, key: Any, change: Callable[[dict[Any, Any]], None]) -> None:
        assert self._at is not None, "a transaction is used within process"
        self._changes.append((self._at, change, key))
