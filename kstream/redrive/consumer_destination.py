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
        self._any_consumer = any_consumer
        self._told = _Told()
        self._sink = _Sink(consumer.dead_letters)
        handler = consumer.build_handler()
        transactional = isinstance(handler, TransactionalHandler)
        ledger = consumer.ledger
        # With save_every, the keys of parked records are marked along the way, in a transactional ledger too.
        keys_hold = transactional and consumer.save_every is None
        self._detour = None if ledger is None else detour_of(ledger, keys_hold=keys_hold)
        self._processor = Processor(
            replace(
                consumer,
                handler=handler,
                ledger=self._detour,
                # Every record is marked once it is done: a redrive that is interrupted may come again any time.
                mode=None if transactional or ledger is None else "full",
                save_every=None,
                dead_letters=self._sink,
                telemetry=self._told,
            ),
            clock=clock,
            uniform=uniform,
            telemetry=self._told,
        )

    @property
    def name(self) -> str:
        return f"consumer {self._consumer.name}"

    def letter(self, letter: DeadLetter, generation: str) -> Work:  # noqa: ARG002 - a replay is of the record
        return Work([Unit("", partial(self._replay, letter))])

    def message(self, message: OnFailureMessage) -> Work:
        found = self._fetch.of(message)
        units = [Unit("", partial(self._deliver, found.batch))] if found.batch.outers else []
        return Work(units, found.gone)

    def close(self) -> None:
        self._processor.close()

    def _replay(self, letter: DeadLetter) -> Result:
        if letter.consumer != self._consumer.name and not self._any_consumer:
            return Refused(
                f"it is of the consumer {letter.consumer!r}, not {self._consumer.name!r}: leave it out with --consumer, "
                "or take it with --any-consumer"
            )
        if letter.error_type == "UndecodableRecord":
            match parse(letter.record.data):
                case Malformed(reason):
                    return Refused(f"a malformed aggregate, which no handler may see: {reason}")
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
        self._told.reasons.clear()
        self._sink.closed = beside
        if self._detour is not None:
            self._detour.beside = beside
        # Not settled by a prefix: what is done of an incomplete batch must be known when it comes again.
        return self._processor.process(batch, prefix_settles=False)


class _Sink:
    """The consumer's dead letters, closed while a letter is replayed: its record must end as failed, not as parked."""

    def __init__(self, sink: DeadLetterSink | None) -> None:
        self._sink = sink
        self.closed = False

    def put(self, letter: DeadLetter) -> None:
        if self._sink is None or self.closed:
            raise DeadLetterError("no new letter is made of it")
        self._sink.put(letter)


class _Told:
    """Telemetry that remembers why records failed."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:  # noqa: ARG002
        if not parked:
            attempts = "" if attempt == 1 else f", after {attempt} attempts"
            self.reasons.append(f"{type(error).__name__}: {error}{attempts}")

    def ledger_failed(self, error: Exception) -> None:
        self.reasons.append(str(error))

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        pass  # record_failed tells why it was to be parked

    def batch_finished(self, outcome: Outcome) -> None:
        pass

    def reason(self, outcome: Outcome) -> str:
        undone = outcome.failed + outcome.unfinished
        first = (
            self.reasons[0] if self.reasons else "it was not tried: the consumer stopped, as its breaker or order asks"
        )
        return first if outcome.records == 1 else f"{undone} of {outcome.records} records are not done: {first}"
