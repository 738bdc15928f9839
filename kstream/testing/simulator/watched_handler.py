"""The user's handler, observed: what befalls it, and what it brings about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kstream.core.errors import Reject
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.idempotency import has_keys
from kstream.core.run import check_ran

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Sequence

    from kstream.core.consumer import AnyHandler
    from kstream.core.record import Record
    from kstream.testing.simulator.stream import Item
    from kstream.testing.simulator.truth import Truth
    from kstream.testing.simulator.world import World


_BLOCKS = 0.2
"""Chance that a task's work does not let the others go on."""


class SimulatedError(Exception):
    """What a handler raises in a simulated world where an attempt is to fail."""


class Stage:
    """Where handlers are at work."""

    def __init__(self, world: World, truth: Truth, *, exits: bool) -> None:
        self.world = world
        self.truth = truth
        self.opened: list[AnyHandler] = []
        self._exit = world.faults.exit if exits else 0.0

    def begin(self, record: Record, *, may_commit: bool = False) -> Item | None:
        """The handler is given a record. Raises what is to befall it, if it does not befall the commit."""
        steps = self._begin(record, may_commit)
        while True:
            try:
                self.world.clock.advance(next(steps))
            except StopIteration as ended:
                return cast("Item | None", ended.value)

    async def begin_beside_others(self, record: Record) -> Item | None:
        """The same for one task of several: while its time passes the others go on, unless it blocks."""
        import asyncio

        steps, invocation, random = self._begin(record), self.world.at_work[-1], self.world.random
        while True:
            invocation.check_alive()
            try:
                seconds = next(steps)
            except StopIteration as ended:
                await asyncio.sleep(0.01 * random.random())
                invocation.check_alive()
                return cast("Item | None", ended.value)
            if random.random() < _BLOCKS:
                self.world.clock.advance(seconds)
            else:
                await asyncio.sleep(seconds)

    def _begin(self, record: Record, may_commit: bool = False) -> Generator[float, None, Item | None]:
        """Yields how many seconds pass."""
        world = self.world
        item = self.truth.item_of(record)
        world.step("before the effect of", item)
        late = world.faults.timeout and world.random.random() < 0.5
        if not late:
            yield world.time_taken()
            world.step("in the handler, before the effect of", item)
        if world.fails(self._exit, "exits drawn"):
            world.trace.add("the handler raises SystemExit at {}", item)
            raise SystemExit
        at_the_commit = may_commit and item is not None and item.failures > 0 and world.random.random() < 0.4
        if item is not None and item.failures and not at_the_commit:
            self._fail(item)
        if late:
            yield world.time_taken()  # killed, if it comes to that, only when the effect has happened
        return item

    def _fail(self, item: Item) -> None:
        self.world.counts["handler errors"] += 1
        if item.failures < 0:
            self.world.trace.add("{} is rejected", item)
            raise Reject("poison (simulated)")
        item.failures -= 1
        self.world.trace.add("{} fails", item)
        raise SimulatedError(f"{item.failures} more to come")

    def took_effect(self, item: Item | None, record: Record) -> None:
        if item is None:
            return
        self.truth.effect(item, record)
        self.world.trace.add("{} takes effect", item)
        self.world.step("after the effect of", item)

    def key_of(self, record: Record, key: str | None) -> str | None:
        item = self.truth.item_of(record)
        if item is not None:
            item.key = key
        return key


class _Watched:
    def __init__(self, inner: Any, stage: Stage) -> None:
        self._inner = inner
        self._stage = stage

    def open(self) -> None:
        self._inner.open()
        self._stage.opened.append(self._inner)

    # Not close(): who is killed closes nothing. The simulation closes the user's handlers when it has ended.


class _Keyed(_Watched):
    def idempotency_key(self, record: Record) -> str | None:
        return self._stage.key_of(record, self._inner.idempotency_key(record))


class WatchedHandler(_Watched, Handler):
    def process(self, record: Record) -> Awaitable[None] | None:
        stage = self._stage
        item = stage.begin(record)
        result = self._inner.process(record)
        if result is not None:
            check_ran(result)
        stage.took_effect(item, record)
        return None


class WatchedAsyncHandler(_Watched, Handler):
    async def process(self, record: Record) -> None:
        item = self._stage.begin(record)
        check_ran(await self._inner.process(record))
        self._stage.took_effect(item, record)


class WatchedTask(_Watched, Handler):
    """One of several ``async def process`` side by side. From its end to its effect nothing else happens."""

    async def process(self, record: Record) -> None:
        invocation = self._stage.world.at_work[-1]
        item = await self._stage.begin_beside_others(record)
        check_ran(await self._inner.process(record))
        invocation.check_alive()
        self._stage.took_effect(item, record)


class WatchedTransactionalHandler(_Watched, TransactionalHandler[Any]):
    """Its effects take hold when their transaction commits; see ``watched_transactions``."""

    def process(self, record: Record, transaction: Any) -> None:
        world = self._stage.world
        item = self._stage.begin(record, may_commit=True)
        check_ran(self._inner.process(record, transaction))
        world.step("in the transaction, after", item)
        world.applied = record, item is not None and item.failures > 0


class WatchedBatchHandler(_Watched, BatchHandler):
    def process(self, records: Sequence[Record]) -> list[Record]:
        sound, failed = self._begin(records)
        if sound:
            returned = self._inner.process(sound)
            check_ran(returned, generators=True)
            failed += returned or ()
        self._took_effect(sound, failed)
        return failed

    def _begin(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        sound, failed = [], []
        for record in records:
            try:
                self._stage.begin(record)
            except (Reject, SimulatedError):
                failed.append(record)
            else:
                sound.append(record)
        return sound, failed

    def _took_effect(self, given: Sequence[Record], failed: Sequence[Record]) -> None:
        undone = {record.id for record in failed}
        for record in given:
            if record.id not in undone:
                self._stage.took_effect(self._stage.truth.item_of(record), record)


class WatchedAsyncBatchHandler(WatchedBatchHandler):
    async def process(self, records: Sequence[Record]) -> list[Record]:  # type: ignore[override]
        sound, failed = self._begin(records)
        if sound:
            returned = await self._inner.process(sound)
            check_ran(returned, generators=True)
            failed += returned or ()
        self._took_effect(sound, failed)
        return failed


class _KeyedHandler(_Keyed, WatchedHandler):
    pass


class _KeyedAsyncHandler(_Keyed, WatchedAsyncHandler):
    pass


class _KeyedTask(_Keyed, WatchedTask):
    pass


class _KeyedTransactionalHandler(_Keyed, WatchedTransactionalHandler):
    pass


def watched(inner: AnyHandler, stage: Stage, *, asynchronous: bool, beside_others: bool) -> AnyHandler:
    """A handler of the same kind as ``inner``, around it. ``beside_others``: several of its tasks run at once."""
    if isinstance(inner, BatchHandler):
        return (WatchedAsyncBatchHandler if asynchronous else WatchedBatchHandler)(inner, stage)
    keyed = has_keys(inner)
    if isinstance(inner, TransactionalHandler):
        return (_KeyedTransactionalHandler if keyed else WatchedTransactionalHandler)(inner, stage)
    if beside_others:
        return (_KeyedTask if keyed else WatchedTask)(inner, stage)
    if asynchronous:
        return (_KeyedAsyncHandler if keyed else WatchedAsyncHandler)(inner, stage)
    return (_KeyedHandler if keyed else WatchedHandler)(inner, stage)
