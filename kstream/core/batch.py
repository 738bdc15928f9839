"""The batch: records of one shard in one delivery, de-aggregated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.errors import UndecodableRecord
from kstream.core.record import EventRecord, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

# How the base64 of an aggregate begins: the whole characters that the format's magic number fills.
AGGREGATE_PREFIX = "84maw"


class MalformedAggregate(Record):
    """An aggregate that contradicts itself: one poison record, with the bytes that arrived."""

    __slots__ = ("reason",)

    def __init__(self, outer: Record, reason: str) -> None:
        super().__init__(
            outer.data,
            partition_key=outer.partition_key,
            sequence_number=outer.sequence_number,
            shard_id=outer.shard_id,
            stream_arn=outer.stream_arn,
            arrived_at=outer.arrived_at,
        )
        self.reason = reason


class Batch:
    """User records in order, and which Kinesis record each came in.

    ``outers``    the Kinesis records, as delivered.
    ``records``   the user records; the same list if nothing was aggregated.
    ``outer_of``  for each user record the index of its Kinesis record; None if nothing was aggregated.
    """

    __slots__ = ("outer_of", "outers", "records")

    def __init__(self, outers: Sequence[Record], records: Sequence[Record], outer_of: Sequence[int] | None) -> None:
        self.outers = outers
        self.records = records
        self.outer_of = outer_of

    @classmethod
    def plain(cls, records: Sequence[Record]) -> Batch:
        """Of records that are user records already, each alone in its Kinesis record."""
        return cls(records, records, None)

    @classmethod
    def from_entries(cls, entries: Sequence[dict[str, Any]]) -> Batch:
        """Of the entries of Lambda's Kinesis event. Aggregates are told by their prefix, so plain records stay encoded."""
        outers = [EventRecord(entry) for entry in entries]
        aggregated = {
            index for index, entry in enumerate(entries) if entry["kinesis"]["data"].startswith(AGGREGATE_PREFIX)
        }
        if not aggregated:
            return cls(outers, outers, None)
        records: list[Record] = []
        outer_of: list[int] = []
        for index, outer in enumerate(outers):
            if index in aggregated:
                users = _unpack(outer)
                records += users
                outer_of += [index] * len(users)
            else:
                records.append(outer)
                outer_of.append(index)
        return cls(outers, records, outer_of)

    def malformed(self) -> dict[int, UndecodableRecord]:
        """The indexes of aggregates that contradict themselves, each with the error that rejects it."""
        if self.outer_of is None:
            return {}
        return {
            index: UndecodableRecord(record.reason)
            for index, record in enumerate(self.records)
            if type(record) is MalformedAggregate
        }

    def sequence_number(self, index: int) -> str:
        """Of the Kinesis record that carries user record ``index``, exactly as delivered."""
        outer = index if self.outer_of is None else self.outer_of[index]
        return self.outers[outer].sequence_number


def _unpack(outer: EventRecord) -> Sequence[Record]:
    # Imported by the first aggregate: a stream without them does not pay for the codec.
    from kstream.core.aggregation import Aggregate, Malformed, parse

    try:
        found = parse(outer.data)
    except UndecodableRecord:
        return [outer]  # whoever asks for its data meets the same error, and rejects it
    if isinstance(found, Aggregate):
        return found.records(outer)
    if isinstance(found, Malformed):
        return [MalformedAggregate(outer, found.reason)]
    return [outer]
