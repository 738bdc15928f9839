"""The ledger and the dead-letter sink, observed, and failing as the world has it. What they hold survives every crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.errors import DeadLetterError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.ports import DeadLetterSink, Ledger, Scope
    from kstream.testing.simulator.truth import Truth
    from kstream.testing.simulator.world import World


class WatchedLedger:
    def __init__(self, inner: Ledger, world: World, truth: Truth) -> None:
        self._inner = inner
        self._world = world
        self._truth = truth

    def load(self, scope: Scope, first: int, last: int) -> Mapping[int, int]:
        self._before_reading()
        known = self._inner.load(scope, first, last)
        if count := self._truth.ledger_says(scope, first, last, known):
            self._world.trace.add("the ledger knows {} of {}..{} as done", count, first, last)
        self._world.step("after reading the ledger")
        return known

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        self._before_writing()
        self._truth.ledger_is_told(scope, done)
        self._write(lambda part: self._inner.save(scope, part), done, len(done))

    def load_keys(self, scope: Scope, keys: Collection[str]) -> Collection[str]:
        self._before_reading()
        known = self._inner.load_keys(scope, keys)
        self._truth.keys_are_done(known)
        return known

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        self._before_writing()
        self._truth.keys_are_done(keys)
        ordered = dict.fromkeys(sorted(keys), 0)
        self._write(lambda part: self._inner.save_keys(scope, part), ordered, len(ordered))

    def _before_reading(self) -> None:
        world = self._world
        world.step("before reading the ledger")
        if world.fails(world.faults.ledger_reads, "ledger failures"):
            world.trace.add("the ledger cannot be read")
            raise LedgerError("throttled (simulated)")

    def _before_writing(self) -> None:
        self._world.step("before writing the ledger")
        self._world.refuse_if_exclusive()

    def _write(self, write: Callable[[dict[Any, int]], None], whole: Mapping[Any, int], count: int) -> None:
        world = self._world
        written = count
        if fails := world.fails(world.faults.ledger_writes, "ledger failures"):
            written = world.random.randint(0, count)
        write(dict(list(whole.items())[:written]))
        if fails:
            world.trace.add("the ledger fails after writing {} of {}", written, count)
            raise LedgerError("throttled (simulated)")
        world.trace.add("the ledger writes {}", count)
        world.step("after writing the ledger")


class WatchedDeadLetters:
    def __init__(self, inner: DeadLetterSink, world: World, truth: Truth) -> None:
        self._inner = inner
        self._world = world
        self._truth = truth

    def put(self, letter: DeadLetter) -> None:
        world = self._world
        world.step("before the dead letter")
        fails = world.fails(world.faults.dead_letters, "dead-letter failures")
        if fails and world.random.random() < 0.7:
            world.trace.add("the dead letters refuse {}", letter.record.sequence_number)
            raise DeadLetterError("full (simulated)")
        self._inner.put(letter)
        self._truth.parked(letter)
        world.trace.add("dead letter {}:{}", letter.record.sequence_number, letter.record.sub_sequence_number)
        if fails:
            raise DeadLetterError("stored, and not said so (simulated)")
        world.step("after the dead letter")
