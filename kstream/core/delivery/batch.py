"""What travels through the delivery of a shard: records, deliveries, discards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# The two conditions that AWS names in its on-failure messages.
Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A Kinesis record as GetRecords gives it: not de-aggregated.

    ``partition_key``    the *outer* key.
    ``sequence_number``  decimal digits, as Kinesis spelled them.
    ``arrived_at``       seconds since the epoch.
    """

    partition_key: str
    sequence_number: str
    data: bytes
    arrived_at: float


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One invocation to make.

    ``id``       unique in its ``ShardDelivery``.
    ``lane``     0..parallelization_factor-1; a lane has one delivery in flight at most.
    ``records``  one or more, in the shard's order.
    ``attempt``  1 for a batch's first try. A batch that is cut shorter from the front, because something in front of it
                 is settled, counts from 1 again; a batch that is halved keeps its count.
    """

    id: str
    shard_id: str
    lane: int
    records: tuple[StreamRecord, ...]
    attempt: int


@dataclass(frozen=True, slots=True, eq=False)
class Discard:
    """Records that the mapping gives up. They count as settled once ``ShardDelivery.confirm`` has been called.

    ``delivery_id``   the last delivery that held them; a fresh id if they were never delivered.
    ``invocations``   how often they were delivered since their batch last changed its front.
    ``error``         what the last failure was, in words; empty if they were never delivered.
    ``answered``      the last delivery did not raise: it answered that the first record failed.
    """

    delivery_id: str
    shard_id: str
    lane: int
    records: tuple[StreamRecord, ...]
    condition: Condition
    invocations: int
    error: str
    answered: bool
