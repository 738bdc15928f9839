"""The same verdict as google.protobuf, on whatever message stands under a good digest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kstream.core.aggregation import Aggregate, aggregate, parse
from kstream.core.aggregation.wire import varint
from kstream.core.record import Record
from tests.support.aggregates import seal, verdict


def ours(message: bytes) -> str | list[tuple[Any, ...]]:
    found = parse(seal(message))
    if found is None:
        return "plain"
    if not isinstance(found, Aggregate):
        return "malformed"
    records = found.records(Record(b""))
    assert [record.sub_sequence_number for record in records] == list(range(len(records)))
    return [(r.partition_key, r.explicit_hash_key, r.data, dict(r.headers)) for r in records]


def long_varint(value: int, length: int) -> bytes:
    """A varint that takes ``length`` bytes, however few would do."""
    short = varint(value)
    if length <= len(short):
        return short
    return short[:-1] + bytes([short[-1] | 0x80]) + b"\x80" * (length - len(short) - 1) + b"\x00"


def rarely(*odd: Any, usual: list[Any], times: int = 40) -> st.SearchStrategy[Any]:
    return st.sampled_from([*usual * times, *odd])


lengths = rarely(2, 3, 4, 5, 6, 9, 10, 11, usual=[1], times=300)
# 2049 and 3329 end in what is a tag elsewhere.
indexes = rarely(2, 127, 128, 2049, 3329, 1 << 32, (1 << 64) - 1, 1 << 64, (1 << 64) + 1, usual=[0, 0, 1])
payloads = st.one_of(st.binary(max_size=6), st.sampled_from([100, 122, 124, 128, 150, 300]).map(lambda n: b"p" * n))


@st.composite
def fields(draw: st.DrawFn, number: st.SearchStrategy[int], value: st.SearchStrategy[bytes | int]) -> bytes:
    """One field; now and then with a length that lies, or numbers spelled longer than they need be."""
    content = draw(value)
    tag = draw(number) << 3
    if isinstance(content, int):
        return long_varint(tag, draw(lengths)) + long_varint(content, draw(lengths))
    size = max(0, len(content) + draw(rarely(1, -1, 1 << 31, 1 << 32, usual=[0], times=400)))
    return long_varint(tag | 2, draw(lengths)) + long_varint(size, draw(lengths)) + content


def some(*options: st.SearchStrategy[bytes], most: int = 4) -> st.SearchStrategy[bytes]:
    return st.lists(st.one_of(*options), max_size=most).map(b"".join)


def shuffled(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(*parts).flatmap(st.permutations).map(b"".join)


one = st.just
group_numbers = st.sampled_from([1, 2, 3, 4, 7, (1 << 29) - 1])
unknown = st.one_of(
    fields(st.integers(5, 40), st.integers(0, 9) | st.sampled_from([1 << 63, 1 << 64, (1 << 70) - 1])),
    fields(st.integers(5, 40), st.binary(max_size=4)),
    group_numbers.map(lambda number: varint(number << 3 | 3) + b"\x28\x01" + varint(number << 3 | 4)),
    # Known numbers with other wire types, and now and then what is no field at all.
    rarely(
        *(b"\x0d12", b"\x0b\x14", b"\x0c", b"\x0e", b"\x0f", b"\x00\x00", b"\x02\x00", b"\x28"),
        usual=[b"\x0d1234", b"\x0912345678", b"\x151234", b"\x1912345678", b"\x1b\x1c", b"\x22\x03\x0a\x01t"],
    ),
)
names = fields(one(1), st.sampled_from([b"", b"t", b"t", b"\xfe"]))
values = fields(one(2), st.binary(max_size=3))
tag_messages = shuffled(names, some(names, values, unknown))
usual_record = st.builds(
    lambda key, data: b"\x08" + varint(key) + b"\x1a" + varint(len(data)) + data, indexes, payloads
)
hash_keyed_record = st.builds(
    lambda key, hash_key, data: b"\x08" + varint(key) + b"\x10" + varint(hash_key) + b"\x1a" + varint(len(data)) + data,
    indexes,
    indexes,
    payloads,
)
key_index, hash_key_index, data_field = fields(one(1), indexes), fields(one(2), indexes), fields(one(3), payloads)
extras = some(key_index, hash_key_index, data_field, fields(one(4), tag_messages), unknown)
records = st.one_of(
    usual_record,
    usual_record,
    hash_keyed_record,
    hash_keyed_record,
    st.tuples(usual_record, some(fields(one(4), tag_messages))).map(b"".join),
    shuffled(key_index, data_field, extras),
    shuffled(key_index, data_field, extras),
    rarely(b"", b"\x08\x00", b"\x1a\x00", usual=[b"\x08\x00\x1a\x00"]),
)
tables = st.one_of(
    *(fields(one(number), st.sampled_from([b"k", b"key", b"\xff", b"l" * 130])) for number in (1, 2)),
)
usual_tables = st.sampled_from(["0a016b", "0a016b0a02ff6c", "0a016b0a016c120137120138", "1201370a016b120138", ""])
messages = st.tuples(
    usual_tables.map(bytes.fromhex),
    some(*[fields(one(3), records)] * 6, tables, unknown, most=8),
).map(b"".join)


@given(messages)
def test_any_message_reads_as_protobuf_reads_it(message: bytes) -> None:
    assert ours(message) == verdict(message)


@given(
    st.lists(st.tuples(payloads, st.sampled_from(["a", "b", "c"]), st.sampled_from([None, "1", "2"])), min_size=1),
    st.data(),
)
def test_a_mutated_aggregate_reads_as_protobuf_reads_it(users: list[Any], data: Any) -> None:
    message = bytearray(aggregate(users)[4:-16])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(message) - 1))
        match data.draw(st.sampled_from(["set", "insert", "delete", "flip"])):
            case "set":
                message[at] = data.draw(st.integers(0, 255))
            case "flip":
                message[at] ^= 1 << data.draw(st.integers(0, 7))
            case "insert":
                message.insert(at, data.draw(st.integers(0, 255)))
            case _ if len(message) > 1:
                del message[at]
    assert ours(bytes(message)) == verdict(bytes(message))


@given(st.binary(min_size=1, max_size=40))
@example(b"\x9a\x00\x04\x08\x00\x1a\x00")
def test_random_bytes_read_as_protobuf_reads_them(message: bytes) -> None:
    assert ours(message) == verdict(message)


@pytest.mark.parametrize("depth", [1, 97, 98, 99, 100, 101, 102, 5_000])
@pytest.mark.parametrize("inside", ["message", "record", "tag"])
def test_groups_nest_as_deep_as_protobuf_lets_them(depth: int, inside: str) -> None:
    groups = b"\x2b" * depth + b"\x2c" * depth
    if inside == "message":
        message = b"\x0a\x01k" + groups
    elif inside == "record":
        message = b"\x0a\x01k\x1a" + varint(4 + len(groups)) + b"\x08\x00\x1a\x00" + groups
    else:
        tag = b"\x22" + varint(3 + len(groups)) + b"\x0a\x01t" + groups
        message = b"\x0a\x01k\x1a" + varint(4 + len(tag)) + b"\x08\x00\x1a\x00" + tag
    assert ours(message) == verdict(message)


@pytest.mark.parametrize("length", range(1, 12))
def test_numbers_may_be_spelled_as_long_as_protobuf_lets_them(length: int) -> None:
    for message in (
        long_varint(0x0A, length) + b"\x01k",
        b"\x0a" + long_varint(1, length) + b"k",
        b"\x0a\x01k" + long_varint(0x1A, length) + b"\x04\x08\x00\x1a\x00",
        b"\x0a\x01k\x1a" + long_varint(4, length) + b"\x08\x00\x1a\x00",
        b"\x0a\x01k\x1a" + varint(3 + length) + long_varint(0x08, length) + b"\x00\x1a\x00",
        b"\x0a\x01k\x1a" + varint(3 + length) + b"\x08" + long_varint(0, length) + b"\x1a\x00",
        b"\x0a\x01k\x1a" + varint(3 + length) + b"\x08\x00\x1a" + long_varint(0, length),
        b"\x0a\x01k\x28" + long_varint((1 << 64) - 1, length),
        b"\x0a\x01k\x28" + b"\xff" * (length - 1) + b"\x02",
        b"\x0a\x01k" + b"\xff" * (length - 1) + b"\x0a\x00",
    ):
        assert ours(message) == verdict(message), message.hex()
