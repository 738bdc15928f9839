"""Running a batch with ``async def process``: one event loop, up to ``max_workers`` keys side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from kstream.core.errors import DeadLetterError
from kstream.core.progress import DONE, PENDING
from kstream.core.run import check_ran
from kstream.core.settling import Again, Park

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from kstream.core.run import Run
    from kstream.core.settling import Failures

CANCEL_GRACE = 0.1
"""Seconds that cancelled tasks have to let go. They run into the deadline's margin."""


class AsyncRunner:
    """Keeps one event loop between batches, so that a handler's clients live as long as the handler."""

    def __init__(self, *, batch_handler: bool = False) -> None:
        self._work = _run_batch if batch_handler else _run_lanes
        self._loop = asyncio.Runner()

    def run(self, run: Run) -> None:
        self._loop.run(_until_deadline(run, self._work))

    def close(self) -> None:
        self._loop.close()


async def _until_deadline(run: Run, work: Callable[[Run], Sequence[Awaitable[None]]]) -> None:
    tasks = [asyncio.ensure_future(worker) for worker in work(run)]
    if not tasks:
        return
    left = run.deadline - run.clock.monotonic()
    finished, late = await asyncio.wait(tasks, timeout=None if left == float("inf") else max(0.0, left))
    if late:
        # What still runs is not reported as done, even if it ends while it is cancelled.
        run.progress.stop(out_of_time=True)
        run.progress.freeze()
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=CANCEL_GRACE)
    for task in finished:
        task.result()


def _run_lanes(run: Run) -> Sequence[Awaitable[None]]:
    if run.max_workers == 1:
        return [_run_lane(run, range(len(run.progress.states)))]
    lanes = deque(run.progress.lanes())
    return [_work_off(run, lanes) for _ in range(min(run.max_workers, len(lanes)))]


def _run_batch(run: Run) -> Sequence[Awaitable[None]]:
    return [_batch(run)]


async def _batch(run: Run) -> None:
    progress = run.progress
    pending = [index for index, state in enumerate(progress.states) if state == PENDING]
    if not pending or run.out_of_time() or not run.watch.admits(pending[0]):
        return
    states = progress.states
    failures = {index: run.refused[index] for index in pending if index in run.refused}
    if sound := [index for index in pending if index not in failures]:
        failures |= await _attempt_batch(run, sound)
    for index in pending:
        if index not in failures:
            states[index] = DONE
            if run.watch.tells:
                await asyncio.to_thread(run.watch.settled, index)
    if failures:
        await _settle(run, failures, _attempt_batch)


async def _work_off(run: Run, lanes: deque[Iterable[int]]) -> None:
    while lanes and not run.progress.stopped:
        await _run_lane(run, lanes.popleft())


async def _run_lane(run: Run, indexes: Iterable[int]) -> None:
    progress, process, refused = run.progress, run.process, run.refused
    states, blocked = progress.states, progress.blocked
    monotonic, deadline, watch = run.clock.monotonic, run.deadline, run.watch
    asks, tells, writes = watch.asks, watch.tells, watch.writes
    for index, record in progress.batch.walk(indexes):
        if progress.stopped or (monotonic() >= deadline and run.out_of_time()):
            return
        if states[index]:
            continue
        if blocked and record.outer_key in blocked:
            continue
        if asks and not watch.admits(index):
            continue
        try:
            if refused and index in refused:
                raise refused[index]
            result = await process(record)
            if result is not None:
                check_ran(result)
        except asyncio.CancelledError as error:
            _pass_on_if_ours(error)
            await _settle(run, {index: _as_failure(error)}, _attempt_record)
            continue
        except Exception as error:  # noqa: BLE001 - user code; settled below, never taken for success
            _pass_on_if_ours(error)
            await _settle(run, {index: error}, _attempt_record)
            continue
        states[index] = DONE
        if writes:
            await asyncio.to_thread(watch.settled, index)
        elif tells:
            watch.settled(index)


async def _attempt_record(run: Run, indexes: Sequence[int]) -> Failures:
    [index] = indexes
    try:
        check_ran(await run.process(run.progress.batch.records[index]))
    except asyncio.CancelledError as error:
        _pass_on_if_ours(error)
        return {index: _as_failure(error)}
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        _pass_on_if_ours(error)
        return {index: error}
    return {}


async def _attempt_batch(run: Run, indexes: Sequence[int]) -> Failures:
    records = run.progress.batch.records
    try:
        failed = await run.process([records[index] for index in indexes])
        check_ran(failed, generators=True)
        return run.failed_of(indexes, failed)
    except asyncio.CancelledError as error:
        _pass_on_if_ours(error)
        return run.all_failed(indexes, _as_failure(error))
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        _pass_on_if_ours(error)
        return run.all_failed(indexes, error)


async def _settle(run: Run, failures: Failures, attempt: Callable[[Run, Sequence[int]], Awaitable[Failures]]) -> None:
    """Performs the steps that settle these failures, letting other keys go on meanwhile."""
    steps = run.settling.steps(failures)
    answer: Failures | DeadLetterError | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        match step:
            case Again(pause, indexes):
                await run.clock.sleep_async(pause)
                answer = await attempt(run, indexes)
            case Park(letter):
                assert run.dead_letters is not None
                try:
                    await asyncio.to_thread(run.dead_letters.put, letter)
                    answer = None
                except DeadLetterError as error:
                    answer = error


def _pass_on_if_ours(error: BaseException) -> None:
    """Tells what the deadline's cancellation led to, which ends the task, from what the record itself led to.

    A handler may let another task's cancellation escape: a failure. Or make an error of its own out of the deadline's: no
    failure, for nothing is known of the record but that its time was up.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


def _as_failure(error: asyncio.CancelledError) -> Exception:
    failure = RuntimeError("something that the handler awaited was cancelled")
    failure.__cause__ = error
    return failure
