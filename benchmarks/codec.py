"""De-aggregation alone: kstream's codec, the same on google.protobuf's C parser, aws-kinesis-agg, and the bare minimum.

Each contender decodes the base64 of 100 aggregates of 100 records and reads the payload of every record.
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Any

from benchmarks.events import aggregated_event
from benchmarks.result import Bound, Result
from benchmarks.rounds import least_times
from kstream.core.aggregation import Aggregate, parse
from kstream.core.aggregation.sub_record import SubRecord
from kstream.core.aggregation.table import Tables
from kstream.core.record import EventRecord, decode_base64
from tests.support.aggregates import AggregatedRecord, import_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER_RECORDS = 10_000
Entries = list[dict[str, Any]]


def run(*, quick: bool = False) -> Result:
    entries: Entries = aggregated_event()["Records"]
    _, deaggregator = import_peer()

    def bind(contender: Callable[[Entries], object]) -> Callable[[], object]:
        return lambda: contender(entries)

    contenders = {
        "aws-kinesis-agg": bind(deaggregator.deaggregate_records),
        "kstream, one record at a time": bind(_one_at_a_time),
        "kstream, a list of all": bind(_list_of_all),
        "protobuf's C parser, one at a time": bind(_protobuf_one_at_a_time),
        "protobuf's C parser, a list of all": bind(_protobuf_list_of_all),
        "base64 and MD5 alone": bind(_minimum),
    }
    least = least_times(contenders, 7 if quick else 25)
    peer = least["aws-kinesis-agg"]
    rows: list[tuple[str, ...]] = [
        (name, f"{seconds * 1e9 / USER_RECORDS:,.0f} ns", f"{USER_RECORDS / seconds:,.0f}/s", f"{peer / seconds:.2f}")
        for name, seconds in least.items()
    ]
    return Result(
        "De-aggregation of 100 aggregates of 100 user records",
        ("contender", "a user record", "user records", "speed, of aws-kinesis-agg"),
        rows,
        [
            Bound(
                "the codec's speed, one at a time, of aws-kinesis-agg",
                peer / least["kstream, one record at a time"],
                at_least=2.0,
            )
        ],
    )


def _one_at_a_time(entries: Entries) -> None:
    for entry in entries:
        found = parse(decode_base64(entry["kinesis"]["data"]))
        assert isinstance(found, Aggregate)
        for record in found.iterate(EventRecord(entry)):
            record.data  # noqa: B018 - reading is the work


def _list_of_all(entries: Entries) -> None:
    records: list[SubRecord] = []
    for entry in entries:
        found = parse(decode_base64(entry["kinesis"]["data"]))
        assert isinstance(found, Aggregate)
        records += found.iterate(EventRecord(entry))
    for record in records:
        record.data  # noqa: B018


def _by_protobuf(entry: dict[str, Any]) -> tuple[Tables, list[int], list[bytes]]:
    """What ``parse`` comes to, without tags."""
    raw = decode_base64(entry["kinesis"]["data"])
    end = len(raw) - 16
    assert md5(memoryview(raw)[4:end], usedforsecurity=False).digest() == raw[end:]
    message = AggregatedRecord.FromString(raw[4:end])
    tables, keys, payloads = Tables(b""), [], []
    tables.keys = list(message.partition_key_table)  # type: ignore[assignment]
    tables.hash_keys = list(message.explicit_hash_key_table)  # type: ignore[assignment]
    for index, record in enumerate(message.records):
        keys.append(record.partition_key_index)
        payloads.append(record.data)
        if tables.hash_keys and record.HasField("explicit_hash_key_index"):
            tables.hash_key_of[index] = record.explicit_hash_key_index
    assert max(keys) < len(tables.keys)
    return tables, keys, payloads


def _sub_records(entry: dict[str, Any]) -> Iterator[SubRecord]:
    """As ``SubRecord.iterate`` makes them."""
    outer = EventRecord(entry)
    new = object.__new__
    tables, keys, payloads = _by_protobuf(entry)
    for index, payload in enumerate(payloads):
        record = new(SubRecord)
        record._tables = tables
        record._outer = outer
        record._key = keys[index]
        record._sub_sequence_number = index
        record._data = payload
        yield record


def _protobuf_one_at_a_time(entries: Entries) -> None:
    for entry in entries:
        for record in _sub_records(entry):
            record.data  # noqa: B018


def _protobuf_list_of_all(entries: Entries) -> None:
    records: list[SubRecord] = []
    for entry in entries:
        records += _sub_records(entry)
    for record in records:
        record.data  # noqa: B018


def _minimum(entries: Entries) -> None:
    for entry in entries:
        raw = decode_base64(entry["kinesis"]["data"])
        md5(memoryview(raw)[4:-16], usedforsecurity=False).digest()
