"""What a batch came to, as numbers: one place that makes them, so that whoever shows them shows the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, isfinite
from typing import TYPE_CHECKING

from kstream import metrics
from kstream.core.record import arrivals
from kstream.metrics import Metric

if TYPE_CHECKING:
    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext

Numbers = Mapping[Metric, Sequence[float]]
"""The values of each metric, in its unit. A count has one; of many values of one kind there are at most ``MOST_VALUES``."""

MOST_VALUES = 100
"""Of one metric in one batch: as many as CloudWatch reads out of one document."""

_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError)
"""What reading an entry raises that is none of Kinesis: not all entries of a batch that is done have been looked at."""

_YEAR_9999 = 253_402_300_799


def measure(context: BatchContext, outcome: Outcome, ended_at: float) -> Numbers:
    """The numbers of one batch; ``ended_at`` in seconds since the epoch, of the clock that made ``started_at``.

    ``RecordAge`` has a value for each Kinesis record; of more than ``MOST_VALUES`` as many order statistics, evenly
    spaced, the least and the greatest among them. A record whose arrival cannot be read has none; nor has then
    ``CheckpointLag``. Raises nothing.
    """
    numbers: dict[Metric, Sequence[float]] = {
        metric: (float(getattr(outcome, metric.field)),) for metric in metrics.COUNTS if metric.field is not None
    }
    numbers[metrics.BATCH_DURATION] = (_milliseconds(context.started_at, ended_at),)
    outers = context.batch.outers
    if arrived := thin(_arrivals(outers)):
        numbers[metrics.RECORD_AGE] = [_milliseconds(then, context.started_at) for then in arrived]
    if (then := _arrival(_lagging(outers, outcome.checkpoint))) is not None:
        numbers[metrics.CHECKPOINT_LAG] = (_milliseconds(then, ended_at),)
    return numbers


def thin(values: Sequence[float], limit: int = MOST_VALUES) -> Sequence[float]:
    """At most ``limit`` of them, sorted: order statistics at even distances, from the least to the greatest."""
    ordered = sorted(values)
    last = len(ordered) - 1
    if last < limit:
        return ordered
    return [ordered[round(index * last / (limit - 1))] for index in range(limit)]


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The least value that is not below so many percent of them; None of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def _milliseconds(since: float, until: float) -> float:
    # A clock that was set back makes no negative time.
    return round(max(0.0, until - since) * 1000, 3)


def _arrivals(records: Sequence[Record]) -> Sequence[float]:
    """When they arrived, in seconds since the epoch, of those that say so."""
    try:
        found = sorted(arrivals(records))
        if found and isfinite(sum(found)) and found[0] >= 0 and found[-1] <= _YEAR_9999:
            return found
    except _UNREADABLE:
        pass
    return [then for record in records if (then := _arrival(record)) is not None]


def _arrival(record: Record | None) -> float | None:
    if record is None:
        return None
    try:
        then = record.arrived_at.timestamp()
    except _UNREADABLE:
        return None
    return then if then >= 0 else None


def _lagging(outers: Sequence[Record], checkpoint: str | None) -> Record | None:
    """The first record that is not done, or the last one."""
    if checkpoint is None:
        return outers[-1] if outers else None
    return next((record for record in outers if sequence_number(record) == checkpoint), None)


def sequence_number(record: Record) -> str | None:
    """As it was delivered; None where it was not."""
    try:
        return record.sequence_number
    except _UNREADABLE:
        return None
