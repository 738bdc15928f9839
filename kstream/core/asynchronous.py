"""Running a batch with ``async def process``: one event loop, up to ``max_workers`` keys side by side."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from contextlib import suppress
from functools import partial
from logging import WARNING
from typing import TYPE_CHECKING, TypeVar, cast

from kstream.core.context import current_attempt, take_up
from kstream.core.errors import DeadLetterError
from kstream.core.late import Late, warn_of
from kstream.core.logger import log
from kstream.core.progress import DONE, PENDING
from kstream.core.run import check_ran
from kstream.core.settling import Again, Park
from kstream.core.workers import NoThreadFree, Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping, Sequence
    from typing import Any

    from kstream.core.run import Run
    from kstream.core.settling import Failures
    from kstream.core.watch import Watch

T = TypeVar("T")

CANCEL_GRACE = 0.1
"""Seconds that cancelled tasks have to let go. They run into the deadline's margin."""


class AsyncRunner:
    """Keeps one event loop between batches, so that a handler's clients live as long as the handler.

    A handler can put off its cancellation. Then its task goes on in the next batch's time, and holds back its lane.

    Ledger and dead letters are called on threads beside the loop. A call that hangs is given up at the deadline, and keeps
    its thread; there are never more than twice ``max_workers``. Once all of those hang, further calls are refused.
    """

    def __init__(
        self,
        max_workers: int,
        *,
        batch_handler: bool = False,
        new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self._batch_handler = batch_handler
        self._workers = Workers(2 * max_workers)
        self._loop = asyncio.Runner(loop_factory=new_loop)
        self._late = Late()

    def run(self, run: Run) -> None:
        if in_event_loop():
            raise RuntimeError(
                "async def process needs an event loop of its own, which cannot run inside another: call this from a plain "
                "def, or by await asyncio.to_thread(...)"
            )
        # In the caller's context, not in that of the first batch, which the loop would keep.
        self._loop.run(self._run(run), context=contextvars.copy_context())

    def close(self) -> None:
        if self._late.workers():
            self._loop.run(self._let_go(CANCEL_GRACE))
        if self._late.workers():
            self._loop.get_loop().close()  # an orderly end would wait for them for ever
        else:
            self._loop.close()
        self._workers.retire()  # last: what was let go may have had something to write

    async def _run(self, run: Run) -> None:
        if self._late.workers():
            await self._let_go(min(CANCEL_GRACE, max(0.0, run.deadline - run.clock.monotonic())))
        if self._batch_handler or run.max_workers == 1:
            await self._one_by_one(run)
        else:
            await self._side_by_side(run)

    async def _one_by_one(self, run: Run) -> None:
        if self._late.workers():
            log(WARNING, "the batch waits: an earlier one is still under way")
            return
        beside = self._workers
        everything = range(len(run.progress.states))
        work = partial(_batch, run, beside) if self._batch_handler else partial(_run_lane, run, everything, beside)
        await self._until_deadline(run, {asyncio.ensure_future(_to_its_end(run, work)): _Hand()})

    async def _side_by_side(self, run: Run) -> None:
        lanes, held = self._late.part(run.progress)
        warn_of(held)
        if lanes and run.watch.circuit_open:
            # One record finds out whether the dependency is back. Beside it the others would only be turned away.
            lanes[0], trial = lanes[0][1:], lanes[0][:1]
            await self._work_off(run, [trial])
        await self._work_off(run, lanes)

    async def _work_off(self, run: Run, lanes: Sequence[Sequence[int]]) -> None:
        waiting = deque(lanes)
        tasks: dict[asyncio.Task[BaseException | None], _Hand] = {}
        for _ in range(min(run.max_workers, len(lanes))):
            hand = _Hand()
            tasks[asyncio.ensure_future(_to_its_end(run, partial(hand.work, run, waiting, self._workers)))] = hand
        await self._until_deadline(run, tasks)

    async def _until_deadline(self, run: Run, tasks: Mapping[asyncio.Task[BaseException | None], _Hand]) -> None:
        if not tasks:
            return
        left = run.deadline - run.clock.monotonic()
        finished: Collection[asyncio.Task[BaseException | None]] = ()
        try:
            finished, late = await asyncio.wait(tasks, timeout=None if left == float("inf") else max(0.0, left))
            if late:
                # What still runs is not reported as done, even if it ends while it is cancelled.
                run.progress.stop(out_of_time=True)
                run.progress.freeze()
                for task in tasks:  # in their order, which a set has not
                    if task in late:
                        task.cancel()
                await asyncio.wait(late, timeout=CANCEL_GRACE)
        finally:
            for task, hand in tasks.items():
                task.add_done_callback(_look_at)
                if not task.done():
                    run.progress.stop()
                    run.progress.freeze()
                    task.cancel()
                    self._late.keep(task, None if hand.index is None else run.progress.lane_name(hand.index))
        for task in tasks:
            if task in finished and (exits := task.result()) is not None:
                raise exits

    async def _let_go(self, seconds: float) -> None:
        await asyncio.wait(cast("Collection[asyncio.Task[None]]", self._late.workers()), timeout=seconds)


def in_event_loop() -> bool:
    """Whether this thread runs one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _to_its_end(run: Run, work: Callable[[], Awaitable[None]]) -> BaseException | None:
    """What it ends the process with, if it does. Raised in a task, that would leave the loop at once, and in the loop what
    waits for the task: it would go on within the next batch."""
    try:
        await work()
    except (SystemExit, KeyboardInterrupt) as error:
        run.progress.stop()
        return error
    return None


def _look_at(task: asyncio.Task[BaseException | None]) -> None:
    """Or asyncio would log its exception, which whoever waits for it has raised already, whenever it is collected."""
    if not task.cancelled():
        task.exception()


class _Hand:
    """One task's share of a batch. ``index``: the first record of the lane it is in."""

    __slots__ = ("index",)

    def __init__(self) -> None:
        self.index: int | None = None

    async def work(self, run: Run, waiting: deque[Sequence[int]], beside: Workers) -> None:
        while waiting and not run.progress.stopped:
            if indexes := waiting.popleft():
                self.index = indexes[0]
                try:
                    await _run_lane(run, indexes, beside)
                finally:
                    run.watch.left(indexes)


async def _batch(run: Run, beside: Workers) -> None:
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
            if run.watch.tells:
                run.watch.settled(index)
            states[index] = DONE
    await _write(run.watch, beside)
    if failures:
        await _settle(run, failures, _attempt_batch, beside)


async def _run_lane(run: Run, indexes: Iterable[int], beside: Workers) -> None:
    progress, process, refused = run.progress, run.process, run.refused
    states, blocked = progress.states, progress.blocked
    monotonic, deadline, watch = run.clock.monotonic, run.deadline, run.watch
    asks, tells, writes, followed = watch.asks, watch.tells, watch.writes, run.followed
    for index, record in progress.batch.walk(indexes):
        if progress.stopped or (monotonic() >= deadline and run.out_of_time()):
            return
        if states[index] or (blocked and record.outer_key in blocked) or (asks and not await _admits(run, index)):
            continue
        if followed:
            take_up(record)
        try:
            if refused and index in refused:
                raise refused[index]
            result = await process(record)
            if result is not None:
                check_ran(result)
        except asyncio.CancelledError as error:
            _pass_on_if_ours(run, error)
            failure = _as_failure(error)
        except Exception as error:  # noqa: BLE001 - user code; settled below, never taken for success
            _pass_on_if_ours(run, error)
            failure = error
        else:
            if tells:
                watch.settled(index)
            states[index] = DONE
            if writes:
                await _write(watch, beside)
            continue
        # As in ``inline.run_lane``: where no error is being handled.
        await _settle(run, {index: failure}, _attempt_record, beside)
        del failure


async def _write(watch: Watch, beside: Workers) -> None:
    """The deadline may cancel this before it has begun. What is noted is then written by the end of the batch."""
    if watch.due:
        try:
            await _call(beside, watch.write)
        except NoThreadFree as error:
            watch.put_off(error)


async def _call(beside: Workers, call: Callable[[], T]) -> T:
    """A call that blocks: it must not hold up the loop. Cancelled, it is given up. Raises ``NoThreadFree``."""
    return await asyncio.get_running_loop().run_in_executor(beside, call)


async def _admits(run: Run, index: int) -> bool:
    """As ``Run.admits``, letting other keys go on meanwhile. The deadline cancels who waits."""
    while (admitted := run.watch.admits(index)) is None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def tell(loop: asyncio.AbstractEventLoop = loop, ended: asyncio.Event = ended) -> None:
            with suppress(RuntimeError):  # the loop is closed, and whoever waited is gone with it
                loop.call_soon_threadsafe(ended.set)

        if (admitted := run.watch.admits(index, tell)) is not None:
            break
        await ended.wait()
        if run.progress.stopped or run.out_of_time():
            return False
    return admitted


async def _attempt_record(run: Run, indexes: Sequence[int]) -> Failures:
    [index] = indexes
    try:
        check_ran(await run.process(run.progress.batch.records[index]))
    except asyncio.CancelledError as error:
        _pass_on_if_ours(run, error)
        return {index: _as_failure(error)}
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        _pass_on_if_ours(run, error)
        return {index: error}
    return {}


async def _attempt_batch(run: Run, indexes: Sequence[int]) -> Failures:
    records = run.progress.batch.records
    try:
        failed = await run.process([records[index] for index in indexes])
        check_ran(failed, generators=True)
        return run.failed_of(indexes, failed)
    except asyncio.CancelledError as error:
        _pass_on_if_ours(run, error)
        return run.all_failed(indexes, _as_failure(error))
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        _pass_on_if_ours(run, error)
        return run.all_failed(indexes, error)


async def _settle(
    run: Run, failures: Failures, attempt: Callable[[Run, Sequence[int]], Awaitable[Failures]], beside: Workers
) -> None:
    """Performs the steps that settle these failures, letting other keys go on meanwhile."""
    steps = run.settling.steps(failures)
    answer: Failures | DeadLetterError | None = None
    while True:
        step = _next_step(steps, answer)
        await _write(run.watch, beside)
        match step:
            case None:
                return
            case Again(pause, indexes, number):
                await run.clock.sleep_async(pause)
                in_hand = current_attempt.set(number)
                answer = await attempt(run, indexes)
                current_attempt.reset(in_hand)
            case Park(letter):
                assert run.dead_letters is not None
                try:
                    await _call(beside, partial(run.dead_letters.put, letter))
                    answer = None
                except DeadLetterError as error:
                    answer = error
                except NoThreadFree as error:
                    answer = DeadLetterError(f"cannot store a dead letter: {error}")


def _next_step(
    steps: Generator[Again | Park, Any, None], answer: Failures | DeadLetterError | None
) -> Again | Park | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def _pass_on_if_ours(run: Run, error: BaseException) -> None:
    """Tells what our own cancellation led to, which ends the task, from what the record itself led to.

    A handler may let another task's cancellation escape: a failure. Or make an error of its own out of ours: no failure,
    for nothing is known of the record but that its time was up. Ours comes with the states frozen. The task's own count
    of cancellations tells nothing: before Python 3.13 a ``TaskGroup`` whose member fails leaves one behind.
    """
    if run.progress.frozen:
        raise asyncio.CancelledError from error
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _as_failure(error: asyncio.CancelledError) -> Exception:
    failure = RuntimeError("something that the handler awaited was cancelled")
    failure.__cause__ = error
    return failure
