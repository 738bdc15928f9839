"""The records of a stream, out of their aggregates and envelopes: of all shards, a parent before its children."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from kstream.core.aggregation import Aggregate, Malformed, parse
from kstream.core.envelope import opened
from kstream.core.record import Record
from kstream.core.shards import AtTimestamp, Latest, TrimHorizon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.delivery.batch import StreamRecord
    from kstream.core.mapping import StartingPosition
    from kstream.core.ports import Clock
    from kstream.core.shards import Shard, ShardReader, Start, StreamReader

# Five reads a second are all that a shard takes, and its consumers want theirs.
_PAUSE_S = 1.0
_PAUSE_BEHIND_S = 0.25
_PAGE = 1_000


class Seen(NamedTuple):
    """A record, and what is wrong with it: an aggregate that contradicts itself is shown whole, with the reason."""

    record: Record
    malformed: str | None = None


class Tailing:
    """Reads a stream from ``start`` on. Not thread-safe.

    ``follow``  go on for ever; otherwise to what was the end of each shard when it was reached.
    Raises as ``StreamReader`` does.
    """

    def __init__(
        self, reader: StreamReader, stream: str, start: StartingPosition, clock: Clock, *, follow: bool
    ) -> None:
        self._reader = reader
        self._stream = stream
        self._clock = clock
        self._follow = follow
        self._start = start
        self._arn = reader.describe(stream).arn
        self._open: dict[str, ShardReader] = {}
        self._ended: set[str] = set()

    def records(self) -> Iterator[Seen]:
        """In each shard's order, the shards by turns."""
        self._find_shards(first=True)
        while self._open:
            behind = False
            for shard_id, shard in list(self._open.items()):
                page = shard.read(_PAGE)
                for record in page.records:
                    yield from self._seen(shard_id, record)
                behind = behind or page.behind_ms > 0 or page.throttled
                if page.ended:
                    del self._open[shard_id]
                    self._ended.add(shard_id)
                    self._find_shards(first=False)
                    behind = True
                elif not (self._follow or page.records or page.behind_ms or page.throttled):
                    del self._open[shard_id]
            if self._open:
                self._clock.sleep(_PAUSE_BEHIND_S if behind else _PAUSE_S)

    def _find_shards(self, *, first: bool) -> None:
        shards = self._reader.shards(self._stream)
        known = {shard.id for shard in shards}
        for shard in shards:
            if shard.id in self._open or shard.id in self._ended:
                continue
            waits = [parent for parent in shard.parents if parent in known and parent not in self._ended]
            if first and self._start == "LATEST":
                # At the tip there is nothing before the parents' ends.
                if shard.closed:
                    self._ended.add(shard.id)
                else:
                    self._begin(shard, Latest(self._clock.time()))
            elif not waits:
                self._begin(shard, TrimHorizon() if self._start == "LATEST" else _place(self._start))

    def _begin(self, shard: Shard, start: Start) -> None:
        self._open[shard.id] = self._reader.open(self._stream, shard.id, start)

    def _seen(self, shard_id: str, outer: StreamRecord) -> Iterator[Seen]:
        record = Record(
            outer.data,
            partition_key=outer.partition_key,
            sequence_number=outer.sequence_number,
            shard_id=shard_id,
            stream_arn=self._arn,
            arrived_at=datetime.fromtimestamp(outer.arrived_at, UTC),
        )
        match parse(outer.data):
            case Aggregate() as aggregate:
                yield from map(Seen, aggregate.records(record))
            case Malformed(reason):
                yield Seen(record, reason)
            case None:
                yield Seen(opened(record))


def _place(start: StartingPosition) -> Start:
    return AtTimestamp(start.timestamp()) if isinstance(start, datetime) else TrimHorizon()
