"""Which way of running a batch a handler asks for."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Protocol

from kstream.core.handler import BatchHandler, TransactionalHandler
from kstream.core.inline import BatchRunner, InlineRunner, run_lane
from kstream.core.ports import LoopClock

if TYPE_CHECKING:
    from kstream.core.consumer import AnyHandler, Consumer
    from kstream.core.inline import Lane
    from kstream.core.ports import Clock
    from kstream.core.run import Run


class Runner(Protocol):
    """A way of running a batch: when ``run`` returns, its progress is final but for what outlived the deadline."""

    def run(self, run: Run) -> None: ...
    def close(self) -> None: ...


def runner_for(consumer: Consumer, handler: AnyHandler, clock: Clock) -> Runner:
    """The runner for this kind of handler, of which ``mode_of`` has found nothing to say against its policies."""
    asynchronous = inspect.iscoroutinefunction(handler.process)
    if isinstance(handler, BatchHandler):
        return _async_runner(consumer, clock, batch_handler=True) if asynchronous else BatchRunner()
    lane: Lane = run_lane
    if isinstance(handler, TransactionalHandler):
        lane = _transactional_lane()
    elif asynchronous:
        return _async_runner(consumer, clock, batch_handler=False)
    return _thread_runner(lane, consumer.max_workers) if consumer.max_workers > 1 else InlineRunner(lane)


def _async_runner(consumer: Consumer, clock: Clock, *, batch_handler: bool) -> Runner:
    # Imported for the handlers that need it: asyncio costs more than everything else here.
    from kstream.core.asynchronous import AsyncRunner

    return AsyncRunner(
        consumer.max_workers,
        batch_handler=batch_handler,
        new_loop=clock.new_event_loop if isinstance(clock, LoopClock) else None,
    )


def _thread_runner(lane: Lane, max_workers: int) -> Runner:
    from kstream.core.threads import ThreadRunner

    return ThreadRunner(lane, max_workers)


def _transactional_lane() -> Lane:
    from kstream.core import transactional

    return transactional.run_lane
