"""The batch: records of one shard, or of one queue, in one delivery, de-aggregated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, overload

from kstream.core.errors import UndecodableRecord
from kstream.core.record import AGGREGATE_PREFIX, ENVELOPE_PREFIX, EventRecord, Record, decode_base64

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kstream.core.aggregation import Aggregate

QueueOrder = Literal["partition_key", "none"]

# What tells a Kinesis record that carries more, or something else, than its bytes as they are.
_WRAPPED = (AGGREGATE_PREFIX, ENVELOPE_PREFIX)


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
    """User records in order, and the Kinesis records that carried them.

    ``outers``   the Kinesis records, as delivered.
    ``records``  the user records; the same list if nothing was wrapped. Those of aggregates are made when asked for, so
                 that the records of many aggregates need not exist at once.
    ``queue_order``  None for a shard's records, which have a checkpoint. A queue's messages have none, each is settled by
                 itself; for them it is the order that their queue keeps, whatever a consumer asks for: none, or that of
                 their groups.
    """

    __slots__ = ("_check", "outers", "queue_order", "records")

    def __init__(
        self,
        outers: Sequence[Record],
        records: Sequence[Record],
        check: Callable[[], None] | None = None,
        *,
        queue_order: QueueOrder | None = None,
    ) -> None:
        self.outers = outers
        self.records = records
        self.queue_order = queue_order
        self._check = check

    @classmethod
    def plain(cls, records: Sequence[Record], *, queue_order: QueueOrder | None = None) -> Batch:
        """Of records that are user records already, each alone in its Kinesis record, or not from Kinesis at all."""
        return cls(records, records, queue_order=queue_order)

    @classmethod
    def from_entries(cls, entries: Sequence[dict[str, Any]], check: Callable[[], None] | None = None) -> Batch:
        """Of the entries of Lambda's Kinesis event. What is wrapped is told by its prefix: plain records stay encoded.

        ``check``  raises if an entry is not what it should be; see ``verify``.
        """
        outers: list[Record] = [EventRecord(entry) for entry in entries]
        wrapped = [index for index, entry in enumerate(entries) if entry["kinesis"]["data"].startswith(_WRAPPED)]
        if not wrapped:
            return cls(outers, outers, check)
        parts: list[Aggregate | None] = [None] * len(outers)
        users = outers.copy()
        aggregated = False
        for index in wrapped:
            data = entries[index]["kinesis"]["data"]
            if data.startswith(ENVELOPE_PREFIX):
                users[index] = _enveloped(entries[index])
            else:
                aggregated = True
                users[index], parts[index] = _unpack(outers[index], data)
        return cls(outers, UserRecords(users, parts) if aggregated else users, check)

    def verify(self) -> None:
        """Raises unless each record has an identity, all in the same shard. Called before any position is believed.

        Not called for a batch that is done as a whole and of which a ledger knows nothing: nobody asks for a position
        then, and looking at every entry would cost as much as a tenth of reading its JSON.
        """
        if self._check is not None:
            self._check()
            self._check = None

    def walk(self, indexes: Iterable[int]) -> Iterable[tuple[int, Record]]:
        """These user records, in the given order, each with its index."""
        records = self.records
        if isinstance(indexes, range) and len(indexes) == len(records):
            return enumerate(records)
        return ((index, records[index]) for index in indexes)

    def malformed(self) -> dict[int, UndecodableRecord]:
        """The indexes of aggregates that contradict themselves, each with the error that rejects it."""
        return self.records.malformed() if isinstance(self.records, UserRecords) else {}


class UserRecords(Sequence[Record]):
    """The user records of Kinesis records, some of which are aggregates.

    ``outers``  the Kinesis records; for one without a part, it is its own user record.
    ``parts``   the aggregate that each of them carries, if it does.
    """

    __slots__ = ("_outers", "_parts", "_starts", "_total")

    def __init__(self, outers: Sequence[Record], parts: Sequence[Aggregate | None]) -> None:
        self._outers = outers
        self._parts = parts
        self._starts: list[int] = []
        self._total = 0
        for part in parts:
            self._starts.append(self._total)
            self._total += 1 if part is None else len(part)

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[Record]:
        # Chained, not yielded from: a generator around the others would be one more step for each record.
        return chain.from_iterable(
            (outer,) if part is None else part.iterate(outer)
            for outer, part in zip(self._outers, self._parts, strict=True)
        )

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return list(self)[index]
        if not 0 <= index < self._total:
            raise IndexError(index)
        # The last that starts here: empty aggregates start where the next one does.
        at = bisect_right(self._starts, index) - 1
        part = self._parts[at]
        return self._outers[at] if part is None else part.record(self._outers[at], index - self._starts[at])

    def malformed(self) -> dict[int, UndecodableRecord]:
        return {
            start: UndecodableRecord(outer.reason)
            for start, outer in zip(self._starts, self._outers, strict=True)
            if type(outer) is MalformedAggregate
        }


def _enveloped(entry: dict[str, Any]) -> Record:
    # Imported by the first envelope, as the codec is by the first aggregate.
    from kstream.core.envelope import EnvelopedRecord

    return EnvelopedRecord(entry)


def _unpack(outer: Record, data: str) -> tuple[Record, Aggregate | None]:
    # Imported by the first aggregate: a stream without them does not pay for the codec.
    from kstream.core.aggregation import Malformed, parse

    try:
        # Not through outer.data, which would keep the bytes beside the payloads cut from them.
        found = parse(decode_base64(data))
    except UndecodableRecord:
        return outer, None  # whoever asks for its data meets the same error, and rejects it
    if isinstance(found, Malformed):
        return MalformedAggregate(outer, found.reason), None
    return outer, found
