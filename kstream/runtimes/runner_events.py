"""What the local runner tells its observer, for live views and tests.

The observer is called with each event on the runner's own thread, in order. It must not block; what it raises is logged
and ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kstream.core.delivery.answer import Verdict


@dataclass(frozen=True, slots=True)
class ShardStarted:
    """``checkpoint``: the sequence number that it goes on behind; None on its first start."""

    shard_id: str
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class ShardRead:
    """A page of ``records`` records came; its end is ``behind_ms`` from the shard's tip. Not told for empty pages."""

    shard_id: str
    records: int
    behind_ms: int


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """An invocation ended, after ``seconds``.

    ``settled`` of its ``records`` are done by it. ``iterator_age_ms``: since the arrival of its last record.
    """

    shard_id: str
    records: int
    settled: int
    attempt: int
    verdict: Verdict
    seconds: float
    iterator_age_ms: float


@dataclass(frozen=True, slots=True)
class Discarded:
    """The on-failure destination has taken ``message``; ``records`` records will not be delivered again."""

    shard_id: str
    records: int
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DiscardRefused:
    """The on-failure destination raised ``error``; the lane waits and tries again."""

    shard_id: str
    records: int
    error: str


@dataclass(frozen=True, slots=True)
class CheckpointStored:
    """Everything up to ``sequence_number`` is settled, and that is stored."""

    shard_id: str
    sequence_number: str


@dataclass(frozen=True, slots=True)
class ShardEnded:
    """A closed shard was read to its end and all of it is settled: its children may start."""

    shard_id: str


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A shard, or the list of shards (``shard_id`` None), could not be read; tried again in ``retry_in`` seconds."""

    shard_id: str | None
    error: str
    retry_in: float


RunnerEvent = (
    ShardStarted | ShardRead | BatchFinished | Discarded | DiscardRefused | CheckpointStored | ShardEnded | ReadFailed
)
Observer = Callable[[RunnerEvent], None]
