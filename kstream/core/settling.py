"""What becomes of records whose attempt failed: again, to the dead letters, failed, or left for the next delivery.

Sans I/O: ``Settling.steps`` is a generator that yields what must be done in the world (a pause and another attempt, or
storing a dead letter) and is sent what came of it. Each way of running a batch performs those steps in its own manner,
so that threads and asyncio cannot drift apart.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from kstream.core.errors import LedgerError, Reject, UndecodableRecord
from kstream.core.groups import alone
from kstream.core.idempotency import KeyFailed
from kstream.core.progress import DONE, PARKED, PENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from kstream.core.consumer import Consumer
    from kstream.core.dead_letter import DeadLetter
    from kstream.core.errors import DeadLetterError
    from kstream.core.incidents import Incidents
    from kstream.core.ports import Clock
    from kstream.core.progress import Progress
    from kstream.core.watch import Watch

Failures = dict[int, Exception]
"""The indexes of records whose attempt failed, and with what."""


class Again(NamedTuple):
    """Wait ``pause`` seconds, then try these records again; send back the ``Failures`` of that attempt.

    ``attempt``  its number.
    """

    pause: float
    indexes: Sequence[int]
    attempt: int


class Park(NamedTuple):
    """Store this dead letter; send back the ``DeadLetterError`` that came of it, or None."""

    letter: DeadLetter


class Settling:
    """The policies of one consumer applied to the failures of one batch. Thread-safe: records are settled side by side."""

    def __init__(
        self,
        consumer: Consumer,
        progress: Progress,
        *,
        clock: Clock,
        deadline: float,
        uniform: Callable[[float, float], float],
        incidents: Incidents,
        watch: Watch,
    ) -> None:
        self._consumer = consumer
        self._progress = progress
        self._clock = clock
        self._deadline = deadline
        self._uniform = uniform
        self._incidents = incidents
        self._watch = watch

    def steps(self, failures: Failures) -> Generator[Again | Park, Any, None]:
        """Settles every record in ``failures``, whose first attempt it was. Afterwards none of them is in between."""
        attempt, first_at = 1, self._clock.time()
        retry = self._consumer.retry
        while True:
            failures = {index: alone(error) for index, error in failures.items()}
            if self._dependency_fails(failures.values()):
                # Not the record's fault: it waits for the next delivery, with everything else.
                self._progress.stop(out_of_time=self._clock.monotonic() >= self._deadline)
                return
            again: Failures = {}
            given_up = 0
            for index, error in failures.items():
                if not isinstance(error, Reject | KeyFailed) and retry.allows(error, attempt):
                    again[index] = error
                elif given_up and self._clock.monotonic() >= self._deadline:
                    # One letter fits the margin, and lets a slow poison record end at last. A batch of them does not.
                    self._leave_for_time(index)
                else:
                    given_up += 1
                    yield from self._give_up(index, error, attempt, first_at)
            if not again:
                return
            pause = max(retry.pause(error, attempt, self._uniform) for error in again.values())
            if self._clock.monotonic() + pause >= self._deadline:
                for index in again:
                    self._leave_for_time(index)
                return
            attempt += 1
            self._incidents.retries(len(again))
            failures = yield Again(pause, tuple(again), attempt)
            for index in again.keys() - failures.keys():
                # A transaction has settled it already, and may have found it done before.
                if self._progress.states[index] == PENDING:
                    self._settled(index, DONE)

    def _leave_for_time(self, index: int) -> None:
        self._watch.released(index)
        self._progress.leave_for_time(index)

    def _dependency_fails(self, errors: Iterable[Exception]) -> bool:
        # One failed call may stand for many records, all with the same error: that is one failed attempt.
        for error in {id(error): error for error in errors}.values():
            if isinstance(error, LedgerError):
                self._incidents.ledger_failed(error)
                return True
            if self._watch.opens_circuit(error):
                return True
        return False

    def _give_up(self, index: int, error: Exception, attempt: int, first_at: float) -> Generator[Park, Any, None]:
        parked = False
        record = self._progress.batch.records[index]
        poison = isinstance(error, Reject) or self._consumer.retry.exhausted == "dead_letter"
        if poison and self._consumer.dead_letters is not None:
            refused: DeadLetterError | None = yield Park(self._letter(index, error, attempt, first_at))
            parked = refused is None
            if refused is not None:
                self._incidents.dead_letter_failed(record, refused)
        # Only now, with the letter stored, does the record count as settled.
        if parked:
            self._settled(index, PARKED)
        else:
            self._watch.released(index)
            self._progress.fail(index)
        self._incidents.record_failed(record, error, attempt=attempt, parked=parked)

    def _letter(self, index: int, error: Exception, attempt: int, first_at: float) -> DeadLetter:
        from kstream.core.dead_letter import DeadLetter  # costs more to import than most consumers will ever need

        record = self._progress.batch.records[index]
        try:
            record.data  # noqa: B018 - asks whether the delivery can be decoded at all
        except UndecodableRecord:
            record = record.as_arrived()
        return DeadLetter(
            consumer=self._consumer.name,
            record=record,
            reason=_reason(error),
            error_type=type(error).__name__,
            attempts=attempt,
            first_attempt_at=datetime.fromtimestamp(first_at, UTC),
            last_attempt_at=datetime.fromtimestamp(self._clock.time(), UTC),
        )

    def _settled(self, index: int, state: int) -> None:
        if self._watch.tells:
            self._watch.settled(index, processed=state == DONE)
        self._progress.states[index] = state


def _reason(error: Exception) -> str:
    """What the error says, as text whatever it is: a subclass of Reject may not have called its base's __init__."""
    try:
        reason = getattr(error, "reason", error) if isinstance(error, Reject) else error
        return str(reason) or type(error).__name__
    except Exception:  # noqa: BLE001 - an exception class of the user's, whose __str__ is broken
        return type(error).__name__
