"""What a consumer has done since it started, counted while it runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kstream.runtimes.runner_events import BatchFinished, Discarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.outcome import Outcome
    from kstream.runtimes.aws_lambda import LambdaHandler
    from kstream.runtimes.runner_events import RunnerEvent


@dataclass(frozen=True, slots=True)
class Counts:
    """User records, but for ``batches`` and ``discarded``, which counts Kinesis records.

    ``received``     delivered; one that is delivered again counts again.
    ``skipped``      delivered again and known as done. ``retried``: further attempts in place.
    ``failed``       not done in their delivery, and so to be delivered again or discarded; also those behind them.
    ``iterator_age`` of the last batch's last record, in seconds; None before the first.
    """

    batches: int = 0
    received: int = 0
    processed: int = 0
    skipped: int = 0
    retried: int = 0
    dead_lettered: int = 0
    failed: int = 0
    discarded: int = 0
    iterator_age: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "received": self.received,
            "processed": self.processed,
            "skipped": self.skipped,
            "retried": self.retried,
            "deadLettered": self.dead_lettered,
            "failed": self.failed,
            "discarded": self.discarded,
            "iteratorAgeSeconds": None if self.iterator_age is None else round(self.iterator_age, 3),
        }


class Tally:
    """Thread-safe. ``watched`` counts what the handler does, ``observe`` what the runner does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        return self._counts

    def add(self, outcome: Outcome) -> None:
        with self._lock:
            now = self._counts
            self._counts = replace(
                now,
                batches=now.batches + 1,
                received=now.received + outcome.records,
                processed=now.processed + outcome.done,
                skipped=now.skipped + outcome.skipped,
                retried=now.retried + outcome.retried,
                dead_lettered=now.dead_lettered + outcome.dead_lettered,
                failed=now.failed + outcome.failed + outcome.unfinished,
            )

    def observe(self, event: RunnerEvent) -> None:
        """An observer for ``LocalRunner``."""
        with self._lock:
            if isinstance(event, BatchFinished):
                self._counts = replace(self._counts, iterator_age=event.iterator_age_ms / 1000)
            elif isinstance(event, Discarded):
                self._counts = replace(self._counts, discarded=self._counts.discarded + event.records)

    def watched(self, handler: LambdaHandler) -> Callable[[Any, Any], Any]:
        """The handler itself, with each outcome counted, also of a call that raises."""

        def invoke(event: Any, context: Any) -> Any:
            before = handler.outcome
            try:
                return handler(event, context)
            finally:
                outcome = handler.outcome
                if outcome is not None and outcome is not before:
                    self.add(outcome)

        return invoke
