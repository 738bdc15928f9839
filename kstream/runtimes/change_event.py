"""Lambda's event for the stream of a DynamoDB table: what changed in the table, an item at a time.

Form: Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB"; the DynamoDB Streams API's ``Record``. The event
names no shard, and AWS says of sequence numbers that they order a shard, but nowhere that two shards never use the same
one. ``eventID`` is what it calls globally unique. So a change's position is its sequence number and, behind it, a number
that its ``eventID`` makes: two shards that share one scope of a ledger never take each other's changes for done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.batch import Batch
from kstream.core.ledger_keys import key_digest
from kstream.core.record import NO_HEADERS, Position, Record
from kstream.runtimes.entries import read_each, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.runtimes.entries import Entry

_PLACES = 10**20  # behind the sequence number: 64 bits have at most 20 digits
_MOST_DIGITS = 109  # with those 20 as many as Kinesis has at most. DynamoDB has 40


class ChangeRecord(Record):
    """A change of an item, read in place from an entry of Lambda's DynamoDB event.

    ``data``           the entry as JSON: ``eventName``, ``dynamodb`` with ``Keys``, ``NewImage``, ``OldImage``, ...
    ``partition_key``  the item's ``Keys`` as JSON, always spelled the same: changes of one item have the same key.

    Raises ``EventError`` naming the field that is not what DynamoDB Streams delivers.
    """

    __slots__ = ("_change", "_event_id")

    def __init__(self, entry: Entry) -> None:
        entry.name("eventName")
        change = entry.inner("dynamodb")
        super().__init__(
            b"",
            partition_key=change.object_text("Keys"),
            sequence_number=change.digits("SequenceNumber", most=_MOST_DIGITS),
            shard_id="",
            stream_arn=entry.text("eventSourceARN"),
            arrived_at=change.seconds("ApproximateCreationDateTime"),
            headers=NO_HEADERS,
        )
        self._event_id = entry.name("eventID")
        self._change = entry.fields
        self._data = None

    @property
    def data(self) -> bytes:
        data = self._data
        if data is None:
            data = self._data = to_json(self._change).encode()
        return data

    @property
    def position(self) -> Position:
        event = int.from_bytes(key_digest(self._event_id)[:8], "big")
        return Position(int(self.sequence_number) * _PLACES + event)


def batch_of(entries: Sequence[Any]) -> Batch:
    """The changes. Raises ``EventError`` naming the entry and the field that is not what DynamoDB Streams delivers."""
    return Batch.plain(read_each(entries, "aws:dynamodb", ChangeRecord))
