"""The processor: a consumer at work. Answers, for batch after batch, which is the first record that is not done."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Protocol

from kstream.core.breaker import Circuit
from kstream.core.errors import ConfigurationError
from kstream.core.handler import BatchHandler
from kstream.core.inline import BatchRunner, InlineRunner, ThreadRunner
from kstream.core.journal import Journal
from kstream.core.ports import Scope
from kstream.core.progress import Progress
from kstream.core.run import Run
from kstream.core.settling import Settling

if TYPE_CHECKING:
    from kstream.core.outcome import Outcome
    from collections.abc import Callable

    from kstream.core.batch import Batch
    from kstream.core.consumer import Consumer
    from kstream.core.ports import Clock, Telemetry
    from kstream.core.record import Record

FOREVER = float("inf")

_log = logging.getLogger("kstream")


class Runner(Protocol):
    """A way of running a batch: when ``run`` returns, its progress is final but for what outlived the deadline."""

    def run(self, run: Run) -> None: ...
    def close(self) -> None: ...


class Processor:
    """Runs batches through a consumer's handler. Not thread-safe: one batch at a time, as a Lambda environment does.

    ``clock``      time, monotonic time and sleep.
    ``uniform``    ``uniform(low, high)``, the source of jitter.
    ``telemetry``  watches; the consumer's own, where it has one, takes its place.
    """

    def __init__(
        self, consumer: Consumer, *, clock: Clock, uniform: Callable[[float, float], float], telemetry: Telemetry
    ) -> None:
        self.consumer = consumer
        self._clock = clock
        self._uniform = uniform
        self._telemetry = Shielded(consumer.telemetry or telemetry)
        self._circuit = Circuit(consumer.breaker) if consumer.breaker else None
        self._handler = consumer.build_handler()
        self._runner = _runner(consumer, self._handler)
        self._handler.open()

    def process(self, batch: Batch, *, deadline: float = FOREVER, prefix_settles: bool = True) -> Outcome:
        """Processes what of the batch the ledger does not know as done, and says what it came to.

        ``deadline``        in the clock's monotonic seconds: no record is started from then on.
        ``prefix_settles``  whether the runtime will not deliver again what lies before the answer's checkpoint. Where it
                            delivers the whole batch again, the ledger must hold that prefix too.

        Raises nothing for what a handler raises. What else it raises means that nothing is known: deliver all again.
        """
        consumer, progress = self.consumer, Progress(batch, self.consumer.ordering)
        journal = self._journal(batch)
        if journal is not None and (done := journal.load(batch)):
            progress.skip(done)
        run = Run(
            process=self._handler.process,
            progress=progress,
            malformed=batch.malformed(),
            settling=Settling(
                consumer,
                progress,
                clock=self._clock,
                deadline=deadline,
                uniform=self._uniform,
                telemetry=self._telemetry,
                circuit=self._circuit,
                journal=journal,
            ),
            clock=self._clock,
            deadline=deadline,
            circuit=self._circuit,
            journal=journal,
            dead_letters=consumer.dead_letters,
            max_workers=consumer.max_workers,
        )
        if batch.records:
            self._runner.run(run)
        progress.freeze()
        outcome = progress.outcome()
        if journal is not None and outcome.checkpoint is not None:
            journal.save(progress.done_from(int(outcome.checkpoint) if prefix_settles else None))
        self._telemetry.batch_finished(outcome)
        return outcome

    def close(self) -> None:
        """Ends the handler and its workers."""
        self._runner.close()
        self._handler.close()

    def _journal(self, batch: Batch) -> Journal | None:
        consumer = self.consumer
        if consumer.ledger is None or not batch.outers:
            return None
        first = batch.outers[0]
        return Journal(
            consumer.ledger,
            Scope(consumer.name, first.stream_arn, first.shard_id),
            self._telemetry,
            save_every=1 if consumer.mode == "full" else consumer.save_every,
        )


def _runner(consumer: Consumer, handler: object) -> Runner:
    batch_handler = isinstance(handler, BatchHandler)
    if batch_handler and consumer.max_workers > 1:
        raise ConfigurationError(
            f"{consumer.name}: max_workers={consumer.max_workers} runs keys side by side, and a BatchHandler takes the "
            "whole batch in one call: leave it out, or write a Handler"
        )
    if inspect.iscoroutinefunction(getattr(handler, "process", None)):
        from kstream.core.asynchronous import AsyncRunner

        return AsyncRunner(batch_handler=batch_handler)
    if batch_handler:
        return BatchRunner()
    return ThreadRunner(consumer.max_workers) if consumer.max_workers > 1 else InlineRunner()


class Shielded:
    """A telemetry that never changes what is processed: what it raises is logged, and goes no further."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        try:
            self._telemetry.record_failed(record, error, attempt=attempt, parked=parked)
        except Exception:
            _log.exception("telemetry failed at a failed record")

    def ledger_failed(self, error: Exception) -> None:
        try:
            self._telemetry.ledger_failed(error)
        except Exception:
            _log.exception("telemetry failed at a ledger failure")

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        try:
            self._telemetry.dead_letter_failed(record, error)
        except Exception:
            _log.exception("telemetry failed at a dead-letter failure")

    def batch_finished(self, outcome: Outcome) -> None:
        try:
            self._telemetry.batch_finished(outcome)
        except Exception:
            _log.exception("telemetry failed at the end of a batch")
