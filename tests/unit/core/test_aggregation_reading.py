"""What the bytes of one Kinesis record are read as."""

from __future__ import annotations

import gc
import weakref
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.aggregation import AGGREGATE_PREFIX, Aggregate, Malformed, aggregate, parse
from kstream.core.record import EventRecord, Record
from tests.support.aggregates import MAGIC, seal

if TYPE_CHECKING:
    from kstream.core.aggregation import SubRecord

OUTER = Record(
    b"",
    partition_key="a",
    sequence_number="49590338271490256608559692538361571095921575989136588898",
    shard_id="shardId-000000000007",
    stream_arn="arn:aws:kinesis:eu-central-1:123456789012:stream/orders",
    arrived_at=datetime(2026, 1, 31, tzinfo=UTC),
)

# Written by hand from the format's description: keys "k1" and "k2"; hash key "7";
# (k1, -, "one"), (k2, 7, "two") and (k1, -, "") with the tag t = v.
GOLDEN = bytes.fromhex(
    "f3899ac2"
    "0a026b31 0a026b32"
    "120137"
    "1a07 0800 1a036f6e65"
    "1a09 0801 1000 1a0374776f"
    "1a0c 0800 1a00 2206 0a0174 120176"
    "995a83529c6a936ccb3d35c702b43b35"
)


def read(raw: bytes) -> list[SubRecord]:
    found = parse(raw)
    assert isinstance(found, Aggregate), found
    return found.records(OUTER)


def test_a_hand_made_aggregate() -> None:
    records = read(GOLDEN)
    assert [record.data for record in records] == [b"one", b"two", b""]
    assert [record.partition_key for record in records] == ["k1", "k2", "k1"]
    assert [record.explicit_hash_key for record in records] == [None, "7", None]
    assert [dict(record.headers) for record in records] == [{}, {}, {"t": "v"}]
    assert [record.sub_sequence_number for record in records] == [0, 1, 2]


def test_where_a_record_stands_is_told_by_its_outer_record() -> None:
    record = read(GOLDEN)[1]
    assert record.outer_key == "a"
    assert record.sequence_number == OUTER.sequence_number
    assert record.shard_id == OUTER.shard_id
    assert record.stream_arn == OUTER.stream_arn
    assert record.arrived_at == OUTER.arrived_at
    assert record.position == (int(OUTER.sequence_number), 1)
    assert record.id.endswith(f"/shardId-000000000007/{OUTER.sequence_number}/1")
    assert "k2" in repr(record)
    assert "two" not in repr(record)


def test_the_outer_record_may_be_an_entry_of_lambdas_event() -> None:
    entry = {
        "eventID": "shardId-000000000003:123",
        "eventSourceARN": "arn:x",
        "kinesis": {"partitionKey": "a", "sequenceNumber": "123", "approximateArrivalTimestamp": 1.5},
    }
    aggregate = parse(GOLDEN)
    assert isinstance(aggregate, Aggregate)
    record = aggregate.records(EventRecord(entry))[2]
    assert (record.id, record.outer_key) == ("arn:x/shardId-000000000003/123/2", "a")
    assert record.arrived_at == datetime.fromtimestamp(1.5, UTC)


def test_a_record_cannot_be_written_to() -> None:
    record = read(GOLDEN)[0]
    for name in ("data", "partition_key", "sub_sequence_number", "anything"):
        with pytest.raises(AttributeError):
            setattr(record, name, b"x")


def test_two_outer_records_do_not_mix() -> None:
    """The same bytes put twice are two Kinesis records."""
    aggregate = parse(GOLDEN)
    assert isinstance(aggregate, Aggregate)
    first, second = aggregate.records(OUTER)[0], aggregate.records(Record(b"", sequence_number="2"))[0]
    assert (first.sequence_number, second.sequence_number) == (OUTER.sequence_number, "2")


def test_an_aggregate_knows_its_length_and_gives_its_records_one_at_a_time() -> None:
    aggregate = parse(GOLDEN)
    assert isinstance(aggregate, Aggregate)
    assert len(aggregate) == 3
    assert next(iter(aggregate.iterate(OUTER))).data == b"one"
    for index, record in enumerate(aggregate.iterate(OUTER)):
        again = aggregate.record(OUTER, index)
        assert (again, again.headers, again.explicit_hash_key) == (record, record.headers, record.explicit_hash_key)


def test_records_free_their_aggregate_without_the_garbage_collector() -> None:
    class Outer(Record):
        pass

    gc.disable()
    try:
        outer = Outer(b"")
        alive = weakref.ref(outer)
        aggregate = parse(GOLDEN)
        assert isinstance(aggregate, Aggregate)
        records = aggregate.records(outer)
        assert records[2].headers
        del outer, records, aggregate
        assert alive() is None
    finally:
        gc.enable()


PLAIN = {
    "nothing": b"",
    "text": b'{"id": 1}',
    "the magic number alone": MAGIC,
    "no room for a digest": MAGIC + b"\x00" * 15,
    "an empty message": seal(b""),
    "another magic number": b"\xf3\x89\x9a\xc3" + GOLDEN[4:],
    "cut off": GOLDEN[:-1],
    "one byte more": GOLDEN + b"\x00",
    "a flipped bit": GOLDEN[:20] + bytes([GOLDEN[20] ^ 1]) + GOLDEN[21:],
    "a digest of something else": GOLDEN[:-16] + bytes(16),
    "garbage": seal(b"\xff" * 40),
    "text in an envelope": seal(b"hello, world"),
    "an entry beyond the end": seal(bytes.fromhex("0a016b 1a09 0800 1a0341")),
    "a usual entry beyond the end": seal(bytes.fromhex("0a016b 1a7f 0800 1a7b") + b"x" * 10),
    "a large usual entry beyond the end": seal(bytes.fromhex("0a016b 1aaf02 0800 1aaa02") + b"x" * 290),
    "a table beyond the end": seal(bytes.fromhex("0a056b")),
    "an entry without data": seal(bytes.fromhex("0a016b 1a02 0800")),
    "an entry without a key index": seal(bytes.fromhex("0a016b 1a03 1a0141")),
    "an empty entry": seal(bytes.fromhex("0a016b 1a00")),
    "a tag without a key": seal(bytes.fromhex("0a016b 1a09 0800 1a0141 2202 1200")),
    "field 0": seal(bytes.fromhex("0a016b 0000")),
    "a group that does not end": seal(bytes.fromhex("0a016b 2b 0800")),
    "a group that ends as another": seal(bytes.fromhex("0a016b 2b 34")),
    "an unknown wire type": seal(bytes.fromhex("0a016b 2e")),
}


@pytest.mark.parametrize("raw", PLAIN.values(), ids=PLAIN.keys())
def test_what_is_no_aggregate_is_plain(raw: bytes) -> None:
    assert parse(raw) is None


MALFORMED = {
    "entry 0 of the aggregate names partition key 0, but the aggregate holds 0 (counted from 0)": "1a05 0800 1a0141",
    "entry 1 of the aggregate names partition key 1, but the aggregate holds 1 (counted from 0)": (
        "0a016b 1a05 0800 1a0141 1a05 0801 1a0141 1a05 0809 1a0141"
    ),
    "entry 0 of the aggregate names partition key 300, but the aggregate holds 1 (counted from 0)": (
        "0a016b 1a06 08ac02 1a0141"
    ),
    "entry 0 of the aggregate names partition key 18446744073709551615, but the aggregate holds 1 (counted from 0)": (
        "0a016b 1a0e 08ffffffffffffffffff01 1a0141"
    ),
    "entry 1 of the aggregate names explicit hash key 2, but the aggregate holds 1 (counted from 0)": (
        "0a016b 120137 1a07 0800 1000 1a0141 1a07 0800 1002 1a0141"
    ),
}


@pytest.mark.parametrize(("reason", "message"), MALFORMED.items(), ids=range(len(MALFORMED)))
def test_an_index_out_of_range_is_malformed_with_its_reason(reason: str, message: str) -> None:
    assert parse(seal(bytes.fromhex(message))) == Malformed(reason)


@pytest.mark.parametrize("size", [0, 3, 122, 123, 127, 128, 200, 300, 2048, 2049, 20_000])
def test_an_index_out_of_range_is_found_in_every_layout(size: int) -> None:
    good = aggregate([(b"x" * size, "k1"), (b"x" * size, "k2", "7"), (b"x" * size, "k3")])
    assert len(read(good)) == 3
    message = good[4:-16].replace(b"\x0a\x02k3", b"")
    for _ in range(2):  # the second time the layout is known
        assert parse(seal(message)) == Malformed(
            "entry 2 of the aggregate names partition key 2, but the aggregate holds 2 (counted from 0)"
        )
        bad = good[4:-16].replace(b"\x12\x017", b"")
        assert parse(seal(bad)) == Malformed(
            "entry 1 of the aggregate names explicit hash key 0, but the aggregate holds 0 (counted from 0)"
        )


def test_tables_may_follow_the_entries() -> None:
    records = read(seal(bytes.fromhex("1a07 0800 1000 1a0141  1a05 0801 1a0142  0a016b 120137 0a016c")))
    assert [(r.partition_key, r.explicit_hash_key, r.data) for r in records] == [("k", "7", b"A"), ("l", None, b"B")]


def test_an_aggregate_of_no_records_is_one() -> None:
    found = parse(seal(bytes.fromhex("0a016b")))
    assert isinstance(found, Aggregate)
    assert len(found) == 0
    assert found.records(OUTER) == []


def test_one_level_only() -> None:
    inner = aggregate([(b"x", "k")])
    assert [record.data for record in read(aggregate([(inner, "outer"), (b"y", "k")]))] == [inner, b"y"]


def test_unknown_fields_are_skipped_and_the_last_scalar_counts() -> None:
    message = bytes.fromhex(
        "0a016b 0a016c"
        "28ffffffffffffffffff01 3101020304050607 08 3501020304 2a03616263 2b 2801 2c"  # unknown: 5 varint, 6, 6, 5, group
        "1a11 1a0141 0801 0800 10 8100 5a00 1a0142 0801"
        "1201 30 120131"
    )
    records = read(seal(message))
    assert [(r.partition_key, r.explicit_hash_key, r.data) for r in records] == [("l", "1", b"B")]


def test_keys_that_are_not_utf8_stay_apart_and_can_be_stored() -> None:
    message = bytes.fromhex("0a02ff61 0a02fe61 1201ff 1a0e 0800 1000 1a0141 2205 0a01ff 1200 1a05 0801 1a0142")
    first, second = read(seal(message))
    assert (first.partition_key, second.partition_key) == (r"\xffa", r"\xfea")
    assert first.explicit_hash_key == r"\xff"
    assert dict(first.headers) == {r"\xff": ""}


def test_of_two_headers_with_one_name_the_last_counts() -> None:
    record = read(seal(bytes.fromhex("0a016b 1a13 0800 1a00 2206 0a0174 120161 2205 120162 0a00")))[0]
    assert dict(record.headers) == {"t": "a", "": "b"}
    record = read(seal(bytes.fromhex("0a016b 1a14 0800 1a00 2206 0a0174 120161 2206 0a0174 120162")))[0]
    assert dict(record.headers) == {"t": "b"}
    with pytest.raises(TypeError):
        record.headers["t"] = "c"  # type: ignore[index]


@pytest.mark.parametrize("keys", [1, 127, 128, 129, 300, 20_000])
def test_keys_by_the_thousand(keys: int) -> None:
    """Indexes of one, two and three bytes."""
    records = read(aggregate([(b"%d" % i, f"key-{i}") for i in range(keys)]))
    assert [record.partition_key for record in records] == [f"key-{i}" for i in range(keys)]
    assert [record.data for record in records] == [b"%d" % i for i in range(keys)]


@pytest.mark.parametrize("size", [10, 150, 300])
def test_keys_and_hash_keys_by_the_thousand(size: int) -> None:
    users = [(b"x" * size, f"key-{i}", None if i % 3 else str(i)) for i in range(4_000)]
    records = read(aggregate(users))
    assert [(r.data, r.partition_key, r.explicit_hash_key) for r in records] == users


def test_payloads_of_every_size() -> None:
    """Every size at which a length changes its number of bytes, and all between the usual ones; twice, to use what was
    learned."""
    sizes = [*range(400), *range(2030, 2060), *range(16_370, 16_400), 70_000, 1 << 20, (1 << 21) + 5]
    for hash_key in (None, "12345"):
        raws = [(size, aggregate([(b"x" * size, "k", hash_key)])) for size in sizes]
        for size, raw in raws + raws:
            (record,) = read(raw)
            assert record.data == b"x" * size
            assert (record.partition_key, record.explicit_hash_key) == ("k", hash_key)


@given(st.binary(max_size=200))
def test_every_aggregate_begins_with_the_prefix_in_base64(rest: bytes) -> None:
    assert b64encode(MAGIC + rest).decode().startswith(AGGREGATE_PREFIX)


@given(st.binary(max_size=60), st.booleans())
def test_random_bytes_raise_nothing(raw: bytes, magic: bool) -> None:
    assert parse(MAGIC + raw if magic else raw) is None


@given(st.data())
def test_a_damaged_aggregate_is_plain(data: Any) -> None:
    raw = bytearray(GOLDEN)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    assert bytes(raw) == GOLDEN or parse(bytes(raw)) is None
