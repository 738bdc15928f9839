"""The world around an invocation: at each step, something may befall it."""

from __future__ import annotations

import threading
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Protocol

from kstream.core.asynchronous import in_event_loop
from kstream.core.errors import LedgerError

if TYPE_CHECKING:
    from random import Random

    from kstream.core.delivery.batch import Delivery
    from kstream.core.delivery.shard import ShardDelivery
    from kstream.core.ports import Transaction
    from kstream.core.record import Record
    from kstream.testing.clock import VirtualClock
    from kstream.testing.simulator.faults import Faults
    from kstream.testing.simulator.reader import ShardReader
    from kstream.testing.simulator.trace import Trace

_MOST_AT_ONCE = 4
_MEANWHILE = 0.06
"""Chance at each step that another batch that is due is worked off in between."""


class Dead(BaseException):
    """The process of this invocation is gone. Not an ``Exception``: nothing in it may go on."""


class Invocation:
    """One call of the function.

    ``origin``      the invocation that this one is a duplicate of, or itself.
    ``kill_at``     in the clock's monotonic seconds.
    ``superseded``  the mapping has its answer already, or waits for it no longer.
    """

    __slots__ = ("dead", "delivery", "kill_at", "number", "origin", "reader", "shard", "superseded", "transactions")

    def __init__(
        self,
        number: int,
        reader: ShardReader,
        shard: ShardDelivery,
        delivery: Delivery,
        origin: Invocation | None = None,
    ) -> None:
        self.number = number
        self.reader = reader
        self.shard = shard
        self.delivery = delivery
        self.origin = origin or self
        self.kill_at = inf
        self.dead = False
        self.superseded = False
        self.transactions: list[Transaction] = []

    def check_alive(self) -> None:
        """Raises ``Dead``: another task of it has met its process's end."""
        if self.dead:
            raise Dead


class Meanwhile(Protocol):
    """What can happen while an invocation is at work."""

    def turn(self) -> bool:
        """Another batch that is due, if there is one."""
        ...

    def deliver_again(self, origin: Invocation) -> None: ...
    def restart(self) -> None: ...


class World:
    """Time, chance, and who is at work. One thread at a time; ``exclusive`` above 0: no second invocation now."""

    def __init__(self, random: Random, faults: Faults, clock: VirtualClock, trace: Trace, *, timeout: float) -> None:
        self.random = random
        self.faults = faults
        self.clock = clock
        self.trace = trace
        self.counts: Counter[str] = Counter()
        self.meanwhile: Meanwhile | None = None
        self.at_work: list[Invocation] = []
        self.exclusive = 0
        self.applied: tuple[Record, bool] | None = None
        """What a transaction's handler has just worked on, and whether its commit is to fail for it."""
        self._timeout = timeout
        self._left = faults.limit
        self._thread = threading.get_ident()
        self._crash = faults.crash
        self._duplicate = self._crash + faults.duplicate
        self._restart = self._duplicate + faults.restart
        self._eventful = self._restart + _MEANWHILE

    def step(self, where: str, *what: object) -> None:
        """A place at which the process may be interrupted, or end. Raises ``Dead``."""
        if not self.at_work:
            return
        invocation = self.at_work[-1]
        if invocation.dead:
            raise Dead
        now = self.trace.now = self.clock.monotonic()
        if now >= invocation.kill_at:
            self._die("timeouts", "TIMEOUT, killed", where, what)
        chance = self.random.random()
        if chance >= self._eventful:
            return
        if chance < self._crash:
            if self._spend():
                self._die("crashes", "CRASH", where, what)
        elif self._may_interleave():
            self._interleave(chance, invocation, where)

    def fails(self, chance: float, count: str) -> bool:
        """Whether it happens on this occasion; counted as ``count``."""
        if not chance or self.random.random() >= chance or not self._spend():
            return False
        self.counts[count] += 1
        return True

    def time_taken(self) -> float:
        """Seconds that the handler works. It may take longer than it has."""
        faults, random = self.faults, self.random
        invocation = self.at_work[-1]
        if faults.timeout and self.fails(faults.timeout, "too slow"):
            return max(0.0, invocation.kill_at - self.clock.monotonic()) + 0.001
        if faults.slow and self.fails(faults.slow, "slow"):
            return 0.3 * self._timeout
        return 0.01 * random.random()

    def refuse_if_exclusive(self) -> None:
        """Another process holds the store's lock, and nobody waits for ever."""
        if self.exclusive:
            raise LedgerError("locked by another transaction (simulated)")

    def _spend(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _die(self, count: str, words: str, where: str, what: tuple[object, ...]) -> None:
        self.counts[count] += 1
        self.trace.add("{} {} {}", words, where, " ".join(map(str, what)))
        self.at_work[-1].dead = True
        raise Dead

    def _may_interleave(self) -> bool:
        if self.exclusive or len(self.at_work) >= _MOST_AT_ONCE or threading.get_ident() != self._thread:
            return False
        # A second invocation with a loop of its own cannot run inside a running one.
        return not in_event_loop()

    def _interleave(self, chance: float, invocation: Invocation, where: str) -> None:
        assert self.meanwhile is not None
        if chance < self._duplicate:
            if self._spend():
                self.counts["duplicates"] += 1
                self.trace.add("the same batch again, meanwhile ({})", where)
                self.meanwhile.deliver_again(invocation.origin)
        elif chance < self._restart:
            if self._spend():
                self.counts["restarts"] += 1
                self.trace.add("the mapping restarts, meanwhile ({})", where)
                self.meanwhile.restart()
        else:
            self.meanwhile.turn()
        self.trace.now = self.clock.monotonic()
