"""A stream in memory, for the runner's unit tests: exact, and failing when told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kstream.core.delivery import StreamRecord
from kstream.core.errors import ReadError
from kstream.core.shards import After, AtTimestamp, Latest, Page, Shard, StreamDescription

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.ports import Clock
    from kstream.core.shards import Start

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"


@dataclass
class MemoryShard:
    shard: Shard
    records: list[StreamRecord] = field(default_factory=list)


@dataclass
class MemoryStream:
    """A ``StreamReader``. ``faults``: pages that are throttled (None) or errors to raise, before the next reads."""

    clock: Clock
    shards_by_id: dict[str, MemoryShard] = field(default_factory=dict)
    faults: list[Exception | None] = field(default_factory=list)
    reads: list[tuple[float, str]] = field(default_factory=list)
    created_at: float = 1_600_000_000.0
    _number: int = 97

    def add_shard(self, shard_id: str, *parents: str) -> None:
        self.shards_by_id[shard_id] = MemoryShard(Shard(shard_id, parents))

    def close_shard(self, shard_id: str) -> None:
        entry = self.shards_by_id[shard_id]
        entry.shard = Shard(shard_id, entry.shard.parents, closed=True)

    def put(self, shard_id: str, *payloads: bytes, key: str = "k") -> list[str]:
        numbers = []
        for payload in payloads:
            self._number += 1
            numbers.append(str(self._number))
            record = StreamRecord(key, str(self._number), payload, self.clock.time())
            self.shards_by_id[shard_id].records.append(record)
        return numbers

    def describe(self, stream: str) -> StreamDescription:
        return StreamDescription(stream, ARN, self.created_at, float(int(self.clock.time())))

    def shards(self, stream: str) -> Sequence[Shard]:
        return [each.shard for each in self.shards_by_id.values()]

    def open(self, stream: str, shard_id: str, start: Start) -> MemoryShardReader:
        records = self.shards_by_id[shard_id].records
        match start:
            case Latest():
                place = len(records)
            case After(number):
                place = sum(int(record.sequence_number) <= int(number) for record in records)
            case AtTimestamp(seconds):
                place = sum(record.arrived_at < seconds for record in records)
            case _:
                place = 0
        return MemoryShardReader(self, shard_id, place)


@dataclass
class MemoryShardReader:
    stream: MemoryStream
    shard_id: str
    place: int

    def read(self, limit: int) -> Page:
        self.stream.reads.append((self.stream.clock.time(), self.shard_id))
        if self.stream.faults:
            fault = self.stream.faults.pop(0)
            if fault is None:
                return Page(throttled=True)
            raise fault
        entry = self.stream.shards_by_id[self.shard_id]
        records = entry.records[self.place : self.place + limit]
        self.place += len(records)
        left = len(entry.records) - self.place
        return Page(records, behind_ms=left, ended=entry.shard.closed and not left)


UNREACHABLE = ReadError("unreachable")
