"""Streams and shards, as a runner reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.delivery.batch import StreamRecord


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """Which stream it is. A stream that was deleted and made again differs in ``created_at`` alone.

    Both times are in seconds since the epoch. ``described_at`` is the service's own time, rounded down to whole
    seconds; None if it did not say.
    """

    name: str
    arn: str
    created_at: float
    described_at: float | None = None

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def account_id(self) -> str:
        return self.arn.split(":")[4]


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a stream.

    ``parents``  none, one (after a split) or two (after a merge).
    ``closed``   takes no more records, but may still hold some.
    """

    id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class TrimHorizon:
    """From the oldest record that is still there."""


@dataclass(frozen=True, slots=True)
class Latest:
    """From what arrives once the shard has been opened.

    ``since``  seconds since the epoch, before the shard was opened: from there on, if the place was lost or not found
               before the first record came. That may give some records from before, and never skips one.
    """

    since: float


@dataclass(frozen=True, slots=True)
class AtTimestamp:
    """From the first record that arrived at ``seconds`` since the epoch or later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class After:
    """From the record that follows on ``sequence_number``."""

    sequence_number: str


Start = TrimHorizon | Latest | AtTimestamp | After


@dataclass(frozen=True, slots=True)
class Page:
    """What one read of a shard gave.

    ``behind_ms``   how far the page's end is from the shard's tip, in milliseconds; 0 at the tip.
    ``ended``       the shard is closed and this was its last page.
    ``throttled``   the service asked to slow down, so there are no records.
    """

    records: Sequence[StreamRecord] = ()
    behind_ms: int = 0
    ended: bool = False
    throttled: bool = False


class ShardReader(Protocol):
    """Reads one shard, forwards, each record once. Not thread-safe."""

    def read(self, limit: int) -> Page:
        """The next records, at most ``limit`` (1..10,000), in the shard's order. Does not wait for records to arrive.

        Raises ``ReadError`` when trying again may help, and then has lost its place to nothing: the next read goes on
        where this one would have. Raises ``ConfigurationError`` when the stream is gone or may not be read.
        """
        ...


class StreamReader(Protocol):
    """Reads streams. Synchronous. Raises as ``ShardReader.read`` does."""

    def describe(self, stream: str) -> StreamDescription: ...

    def shards(self, stream: str) -> Sequence[Shard]:
        """All shards that still hold records or take new ones, with their closed parents."""
        ...

    def open(self, stream: str, shard_id: str, start: Start) -> ShardReader:
        """A reader of a shard. ``Latest`` is resolved before this returns: what arrives later will be read.

        Does not raise ``ReadError``: what cannot be found now is looked for again by ``read``.
        """
        ...
