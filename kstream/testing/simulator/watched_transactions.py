"""A transactional ledger, observed: an effect counts once its transaction has taken hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.errors import LedgerError
from kstream.testing.simulator.transactions import SimulatedTransactions
from kstream.testing.simulator.watched_handler import SimulatedError
from kstream.testing.simulator.watched_stores import WatchedLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kstream.core.ports import Scope, Transaction, TransactionalLedger
    from kstream.core.record import Position, Record
    from kstream.testing.simulator.stream import Item
    from kstream.testing.simulator.truth import Truth
    from kstream.testing.simulator.world import World


class WatchedTransactionalLedger(WatchedLedger):
    def __init__(self, inner: TransactionalLedger, world: World, truth: Truth) -> None:
        super().__init__(inner, world, truth)
        self._transactional = inner
        # A real store would let a second transaction wait for the first, which waits for it: nobody works meanwhile.
        self._exclusive = not isinstance(inner, SimulatedTransactions)
        self.group_limit = inner.group_limit

    def begin(self, scope: Scope) -> WatchedTransaction:
        world = self._world
        world.step("before a transaction begins")
        world.refuse_if_exclusive()
        if world.fails(world.faults.ledger_reads, "ledger failures"):
            world.trace.add("no transaction can begin")
            raise LedgerError("unreachable (simulated)")
        transaction = WatchedTransaction(
            self._transactional.begin(scope), scope, world, self._truth, exclusive=self._exclusive
        )
        world.at_work[-1].transactions.append(transaction)
        return transaction


class WatchedTransaction:
    def __init__(self, inner: Transaction, scope: Scope, world: World, truth: Truth, *, exclusive: bool) -> None:
        self._inner = inner
        self._scope = scope
        self._world = world
        self._truth = truth
        self._applied: list[tuple[Item, Record]] = []
        self._faulty: list[Item] = []
        self._open = True
        self._exclusive = exclusive
        world.exclusive += exclusive

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        world = self._world
        world.step("before applying")
        if world.fails(world.faults.ledger_writes, "ledger failures"):
            world.trace.add("the transaction fails")
            raise LedgerError("throttled (simulated)")
        carrier = self._truth.stream.by_id[self._scope.shard_id].carrier(position.sequence)
        assert carrier is not None
        item = carrier.items[position.sub_sequence]
        fresh = self._inner.apply(position, key, effect)
        if fresh:
            assert world.applied is not None
            record, faulty = world.applied
            self._applied.append((item, record))
            if faulty:
                self._faulty.append(item)
        else:
            world.trace.add("{} is marked as done", item)
            self._truth.skipped(item)
        world.step("after applying", item)
        return fresh

    def commit(self) -> Collection[Position] | None:
        world = self._world
        world.step("before the commit")
        if self._faulty:
            self._fail_for_an_effect()
        fails = world.fails(world.faults.ledger_writes, "ledger failures")
        if fails and world.random.random() < 0.5:
            world.trace.add("the commit fails")
            self.rollback()
            raise LedgerError("throttled (simulated)")
        known = self._inner.commit()
        self._close()
        for item, record in self._applied:
            if known and record.position in known:
                world.trace.add("{} was marked as done before the commit", item)
                self._truth.skipped(item)
            else:
                self._truth.effect(item, record)
                world.trace.add("{} takes effect, committed", item)
        if fails:
            world.trace.add("the commit took hold, and its answer is lost")
            raise LedgerError("no answer (simulated)")
        world.step("after the commit")
        return known

    def rollback(self) -> None:
        self._inner.rollback()
        self._close()

    def _fail_for_an_effect(self) -> None:
        """As a condition does that shows only now that it does not hold: nothing takes hold."""
        self.rollback()
        for item in self._faulty:
            item.failures = max(0, item.failures - 1)  # another invocation may have used up the last one meanwhile
        self._world.counts["handler errors"] += 1
        self._world.trace.add("the commit fails for {}", self._faulty[0])
        raise SimulatedError("an effect of this transaction cannot be committed")

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._world.exclusive -= self._exclusive
