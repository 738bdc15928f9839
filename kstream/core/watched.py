"""A handler's ``process`` with somebody watching its attempts. Without anybody it stays as it is, and costs as little."""

from __future__ import annotations

import math
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from kstream.core.context import current_attempt
from kstream.core.handler import BatchHandler, TransactionalHandler
from kstream.core.shielded import Shielded

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.consumer import AnyHandler
    from kstream.core.ports import Clock
    from kstream.core.record import Record
    from kstream.core.telemetry import Telemetry


def watched(
    handler: AnyHandler, telemetry: Shielded, clock: Clock, uniform: Callable[[float, float], float]
) -> Callable[..., Any]:
    """The handler's ``process``: as it is, or told of to whoever wants to hear of records one by one, each its own."""
    process: Callable[..., Any] = handler.process
    if isinstance(handler, BatchHandler):
        return process
    asynchronous = iscoroutinefunction(process)
    # The first is told first and last, as the others' spans stand within its own.
    for one in reversed(telemetry.watching):
        if one.sample_rate is not None:
            watcher = Watcher(one, one.sample_rate, clock, uniform)
            if isinstance(handler, TransactionalHandler):
                process = watcher.wrap_effect(process)
            else:
                process = (watcher.wrap_async if asynchronous else watcher.wrap)(process)
    return process


class Watcher:
    """Which attempts one telemetry is told of. Thread-safe: a race decides no more than which record is sampled.

    The three ways to wrap say the same thrice: a part that they shared would be one more call for each record.
    """

    def __init__(
        self, telemetry: Telemetry, rate: float, clock: Clock, uniform: Callable[[float, float], float]
    ) -> None:
        self._telemetry = Shielded([telemetry])
        self._time = clock.time
        self._uniform = uniform
        self._rate = rate
        self._slow_after = telemetry.slow_after

    def wrap(self, process: Callable[..., Any]) -> Callable[..., Any]:
        """``def process(record)``, told of."""
        time, slow_after, left_out = self._time, self._slow_after, self._gap()

        def watched(record: Record) -> Any:
            nonlocal left_out
            left_out -= 1
            if sampled := left_out < 0:
                left_out = self._gap()
                self._started(record)
            started_at = time()
            try:
                result = process(record)
            except BaseException as error:
                self._finished(record, error, started_at)
                raise
            if sampled or time() - started_at >= slow_after:
                self._finished(record, None, started_at)
            return result

        return watched

    def wrap_effect(self, process: Callable[..., Any]) -> Callable[..., Any]:
        """``def process(record, transaction)``, told of."""
        time, slow_after, left_out = self._time, self._slow_after, self._gap()

        def watched(record: Record, transaction: Any) -> Any:
            nonlocal left_out
            left_out -= 1
            if sampled := left_out < 0:
                left_out = self._gap()
                self._started(record)
            started_at = time()
            try:
                result = process(record, transaction)
            except BaseException as error:
                self._finished(record, error, started_at)
                raise
            if sampled or time() - started_at >= slow_after:
                self._finished(record, None, started_at)
            return result

        return watched

    def wrap_async(self, process: Callable[..., Any]) -> Callable[..., Any]:
        """``async def process(record)``, told of."""
        time, slow_after, left_out = self._time, self._slow_after, self._gap()

        async def watched(record: Record) -> Any:
            nonlocal left_out
            left_out -= 1
            if sampled := left_out < 0:
                left_out = self._gap()
                self._started(record)
            started_at = time()
            try:
                result = await process(record)
            except BaseException as error:
                self._finished(record, error, started_at)
                raise
            if sampled or time() - started_at >= slow_after:
                self._finished(record, None, started_at)
            return result

        return watched

    def _gap(self) -> float:
        """How many records to leave out before the next: as if each were drawn by itself, at the cost of one draw."""
        if self._rate <= 0:
            return math.inf
        if self._rate >= 1:
            return 0
        unlikely = 1 - self._uniform(0, 1)
        return math.floor(math.log(max(unlikely, 1e-300)) / math.log(1 - self._rate))

    def _started(self, record: Record) -> None:
        self._telemetry.tell("record_started", record, current_attempt.get())

    def _finished(self, record: Record, error: BaseException | None, started_at: float) -> None:
        self._telemetry.tell(
            "record_finished", record, current_attempt.get(), error, started_at=started_at, ended_at=self._time()
        )
