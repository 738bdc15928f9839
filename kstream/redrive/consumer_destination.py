"""Replaying through a consumer: its own handler, retries, order and ledger, run here by the real processor."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kstream.core.aggregation import Malformed, parse
from kstream.core.batch import Batch
from kstream.core.errors import DeadLetterError
from kstream.core.handler import TransactionalHandler
from kstream.core.processor import Processor
from kstream.core.telemetry import Telemetry
from kstream.redrive.destination import Refused, Sent, Unit, Work
from kstream.redrive.detour import detour_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.consumer import Consumer
    from kstream.core.dead_letter import DeadLetter
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Clock, DeadLetterSink
    from kstream.core.record import Record
    from kstream.redrive.destination import Result
    from kstream.redrive.detour import Detour
    from kstream.redrive.named_records import NamedRecords
    from kstream.redrive.on_failure import OnFailureMessage


class ConsumerDestination:
    """A ``Destination``.

    A *dead letter*'s record is replayed alone. The ledger's mark that it is settled is passed by; see ``Detour``. If it
    fails again, nothing is marked and no new letter is made: the letter that is there stays as it is.

    The records of an *on-failure message* are replayed as the batch that they were, with the ledger as it is: what it
    knows as done is skipped, and poison goes to the consumer's own dead letters, which settles it.

    ``any_consumer``  take letters of other consumers as well.
    """

    doubtful = False

    def __init__(
        self,
        consumer: Consumer,
        fetch: NamedRecords,
        *,
        clock: Clock,
        uniform: Callable[[float, float], float],
        any_consumer: bool = False,
    ) -> None:
        self._consumer = consumer
        self._fetch = fetch
        self._clock = clock
        self._uniform = uniform
        self._any_consumer = any_consumer
        self._told = _Told()
        self._sink = _Sink(consumer.dead_letters)
        self._detour: Detour | None = None
        self._processor: Processor | None = None

    @property
    def name(self) -> str:
        return f"consumer {self._consumer.name}"

    def objection(self, letter: DeadLetter) -> str | None:
        if letter.consumer != self._consumer.name and not self._any_consumer:
            return (
                f"it is of the consumer {letter.consumer!r}, not {self._consumer.name!r}: leave it out with --consumer, "
                "or take it with --any-consumer"
            )
        if letter.error_type == "UndecodableRecord":
            match parse(letter.record.data):
                case Malformed(reason):
                    return f"a malformed aggregate, which no handler may see: {reason}"
        return None

    def letter(self, letter: DeadLetter) -> Work:
        self._ready()
        return Work([Unit("", partial(self._replay, letter))])

    def message(self, message: OnFailureMessage) -> Work:
        self._ready()
        found = self._fetch.of(message)
        units = [Unit("", partial(self._deliver, found.batch))] if found.batch.outers else []
        return Work(units, found.gone)

    def close(self) -> None:
        if self._processor is not None:
            self._processor.close()

    def _ready(self) -> Processor:
        """The processor. Made when it is needed: a dry run opens no handler."""
        if self._processor is not None:
            return self._processor
        consumer = self._consumer
        handler, ledger = consumer.build_handler(), consumer.ledger
        transactional = isinstance(handler, TransactionalHandler)
        if ledger is not None:
            self._detour = detour_of(ledger, keys_hold=transactional)
        replayed = replace(
            consumer,
            handler=handler,
            ledger=self._detour,
            # Every record is marked once it is done: a redrive that is interrupted may come again any time.
            mode=None if transactional or ledger is None else "full",
            save_every=None,
            dead_letters=self._sink,
            telemetry=(self._told,),
        )
        self._processor = Processor(replayed, clock=self._clock, uniform=self._uniform)
        return self._processor

    def _replay(self, letter: DeadLetter) -> Result:
        outcome = self._process(Batch.plain([letter.record]), beside=True)
        if outcome.done:
            return Sent("done")
        return Sent("done before") if outcome.skipped else Refused(self._told.reason(outcome))

    def _deliver(self, batch: Batch) -> Result:
        outcome = self._process(batch, beside=False)
        if not outcome.complete:
            return Refused(self._told.reason(outcome))
        counts = {"done": outcome.done, "done before": outcome.skipped, "dead-lettered": outcome.dead_lettered}
        return Sent(", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing to do")

    def _process(self, batch: Batch, *, beside: bool) -> Outcome:
        processor = self._ready()
        self._told.reasons.clear()
        self._sink.closed = beside
        if self._detour is not None:
            self._detour.beside = beside
        # Not settled by a prefix: what is done of an incomplete batch must be known when it comes again.
        return processor.process(batch, prefix_settles=False)


class _Sink:
    """The consumer's dead letters, closed while a letter is replayed: its record must end as failed, not as parked."""

    def __init__(self, sink: DeadLetterSink | None) -> None:
        self._sink = sink
        self.closed = False

    def put(self, letter: DeadLetter) -> None:
        if self._sink is None or self.closed:
            raise DeadLetterError("no new letter is made of it")
        self._sink.put(letter)


class _Told(Telemetry):
    """Telemetry that remembers why records failed."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:  # noqa: ARG002
        if not parked:
            attempts = "" if attempt == 1 else f", after {attempt} attempts"
            self.reasons.append(f"{type(error).__name__}: {error}{attempts}")

    def ledger_failed(self, error: Exception) -> None:
        self.reasons.append(str(error))

    def reason(self, outcome: Outcome) -> str:
        undone = outcome.failed + outcome.unfinished
        first = (
            self.reasons[0] if self.reasons else "it was not tried: the consumer stopped, as its breaker or order asks"
        )
        return first if outcome.records == 1 else f"{undone} of {outcome.records} records are not done: {first}"
