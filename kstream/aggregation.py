"""The KPL's aggregation format, to use by itself: ``aggregate`` and ``deaggregate``.

A ``Consumer`` de-aggregates by itself; this is for programs that read or write a stream in their own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kstream.core.aggregation import (
    AGGREGATE_PREFIX,
    Aggregate,
    Aggregator,
    Malformed,
    OuterRecord,
    SubRecord,
    UserRecord,
    aggregate,
    parse,
)
from kstream.core.envelope import EnvelopedRecord, opened
from kstream.core.errors import EventError, UndecodableRecord
from kstream.core.record import ENVELOPE_PREFIX, EventRecord, Record, decode_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Aggregator", "OuterRecord", "Source", "UserRecord", "aggregate", "deaggregate"]

Source: TypeAlias = "bytes | Record | Mapping[str, Any] | Iterable[bytes | Record | Mapping[str, Any]]"


def deaggregate(
    source: Source,
    *,
    malformed: Literal["raise", "keep"] = "raise",
    shard_id: str = "shardId-000000000000",
    stream_arn: str = "",
) -> list[Record]:
    """The user records in ``source``, in order: of each aggregate those inside, of each envelope its payload with its
    headers, each plain record as it is.

    ``source``: the data of a Kinesis record in bytes, a ``Record``, an entry of Lambda's Kinesis event, a record of
    boto3's ``get_records``; an iterable of these; or the whole event or answer, with its ``Records``.
    ``malformed``: an aggregate that contradicts itself, and data that should be base64 and are not, raise
    ``UndecodableRecord`` (a ``ValueError``), or are kept as one record, whole and as they came. They are never dropped
    or read in part.
    ``shard_id``, ``stream_arn``: where bytes and boto3's records come from, which they do not tell themselves; they are
    part of ``Record.id``.

    Raises ``EventError`` for a mapping that is none of these, ``TypeError`` for anything else. One level only: what is
    inside an aggregate or an envelope stays as it is.
    """
    if malformed not in ("raise", "keep"):
        raise ValueError(f'malformed is "raise" or "keep", not {malformed!r}')
    records: list[Record] = []
    for outer, encoded in _outers(source, shard_id, stream_arn):
        try:
            found = _parse(outer, encoded)
        except UndecodableRecord:
            if malformed == "raise":
                raise
            records.append(outer)
            continue
        if isinstance(found, Aggregate):
            records += found.iterate(outer)
        elif isinstance(found, Malformed) and malformed == "raise":
            raise UndecodableRecord(
                f"record {outer.sequence_number} of {outer.shard_id} is a malformed aggregate: {found.reason}. "
                'To get it whole, as it came, pass malformed="keep"'
            )
        else:
            records.append(outer if encoded is not None or _inside(outer) else opened(outer))
    return records


def _parse(outer: Record, encoded: str | None) -> Aggregate | Malformed | None:
    if _inside(outer):
        return None  # one level only
    if encoded is None:
        return parse(outer.data)
    # Decoded beside the record, which would keep the bytes; and not at all if its first characters say enough.
    return parse(decode_base64(encoded)) if encoded.startswith(AGGREGATE_PREFIX) else None


def _inside(record: Record) -> bool:
    """Whether it has been taken out of an aggregate or an envelope."""
    return isinstance(record, SubRecord | EnvelopedRecord) or bool(record.headers)


# A Kinesis record, and its data in base64 if it is one of Lambda's.
_Outer: TypeAlias = "tuple[Record, str | None]"


def _outers(source: object, shard_id: str, stream_arn: str) -> Iterator[_Outer]:
    if isinstance(source, Record):
        yield source, None
    elif isinstance(source, bytes | bytearray | memoryview):
        yield Record(bytes(source), shard_id=shard_id, stream_arn=stream_arn), None
    elif isinstance(source, Mapping):
        yield from _of_mapping(source, shard_id, stream_arn)
    elif isinstance(source, Iterable) and not isinstance(source, str):
        for one in source:
            yield from _outers(one, shard_id, stream_arn)
    else:
        raise TypeError(f"cannot de-aggregate {type(source).__name__}: give bytes, records, or an event")


def _of_mapping(source: Mapping[str, Any], shard_id: str, stream_arn: str) -> Iterator[_Outer]:
    if "kinesis" in source:
        encoded = _encoded(source)
        yield (EnvelopedRecord if encoded.startswith(ENVELOPE_PREFIX) else EventRecord)(source), encoded
    elif "Data" in source:
        arrived_at = source.get("ApproximateArrivalTimestamp")
        record = Record(
            source["Data"],
            partition_key=source.get("PartitionKey", ""),
            sequence_number=source.get("SequenceNumber", "0"),
            shard_id=shard_id,
            stream_arn=stream_arn,
            arrived_at=arrived_at and arrived_at.astimezone(UTC),
        )
        yield record, None
    elif "Records" in source:
        yield from _outers(source["Records"], shard_id, stream_arn)
    else:
        raise EventError(
            f"no Kinesis record in a mapping with the keys {sorted(map(str, source))}: "
            "expected `kinesis` (Lambda), `Data` (boto3) or `Records` (either, whole)"
        )


def _encoded(entry: Mapping[str, Any]) -> str:
    kinesis = entry["kinesis"]
    data = kinesis.get("data") if isinstance(kinesis, Mapping) else None
    if not isinstance(data, str):
        raise EventError("an entry of the event has no `kinesis.data` in text: pass Lambda's entries as they came")
    return data
