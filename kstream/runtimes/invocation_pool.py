"""Invocations in flight: one at a time on the caller's thread, or several on threads of a pool."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from kstream.core.delivery.answer import Verdict
    from kstream.core.delivery.batch import Delivery
    from kstream.core.ports import Clock
    from kstream.runtimes.shard_worker import ShardWorker


@dataclass(frozen=True, slots=True)
class Invoked:
    """An invocation that ended. ``error`` is what no verdict covers, such as a KeyboardInterrupt: it must be raised."""

    worker: ShardWorker
    delivery: Delivery
    verdict: Verdict | None
    seconds: float
    error: BaseException | None = None


class InvocationPool:
    """Runs at most ``concurrency`` invocations at a time. Used from one thread; a context manager, good for one use.

    Leaving it waits for those that are in flight.
    """

    def __init__(self, invoke: Callable[[Delivery], Verdict], concurrency: int, clock: Clock) -> None:
        self._invoke = invoke
        self._concurrency = concurrency
        self._clock = clock
        self._done: queue.SimpleQueue[Invoked] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(concurrency, "kstream-invoke") if concurrency > 1 else None
        self.in_flight = 0

    @property
    def has_room(self) -> bool:
        return self.in_flight < self._concurrency

    def submit(self, worker: ShardWorker, delivery: Delivery) -> None:
        """Starts an invocation; with a concurrency of 1 it has ended when this returns."""
        self.in_flight += 1
        if self._threads is None:
            self._run(worker, delivery)
        else:
            self._threads.submit(self._run, worker, delivery)

    def next_done(self, timeout: float = 0.0) -> Invoked | None:
        """One that has ended, waiting up to ``timeout`` seconds for it. Raises what a verdict does not cover."""
        try:
            done = self._done.get(block=timeout > 0, timeout=timeout or None)
        except queue.Empty:
            return None
        self.in_flight -= 1
        if done.error is not None:
            raise done.error
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def _run(self, worker: ShardWorker, delivery: Delivery) -> None:
        began = self._clock.monotonic()
        try:
            verdict = self._invoke(delivery)
        except BaseException as error:
            if self._threads is None:
                raise
            # On a pool's thread nobody would hear of it.
            self._done.put(Invoked(worker, delivery, None, self._clock.monotonic() - began, error))
        else:
            self._done.put(Invoked(worker, delivery, verdict, self._clock.monotonic() - began))
