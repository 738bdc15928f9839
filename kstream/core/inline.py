"""Running a batch with ``def process`` on the calling thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kstream.core.context import current_attempt, take_place
from kstream.core.errors import DeadLetterError
from kstream.core.patience import LAST_MOMENT
from kstream.core.progress import DONE, PENDING
from kstream.core.run import check_ran
from kstream.core.settling import Again, Park

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.ports import DeadLetterSink
    from kstream.core.run import Run
    from kstream.core.settling import Failures

    Lane = Callable[[Run, Iterable[int]], None]


class InlineRunner:
    """One record after the other, on the calling thread. ``lane`` is how records in order are processed."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def run(self, run: Run) -> None:
        self._lane(run, range(len(run.progress.states)))

    def close(self) -> None:
        pass


class BatchRunner:
    """All pending records in one call of a ``BatchHandler``."""

    def run(self, run: Run) -> None:
        progress = run.progress
        pending = [index for index, state in enumerate(progress.states) if state == PENDING]
        if not pending or run.out_of_time() or not run.watch.admits(pending[0]):
            return
        failures = {index: run.refused[index] for index in pending if index in run.refused}
        if sound := [index for index in pending if index not in failures]:
            failures |= _attempt_batch(run, sound)
        for index in pending:
            if index not in failures:
                if run.watch.tells:
                    run.watch.settled(index)
                progress.states[index] = DONE
        run.watch.write()
        if failures:
            settle(run, failures, _attempt_batch)

    def close(self) -> None:
        pass


def run_lane(run: Run, indexes: Iterable[int]) -> None:
    """Processes these records in order, as far as order, deadline and circuit allow."""
    progress, process, refused = run.progress, run.process, run.refused
    states, blocked = progress.states, progress.blocked
    monotonic, deadline, watch = run.clock.monotonic, run.deadline, run.watch
    asks, tells, writes = watch.asks, watch.tells, watch.writes
    place = take_place() if run.followed else None
    for index, record in progress.batch.walk(indexes):
        if progress.stopped or (monotonic() >= deadline and run.out_of_time()):
            return
        if states[index] or (blocked and record.outer_key in blocked):
            continue
        if asks and not run.admits(index):
            continue
        if place is not None:
            place.record = record
        try:
            if refused and index in refused:
                raise refused[index]
            result = process(record)
            if result is not None:
                check_ran(result)
        except Exception as error:  # noqa: BLE001 - user code; settled below, never taken for success
            failure = error
        else:
            # Told first: whatever the end of the batch finds done, in whichever thread, has its idempotency key noted.
            if tells:
                watch.settled(index)
            states[index] = DONE
            if writes:
                watch.write()
            continue
        # Here, where no error is being handled: what a further attempt raises would have this one as its context.
        settle(run, {index: failure}, _attempt_record)
        del failure  # whose traceback holds this frame


def _attempt_record(run: Run, indexes: Sequence[int]) -> Failures:
    [index] = indexes
    try:
        check_ran(run.process(run.progress.batch.records[index]))
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        return {index: error}
    return {}


def _attempt_batch(run: Run, indexes: Sequence[int]) -> Failures:
    records = run.progress.batch.records
    try:
        failed = run.process([records[index] for index in indexes])
        check_ran(failed, generators=True)
        return run.failed_of(indexes, failed)
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        return run.all_failed(indexes, error)


def settle(run: Run, failures: Failures, attempt: Callable[[Run, Sequence[int]], Failures]) -> None:
    """Performs the steps that settle these failures, blocking where they say to wait."""
    steps = run.settling.steps(failures)
    answer: Failures | DeadLetterError | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        finally:
            run.watch.write()
        match step:
            case Again(pause, indexes, number):
                run.clock.sleep(pause)
                in_hand = current_attempt.set(number)
                answer = attempt(run, indexes)
                current_attempt.reset(in_hand)
            case Park(letter):
                assert run.dead_letters is not None
                answer = _stored(run, run.dead_letters, letter)


def _stored(run: Run, sink: DeadLetterSink, letter: DeadLetter) -> DeadLetterError | None:
    """What came of storing it. Nobody waits for a sink beyond the deadline; a letter that comes late is stored twice."""
    from kstream.core.timely import call_within  # for the few that have something to set aside

    left = max(run.deadline - run.clock.monotonic(), LAST_MOMENT)
    try:
        call_within(left, partial(sink.put, letter))
    except TimeoutError as error:
        return DeadLetterError(f"the sink of dead letters gave {error}")
    except DeadLetterError as error:
        return error
    return None
