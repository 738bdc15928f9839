"""Lambda's event for the stream of a DynamoDB table: what changed in the table, an item at a time.

Form: Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB"; the DynamoDB Streams API's ``Record``. The event
names no shard, and AWS says of sequence numbers that they order a shard, but nowhere that two shards never use the same
one. ``eventID`` is what it calls globally unique. So a change's position is its sequence number and, behind it, a number
that its ``eventID`` makes: two shards that share one scope of a ledger never take each other's changes for done.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kstream.core.batch import Batch
from kstream.core.ledger_keys import key_digest
from kstream.core.record import NO_HEADERS, Position, Record
from kstream.runtimes.entries import check_each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kstream.runtimes.entries import Entry

_PLACES = 10**20  # behind the sequence number: 64 bits have at most 20 digits


class ChangeRecord(Record):
    """A change of an item, read in place from an entry of Lambda's DynamoDB event.

    ``data``           the entry as JSON: ``eventName``, ``dynamodb`` with ``Keys``, ``NewImage``, ``OldImage``, ...
    ``partition_key``  the item's ``Keys`` as JSON, always spelled the same: changes of one item have the same key.
    """

    __slots__ = ("_entry",)

    def __init__(self, entry: Mapping[str, Any]) -> None:
        change = entry["dynamodb"]
        super().__init__(
            b"",
            partition_key=_json(change["Keys"], sort_keys=True),
            sequence_number=change["SequenceNumber"],
            shard_id="",
            stream_arn=entry["eventSourceARN"],
            arrived_at=datetime.fromtimestamp(change["ApproximateCreationDateTime"], UTC),
            headers=NO_HEADERS,
        )
        self._entry = entry
        self._data = None

    @property
    def data(self) -> bytes:
        data = self._data
        if data is None:
            data = self._data = _json(self._entry).encode()
        return data

    @property
    def position(self) -> Position:
        event = int.from_bytes(key_digest(self._entry["eventID"])[:8], "big")
        return Position(int(self.sequence_number) * _PLACES + event)


def batch_of(entries: Sequence[Any]) -> Batch:
    """The changes. Raises ``EventError`` naming the entry and the field that is not what DynamoDB Streams delivers."""
    check_each(entries, "aws:dynamodb", _check)
    return Batch.plain([ChangeRecord(entry) for entry in entries])


def _check(entry: Entry) -> None:
    entry.name("eventID")
    entry.name("eventName")
    change = entry.inner("dynamodb")
    change.inner("Keys")
    change.digits("SequenceNumber")
    change.seconds("ApproximateCreationDateTime")


def _json(value: object, *, sort_keys: bool = False) -> str:
    # In ASCII: then it has its bytes, whatever characters an event holds.
    return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys)
