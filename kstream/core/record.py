"""Records and their positions.

A ``Record`` is what a handler sees: one user record, always de-aggregated. It is read-only, slotted and lazy: what came
encoded stays encoded until it is asked for, because most handlers read only the payload.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from kstream.core.errors import UndecodableRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# How the base64 of a KPL aggregate begins: the whole characters that the format's magic number fills. Not a proof, but
# what does not begin so is plain, and need not be decoded, nor the codec loaded, to know it.
AGGREGATE_PREFIX = "84maw"
# How the base64 of an envelope begins, whole: see ``kstream.core.envelope``.
ENVELOPE_PREFIX = "eyJrc3RyZWFtIjoicmVjb3JkLzEiLCJoZWFkZXJzIjp7"

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

# The scanner below ``json.loads``: it spares four Python calls for each payload.
_scan_json = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class Position(NamedTuple):
    """A place in a shard. Orders as the shard does: by the sequence number's value, never by its text.

    Where a source has no numbers that tell its records apart, as a queue has none, ``sequence`` is a name's number.
    """

    sequence: int
    sub_sequence: int = 0

    @property
    def key(self) -> str:
        """Text that sorts as the position does: length-prefixed, for stores that can compare only text."""
        digits = str(self.sequence)
        return f"{len(digits):03d}{digits}.{self.sub_sequence:08d}"


class Record:
    """One user record of a stream. Read-only and safe to share between threads.

    ``data``                 the payload, in bytes.
    ``partition_key``        the producer's own key, also inside an aggregate.
    ``explicit_hash_key``    a decimal string, or None. Known only inside aggregates: Kinesis does not deliver it.
    ``sequence_number``      of the Kinesis record that carried this one, exactly as the runtime spelled it; of a table's
                             change its own; of an SQS message its messageId.
    ``sub_sequence_number``  its index in the aggregate; 0 for a record that came alone.
    ``arrived_at``           when Kinesis, the table or the queue took it; aware, in UTC.
    ``shard_id``             empty for what comes from a table or a queue, whose events name none.
    ``stream_arn``           of the stream, the table's stream or the queue.
    ``headers``              what the producer sent along, or the ingest API kept; empty for most records that came alone.
    ``outer_key``            the partition key of the Kinesis record that carried it: the key AWS keeps order by.
    """

    __slots__ = (
        "_arrived_at",
        "_data",
        "_explicit_hash_key",
        "_headers",
        "_partition_key",
        "_sequence_number",
        "_shard_id",
        "_stream_arn",
        "_sub_sequence_number",
    )

    def __init__(
        self,
        data: bytes,
        *,
        partition_key: str = "",
        sequence_number: str = "0",
        sub_sequence_number: int = 0,
        explicit_hash_key: str | None = None,
        shard_id: str = "shardId-000000000000",
        stream_arn: str = "",
        arrived_at: datetime | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        self._data: bytes | None = data
        self._partition_key = partition_key
        self._explicit_hash_key = explicit_hash_key
        self._sequence_number = sequence_number
        self._sub_sequence_number = sub_sequence_number
        self._shard_id = shard_id
        self._stream_arn = stream_arn
        self._arrived_at = arrived_at or datetime.fromtimestamp(0, UTC)
        self._headers = headers

    @property
    def data(self) -> bytes:
        """The payload. Raises ``UndecodableRecord`` if the delivery does not hold it as it should."""
        assert self._data is not None
        return self._data

    @property
    def partition_key(self) -> str:
        return self._partition_key

    @property
    def outer_key(self) -> str:
        return self._partition_key

    @property
    def explicit_hash_key(self) -> str | None:
        return self._explicit_hash_key

    @property
    def sequence_number(self) -> str:
        return self._sequence_number

    @property
    def sub_sequence_number(self) -> int:
        return self._sub_sequence_number

    @property
    def shard_id(self) -> str:
        return self._shard_id

    @property
    def stream_arn(self) -> str:
        return self._stream_arn

    @property
    def arrived_at(self) -> datetime:
        return self._arrived_at

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def position(self) -> Position:
        """Where it stands in its shard; unique only together with the shard."""
        return Position(int(self.sequence_number), self.sub_sequence_number)

    @property
    def id(self) -> str:
        """Names this record for ever, however often it is delivered: the key to deduplicate by."""
        sequence, sub_sequence = self.position
        return f"{self.stream_arn}/{self.shard_id}/{sequence}/{sub_sequence}"

    def as_arrived(self) -> Record:
        """This record with the bytes of the delivery as its payload, for one whose ``data`` cannot be decoded."""
        return self

    def json(self) -> Any:
        """The payload parsed as JSON. Raises ``UndecodableRecord``, which rejects the record, if it is not JSON."""
        data = self.data
        try:
            # Strict UTF-8, so bytes are decoded once here; a scan that does not end at the end is json.loads' to judge.
            text = data.decode()
            value, end = _scan_json(text, 0)
            if end == len(text):
                return value
        except (StopIteration, ValueError, RecursionError):
            pass
        try:
            return json.loads(data)
        except UnicodeDecodeError:
            # Whatever encoding json.loads took it for: that one says nothing to whoever put a picture there.
            raise UndecodableRecord("the payload is not JSON: its bytes are not UTF-8 text") from None
        except ValueError as error:
            raise UndecodableRecord(f"the payload is not JSON: {error}") from None
        except RecursionError:
            # Not a fault that passes: the same bytes nest as deep next time.
            raise UndecodableRecord("the payload is JSON that nests too deep to be read") from None

    def text(self) -> str:
        """The payload as UTF-8 text. Raises ``UndecodableRecord``, which rejects the record, if it is not UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise UndecodableRecord(f"the payload is not UTF-8 text: {error}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        if self is other:
            return True  # also where the payload cannot be decoded, and comparing it would raise
        return self.id == other.id and self.partition_key == other.partition_key and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        # Without the payload: a repr ends up in logs.
        return f"<Record {self.shard_id} {self.sequence_number}:{self.sub_sequence_number} key={self.partition_key!r}>"


class EventRecord(Record):
    """A record that came alone, read in place from an entry of Lambda's Kinesis event."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._entry = entry
        self._data = None

    @property
    def data(self) -> bytes:
        data = self._data
        if data is None:
            data = self._data = decode_base64(self._entry["kinesis"]["data"])
        return data

    @property
    def partition_key(self) -> str:
        return self._entry["kinesis"]["partitionKey"]  # type: ignore[no-any-return]

    @property
    def outer_key(self) -> str:
        return self._entry["kinesis"]["partitionKey"]  # type: ignore[no-any-return]

    @property
    def explicit_hash_key(self) -> str | None:
        return None

    @property
    def sequence_number(self) -> str:
        return self._entry["kinesis"]["sequenceNumber"]  # type: ignore[no-any-return]

    @property
    def sub_sequence_number(self) -> int:
        return 0

    @property
    def shard_id(self) -> str:
        return self._entry["eventID"].partition(":")[0]  # type: ignore[no-any-return]

    @property
    def stream_arn(self) -> str:
        return self._entry["eventSourceARN"]  # type: ignore[no-any-return]

    @property
    def arrived_at(self) -> datetime:
        return datetime.fromtimestamp(self._entry["kinesis"]["approximateArrivalTimestamp"], UTC)

    @property
    def headers(self) -> Mapping[str, str]:
        return NO_HEADERS

    def as_arrived(self) -> Record:
        return Record(
            str(self._entry["kinesis"]["data"]).encode(),
            partition_key=self.partition_key,
            sequence_number=self.sequence_number,
            shard_id=self.shard_id,
            stream_arn=self.stream_arn,
            arrived_at=self.arrived_at,
        )


def arrivals(records: Sequence[Record]) -> list[float]:
    """When they arrived, in seconds since the epoch, without a ``datetime`` for each: that would cost ten times as much.

    Nothing is checked: an entry that is not what Kinesis delivers raises what reading it raises, or answers what it holds.
    """
    try:
        # Of another kind of record, the attribute is missing.
        return [record._entry["kinesis"]["approximateArrivalTimestamp"] for record in records]  # type: ignore[attr-defined]  # noqa: SLF001
    except AttributeError:
        return [record.arrived_at.timestamp() for record in records]


def decode_base64(text: str) -> bytes:
    """Strict base64 to bytes. Raises ``UndecodableRecord``, because whoever encoded it will not do better next time."""
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, TypeError, ValueError) as error:
        raise UndecodableRecord(f"the record's data is not base64: {error}") from None
