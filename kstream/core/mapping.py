"""The event source mapping: how records are delivered, described once.

``deploy/`` renders it for AWS; ``kstream.core.delivery`` applies the same rules wherever AWS does not. Names, ranges
and defaults are those of Lambda's CreateEventSourceMapping for Kinesis (API reference, "CreateEventSourceMapping").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kstream.core.errors import ConfigurationError

StartingPosition = Literal["TRIM_HORIZON", "LATEST"] | datetime

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024  # of one invocation's event, as Lambda limits it


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """Delivery of one stream to one consumer. Raises ``ConfigurationError`` for what AWS would refuse.

    ``batch_size``               records a batch, 1..10,000.
    ``batching_window``          seconds to wait for a fuller batch, 0..300.
    ``parallelization_factor``   batches of one shard in flight, 1..10; order then holds per outer key only.
    ``starting_position``        where a new mapping starts; a datetime (aware) means AT_TIMESTAMP.
    ``maximum_retry_attempts``   -1 (for ever) or 0..10,000.
    ``maximum_record_age``       seconds, -1 (for ever) or 60..604,800.
    ``bisect_on_error``          halve a failed batch instead of spending a retry.
    ``report_batch_item_failures``  read the answer's identifiers. Without it a partial answer is a silent success.
    ``tumbling_window``          seconds, 0 (none)..900.

    Three are AWS's alone, and do nothing where AWS does not deliver:

    ``on_failure``               ARN of the queue, topic or bucket that is told what is given up; None for nowhere.
    ``filters``                  up to 5 patterns in JSON, of which a record must match one.
    ``event_count_metrics``      count the events at each step of the mapping.
    """

    batch_size: int = 100
    batching_window: float = 0
    parallelization_factor: int = 1
    starting_position: StartingPosition = "TRIM_HORIZON"
    maximum_retry_attempts: int = -1
    maximum_record_age: int = -1
    bisect_on_error: bool = False
    report_batch_item_failures: bool = True
    tumbling_window: int = 0
    on_failure: str | None = None
    filters: tuple[str, ...] = ()
    event_count_metrics: bool = False

    def __post_init__(self) -> None:
        _within("batch_size", self.batch_size, 1, 10_000)
        _within("batching_window", self.batching_window, 0, 300)
        _within("parallelization_factor", self.parallelization_factor, 1, 10)
        _within("maximum_retry_attempts", self.maximum_retry_attempts, -1, 10_000)
        if self.maximum_record_age != -1:
            _within("maximum_record_age", self.maximum_record_age, 60, 604_800)
        _within("tumbling_window", self.tumbling_window, 0, 900)
        if self.tumbling_window and self.parallelization_factor > 1:
            raise ConfigurationError("a tumbling_window needs parallelization_factor=1: AWS refuses the pair")
        _within("the number of filters", len(self.filters), 0, 5)
        start = self.starting_position
        if isinstance(start, datetime):
            if start.tzinfo is None:
                raise ConfigurationError("starting_position needs an aware datetime, for example one with tzinfo=UTC")
        elif start not in ("TRIM_HORIZON", "LATEST"):
            raise ConfigurationError(
                f"starting_position is {start!r}; it is 'TRIM_HORIZON', 'LATEST' or an aware datetime"
            )


def _within(name: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{name} is {value}; AWS allows {low} to {high:,}")
