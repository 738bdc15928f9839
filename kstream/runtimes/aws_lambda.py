"""The Lambda runtime: a consumer as the function's handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kstream.clock import SystemClock
from kstream.core.consumer import Consumer
from kstream.core.errors import BatchUnfinished, ConfigurationError
from kstream.core.processor import FOREVER, Processor
from kstream.runtimes.defaults import with_defaults
from kstream.runtimes.lambda_event import batch_of
from kstream.runtimes.overdue import Overdue
from kstream.runtimes.watching import default_telemetry, wants_json_lines
from kstream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.outcome import Outcome
    from kstream.core.ports import Clock

Answer = Literal["partial", "raise"]


class LambdaHandler:
    """What ``on_lambda`` returns: call it with Lambda's event and context.

    Not thread-safe, as a Lambda environment is not: one event at a time. ``outcome`` is what the last one came to.
    """

    def __init__(
        self,
        consumer: Consumer,
        answer: Answer,
        settings: Settings,
        clock: Clock,
        uniform: Callable[[float, float], float] | None = None,
        overdue: bool = False,
    ) -> None:
        self.consumer = with_defaults(consumer, settings)
        self.outcome: Outcome | None = None
        self._answer = answer
        self._settings = settings
        self._clock = clock
        self._uniform = uniform
        self._processor: Processor | None = None
        self._overdue = Overdue(self._deadline_passed) if overdue else None
        if settings.in_lambda:
            # The init phase runs at full speed and outside the first invocation's time: build everything there.
            self.build()

    def __call__(self, event: Any, context: Any = None) -> dict[str, list[dict[str, str]]]:
        batch = batch_of(event)
        processor = self.build()
        partial = self._answer == "partial"
        request_id = getattr(context, "aws_request_id", "")
        left, margin = self._time_left(context)
        deadline = self._clock.monotonic() + left - margin
        if self._overdue is not None and left < FOREVER:
            # Late enough that whoever heeds the deadline has ended, early enough that what is said gets out.
            self._overdue.set(left - margin / 2)
        try:
            outcome = processor.process(batch, deadline=deadline, prefix_settles=partial, request_id=request_id)
        finally:
            if self._overdue is not None:
                self._overdue.clear()
        self.outcome = outcome
        if outcome.checkpoint is None:
            return {"batchItemFailures": []}
        if partial:
            return {"batchItemFailures": [{"itemIdentifier": name} for name in outcome.undone or (outcome.checkpoint,)]}
        raise BatchUnfinished(
            f"{self.consumer.name}: {outcome.failed + outcome.unfinished} of {outcome.records} records are not done, the "
            f"first at {outcome.checkpoint}; the whole batch must come back"
        )

    def build(self) -> Processor:
        """Builds the consumer now, if it is not built. Raises ``ConfigurationError`` for one that cannot work."""
        if self._processor is None:
            self._processor = self._build()
        return self._processor

    def close(self) -> None:
        """Ends the consumer's handler and workers. A later call builds them anew."""
        if self._processor is not None:
            self._processor.close()
            self._processor = None

    def _build(self) -> Processor:
        from random import uniform

        return Processor(
            self.consumer,
            clock=self._clock,
            uniform=self._uniform or uniform,
            # Made only for a consumer that takes them: a tracer that nobody asks would be set up for nothing.
            telemetry=default_telemetry(self._settings) if self.consumer.telemetry is None else (),
        )

    def _deadline_passed(self) -> None:
        if self._processor is not None:
            self._processor.deadline_passed()

    def _time_left(self, context: Any) -> tuple[float, float]:
        """Seconds until Lambda ends the process, and how many of them are kept to answer in time."""
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is None:
            return FOREVER, 0.0
        left: float = remaining() / 1000
        return left, min(self.consumer.deadline_margin, left / 5)


def on_lambda(consumer: Consumer, *, answer: Answer = "partial", clock: Clock | None = None) -> LambdaHandler:
    """Makes a consumer the handler of a Lambda function with an event source mapping: of a Kinesis stream, of a DynamoDB
    table's stream, or of an SQS queue.

    ``answer="partial"`` answers ``{"batchItemFailures": [...]}`` with the first sequence number that is not fully done, or
    of a queue with every message that is not; the mapping must have ReportBatchItemFailures, or it would take every answer
    for success. ``answer="raise"`` is for a mapping without it: any unfinished record raises ``BatchUnfinished``, the whole
    batch comes back, and the ledger skips what is done.

    A queue keeps its own order, whatever ``ordering`` says: a FIFO queue that of each message group, any other none.

    The consumer is built at once inside Lambda, and at the first event elsewhere. An event of none of the three, or with
    an entry that is not what its source delivers, raises ``EventError``. ``clock`` is for tests.

    Inside Lambda, log lines become JSON with what is in hand, unless ``KSTREAM_LOGS`` is ``text``: the root logger's
    handlers get a ``JsonFormatter``, but for those with a formatter of the user's own class; and a thread tells
    ``telemetry`` of a batch that outlives its deadline.
    """
    if not isinstance(consumer, Consumer):
        raise ConfigurationError(f"on_lambda({consumer!r}): give a consumer, as in on_lambda(Consumer(YourHandler))")
    if answer not in ("partial", "raise"):
        raise ConfigurationError(f"on_lambda(answer={answer!r}): 'partial' or 'raise'")
    settings = Settings.from_environment()
    if settings.in_lambda and wants_json_lines(settings):
        from kstream.runtimes.lambda_logs import write_json_lines

        write_json_lines(settings)
    return LambdaHandler(
        consumer, answer, settings, clock or SystemClock(), overdue=settings.in_lambda and clock is None
    )
