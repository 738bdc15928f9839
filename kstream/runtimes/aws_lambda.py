"""The Lambda runtime: a consumer as the function's handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kstream.clock import SystemClock
from kstream.core.consumer import Consumer
from kstream.core.errors import BatchUnfinished, ConfigurationError
from kstream.core.processor import FOREVER, Processor
from kstream.runtimes.defaults import with_defaults
from kstream.runtimes.lambda_event import batch_of
from kstream.runtimes.watching import default_telemetry
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
    ) -> None:
        self.consumer = with_defaults(consumer, settings)
        self.outcome: Outcome | None = None
        self._answer = answer
        self._settings = settings
        self._clock = clock
        self._uniform = uniform
        self._processor: Processor | None = None
        if settings.in_lambda:
            # The init phase runs at full speed and outside the first invocation's time: build everything there.
            self.build()

    def __call__(self, event: Any, context: Any = None) -> dict[str, list[dict[str, str]]]:
        batch = batch_of(event)
        processor = self.build()
        partial = self._answer == "partial"
        request_id = getattr(context, "aws_request_id", "")
        outcome = processor.process(
            batch, deadline=self._deadline(context), prefix_settles=partial, request_id=request_id
        )
        self.outcome = outcome
        if outcome.checkpoint is None:
            return {"batchItemFailures": []}
        if partial:
            return {"batchItemFailures": [{"itemIdentifier": outcome.checkpoint}]}
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
            telemetry=default_telemetry(self._settings),
        )

    def _deadline(self, context: Any) -> float:
        """When to stop, early enough to answer before Lambda ends the process."""
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is None:
            return FOREVER
        left: float = remaining() / 1000
        return self._clock.monotonic() + left - min(self.consumer.deadline_margin, left / 5)


def on_lambda(consumer: Consumer, *, answer: Answer = "partial", clock: Clock | None = None) -> LambdaHandler:
    """Makes a consumer the handler of a Lambda function with a Kinesis event source mapping.

    ``answer="partial"`` answers ``{"batchItemFailures": [...]}`` with the first sequence number that is not fully done;
    the mapping must have ReportBatchItemFailures, or it would take every answer for success. ``answer="raise"`` is for a
    mapping without it: any unfinished record raises ``BatchUnfinished``, the whole batch comes back, and the ledger
    skips what is done.

    The consumer is built at once inside Lambda, and at the first event elsewhere. An event that is not a Kinesis event
    raises ``EventError``. ``clock`` is for tests.
    """
    if not isinstance(consumer, Consumer):
        raise ConfigurationError(f"on_lambda({consumer!r}): give a consumer, as in on_lambda(Consumer(YourHandler))")
    if answer not in ("partial", "raise"):
        raise ConfigurationError(f"on_lambda(answer={answer!r}): 'partial' or 'raise'")
    return LambdaHandler(consumer, answer, Settings.from_environment(), clock or SystemClock())
