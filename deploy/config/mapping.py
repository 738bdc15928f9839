"""Delivery from a source to a consumer's function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from deploy.config import filters, names
from deploy.config.fields import Complaint, Table, setting
from deploy.config.problems import inside
from kstream import ConfigurationError, EventSourceMapping

POSITIONS = ("TRIM_HORIZON", "LATEST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Table):
    """The knobs of ``kstream.EventSourceMapping``, with defaults for production: retries end, failed batches are halved,
    and what is given up is told to a queue."""

    batch_size: int | None = setting(None, doc="Records of a batch; 100, and 10 from a queue", low=1, high=10_000)
    batching_window: int = setting(0, doc="Seconds to wait for a fuller batch", low=0, high=300)
    parallelization_factor: int = setting(1, doc="Batches of one shard in flight", low=1, high=10)
    starting_position: str | datetime = setting(
        "TRIM_HORIZON", doc="Where a new mapping starts: TRIM_HORIZON, LATEST or a time", choices=POSITIONS
    )
    maximum_retry_attempts: int = setting(10, doc="Retries of a failed batch; -1 for ever", low=-1, high=10_000)
    maximum_record_age: int = setting(
        -1, doc="Seconds after which a record is given up; -1 never", low=-1, high=604_800
    )
    bisect_on_error: bool = setting(True, doc="Halve a failed batch instead of spending a retry")
    tumbling_window: int = setting(0, doc="Seconds of a window; 0 for none", low=0, high=900)
    on_failure: str = setting(
        "queue",
        doc="Where AWS reports what it gives up: 'queue' (a new one), 'none', or the ARN of a queue, topic or bucket",
        pattern=names.ON_FAILURE,
    )
    filters: tuple[Mapping[str, object], ...] = setting(
        (),
        doc="Patterns, of which a record must match one to be delivered",
        high=5,
        example='[{ data = { carrier = ["UA"] } }]',
    )
    event_count_metrics: bool = setting(False, doc="Count events at each step of the mapping (CloudWatch charges)")
    maximum_concurrency: int | None = setting(None, doc="Batches of a queue in flight", low=2, high=1000)
    enabled: bool = setting(True, doc="Whether records are delivered")

    def complaints(self) -> Iterator[Complaint]:
        if 0 <= self.maximum_record_age < 60:
            yield "maximum_record_age", f"is {self.maximum_record_age}; allowed is -1, or 60 to 604,800"
            return
        if isinstance(self.starting_position, datetime) and self.starting_position.tzinfo is None:
            yield "starting_position", "needs its offset from UTC, like 2026-01-31T12:00:00Z"
            return
        if self.tumbling_window and self.parallelization_factor > 1:
            yield "tumbling_window", "needs parallelization_factor = 1: AWS refuses the pair (KS003)"
            return
        wrong = [
            (inside(f"filters[{number}]", at), why)
            for number, pattern in enumerate(self.filters)
            for at, why in filters.misshapen(pattern)
        ]
        if wrong:
            yield from wrong
            return
        try:
            self.rules()
        except ConfigurationError as error:
            yield "", str(error)

    def rules(self, on_failure: str | None = None) -> EventSourceMapping:
        """What kstream's local runner would be given. ``on_failure`` is the destination's ARN, where it is known."""
        return EventSourceMapping(
            batch_size=self.batch_size or 100,
            batching_window=self.batching_window,
            parallelization_factor=self.parallelization_factor,
            starting_position=self.starting_position,  # type: ignore[arg-type] # one of POSITIONS, or a time
            maximum_retry_attempts=self.maximum_retry_attempts,
            maximum_record_age=self.maximum_record_age,
            bisect_on_error=self.bisect_on_error,
            tumbling_window=self.tumbling_window,
            on_failure=on_failure,
            filters=tuple(json.dumps(pattern, sort_keys=True) for pattern in self.filters),
            event_count_metrics=self.event_count_metrics,
        )
