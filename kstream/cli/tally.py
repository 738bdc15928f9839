"""What a consumer has done since it started, counted while it runs: by the numbers that its metrics are made of."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from kstream import metrics
from kstream.runtimes.runner_events import BatchFinished, Discarded
from kstream.telemetry.numbers import percentile
from kstream.telemetry.per_batch import PerBatch

if TYPE_CHECKING:
    from kstream.runtimes.runner_events import RunnerEvent
    from kstream.telemetry.per_batch import BatchNumbers

_SUMS = {
    "received": metrics.USER_RECORDS,
    "processed": metrics.SUCCEEDED,
    "skipped": metrics.SKIPPED,
    "retried": metrics.RETRIED,
    "rejected": metrics.REJECTED,
    "dead_lettered": metrics.DEAD_LETTERED,
    "failed": metrics.FAILED,
    "unfinished": metrics.UNFINISHED,
    "ledger_failures": metrics.LEDGER_FAILURES,
    "dead_letter_failures": metrics.DEAD_LETTER_FAILURES,
    "out_of_time": metrics.OUT_OF_TIME,
}


@dataclass(frozen=True, slots=True)
class Counts:
    """User records, but for ``batches``, ``out_of_time`` (batches too), the stores' failures and ``discarded``, which
    counts Kinesis records. What has a metric in ``kstream.metrics`` counts as that does.

    ``received``     delivered; one that is delivered again counts again.
    ``skipped``      delivered again and known as done. ``retried``: further attempts in place.
    ``failed``       tried and not done; ``unfinished``: left behind those, or for want of time. Both come again, or are
                     discarded.

    In seconds, None before the first batch, and of the last one only:

    ``record_age_p99``, ``record_age_max``  from the records' arrival to the batch's start.
    ``checkpoint_lag``                      the age of its first record that is not done; of its last, if all are.
    ``iterator_age``                        the age of its last record, once it was settled.
    """

    batches: int = 0
    received: int = 0
    processed: int = 0
    skipped: int = 0
    retried: int = 0
    rejected: int = 0
    dead_lettered: int = 0
    failed: int = 0
    unfinished: int = 0
    ledger_failures: int = 0
    dead_letter_failures: int = 0
    out_of_time: int = 0
    discarded: int = 0
    record_age_p99: float | None = None
    record_age_max: float | None = None
    checkpoint_lag: float | None = None
    iterator_age: float | None = None

    def to_json(self) -> dict[str, Any]:
        """In camelCase; times end in ``Seconds``."""
        shown = {}
        for field in fields(self):
            value = getattr(self, field.name)
            first, *others = field.name.split("_")
            unit = "Seconds" if field.default is None else ""
            name = first + "".join(word.capitalize() for word in others) + unit
            shown[name] = round(value, 3) if isinstance(value, float) else value
        return shown


class Tally(PerBatch):
    """Thread-safe. A telemetry, and an observer for ``LocalRunner``: ``happened``."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        return self._counts

    def measured(self, batch: BatchNumbers) -> None:
        numbers = batch.numbers
        ages = numbers.get(metrics.RECORD_AGE, ())
        with self._lock:
            now = self._counts
            sums: dict[str, Any] = {
                name: getattr(now, name) + round(numbers[metric][0]) for name, metric in _SUMS.items()
            }
            self._counts = replace(
                now,
                batches=now.batches + 1,
                record_age_p99=_seconds(percentile(ages, 99)),
                record_age_max=_seconds(max(ages, default=None)),
                checkpoint_lag=_seconds(next(iter(numbers.get(metrics.CHECKPOINT_LAG, ())), None)),
                **sums,
            )

    def happened(self, event: RunnerEvent) -> None:
        with self._lock:
            if isinstance(event, BatchFinished):
                self._counts = replace(self._counts, iterator_age=event.iterator_age_ms / 1000)
            elif isinstance(event, Discarded):
                self._counts = replace(self._counts, discarded=self._counts.discarded + event.records)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
