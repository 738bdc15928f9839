"""Running a batch with ``def process`` key by key on several threads."""

from __future__ import annotations

from collections import deque
from logging import ERROR
from typing import TYPE_CHECKING, cast

from kstream.core.late import Late, warn_of
from kstream.core.logger import log
from kstream.core.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from concurrent.futures import Future

    from kstream.core.inline import Lane
    from kstream.core.run import Run
    from kstream.core.workers import Workers


LATE_GRACE = 1.0
"""Seconds that a batch gives to lanes which an earlier delivery still holds, once its others are done. Answered at once it
would come back at once, until the mapping gives it up; and in Lambda a late thread gets on only while an invocation runs."""


class ThreadRunner:
    """Lanes side by side on a bounded number of threads, each lane strictly in order.

    A thread cannot be ended. One that outlives the deadline holds back its lane in later batches, and another takes its
    place: there are never more than twice ``max_workers``.
    """

    def __init__(self, lane: Lane, max_workers: int) -> None:
        self._lane = lane
        self._max_workers = max_workers
        self._workers: Workers | None = None
        self._late = Late()

    def run(self, run: Run) -> None:
        lanes, held = self._late.part(run.progress)
        warn_of(held)
        if lanes and run.watch.circuit_open:
            # One record finds out whether the dependency is back. Beside it the others would only be turned away.
            lanes[0], trial = lanes[0][1:], lanes[0][:1]
            self._side_by_side(run, [trial])
        self._side_by_side(run, lanes)
        if held and not run.progress.stopped:
            self._wait_for_late(run)
            self._side_by_side(run, self._late.part(run.progress)[0])

    def close(self) -> None:
        if self._workers is not None:
            self._workers.retire()
            self._workers = None

    def _wait_for_late(self, run: Run) -> None:
        from concurrent.futures import wait

        patience = Patience(lambda: run.deadline - run.clock.monotonic())
        wait(cast("Collection[Future[None]]", self._late.workers()), timeout=patience.seconds(LATE_GRACE))

    def _side_by_side(self, run: Run, lanes: Sequence[Sequence[int]]) -> None:
        from concurrent.futures import wait

        from kstream.core.workers import Workers

        count = min(self._max_workers, len(lanes), 2 * self._max_workers - len(self._late.workers()))
        if not lanes or run.progress.stopped:
            return
        if count <= 0:
            log(ERROR, "no thread is free: %d outlived their deadline and have not ended", len(self._late.workers()))
            return
        if self._workers is None:
            self._workers = Workers()
        waiting = deque(lanes)
        hands = [_Hand(self._lane, run, waiting) for _ in range(count)]
        jobs = self._workers.start([hand.work for hand in hands])
        left = run.deadline - run.clock.monotonic()
        try:
            wait(jobs, timeout=None if left == float("inf") else max(0.0, left))
            if not all(job.done() for job in jobs):
                # What still runs is not reported as done.
                run.progress.stop(out_of_time=True)
        except BaseException:
            run.progress.stop()
            raise
        finally:
            late = [(job, hand.index) for job, hand in zip(jobs, hands, strict=True) if not job.done()]
            for job, index in late:
                if index is not None:
                    self._late.keep(job, run.progress.lane_name(index))
            if late:
                self.close()  # the next batch needs threads that are not stuck
        for job in jobs:
            if job.done():
                job.result()


class _Hand:
    """One thread's share of a batch. ``index``: the first record of the lane it is in, None before it has begun."""

    def __init__(self, lane: Lane, run: Run, waiting: deque[Sequence[int]]) -> None:
        self._lane = lane
        self._run = run
        self._waiting = waiting
        self.index: int | None = None

    def work(self) -> None:
        try:
            while not self._run.progress.stopped:
                try:
                    indexes = self._waiting.popleft()
                except IndexError:
                    return
                if indexes:
                    # Told before anything is started: whoever stops the batch and then looks sees every lane in work.
                    self.index = indexes[0]
                    try:
                        self._lane(self._run, indexes)
                    finally:
                        self._run.watch.left(indexes)
        except BaseException:
            self._run.progress.stop()
            raise
