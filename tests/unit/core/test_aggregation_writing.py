"""What user records are written as."""

from __future__ import annotations

from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.aggregation import Aggregate, Aggregator, OuterRecord, UserRecord, aggregate, parse
from kstream.core.record import Record
from tests.support.aggregates import MAGIC, AggregatedRecord, seal

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
hash_keys = st.none() | st.integers(0, (1 << 128) - 1).map(str)
headers = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.just("v") | keys, max_size=3
)
users = st.builds(
    UserRecord,
    data=st.binary(max_size=300) | st.integers(0, 20_000).map(bytes),
    partition_key=st.sampled_from(["a", "b", "c-1"]) | keys,
    explicit_hash_key=hash_keys,
    headers=st.just({}) | headers,
)


def read(raw: bytes) -> list[UserRecord]:
    found = parse(raw)
    assert isinstance(found, Aggregate)
    records = found.records(Record(b""))
    return [UserRecord(r.data, r.partition_key, r.explicit_hash_key, dict(r.headers)) for r in records]


def test_the_bytes_are_the_kpls() -> None:
    """Written by hand from the format's description."""
    message = bytes.fromhex(
        "0a026b31 0a026b32  120137  1a07 0800 1a036f6e65  1a09 0801 1000 1a0374776f1a0c 0800 1a00 2206 0a0174 120176"
    )
    records = [(b"one", "k1"), (b"two", "k2", "7"), UserRecord(b"", "k1", None, {"t": "v"})]
    assert aggregate(records) == seal(message)


@given(st.lists(users, min_size=1, max_size=12))
def test_what_is_written_is_read_again(records: list[UserRecord]) -> None:
    assert read(aggregate(records)) == records


@given(st.lists(users, min_size=1, max_size=12))
def test_the_bytes_are_protobufs(records: list[UserRecord]) -> None:
    message = AggregatedRecord()
    tables: tuple[dict[str, int], dict[str, int]] = {}, {}
    for record in records:
        entry = message.records.add(data=record.data)
        entry.partition_key_index = tables[0].setdefault(record.partition_key, len(tables[0]))
        if record.explicit_hash_key is not None:
            entry.explicit_hash_key_index = tables[1].setdefault(record.explicit_hash_key, len(tables[1]))
        for name, value in record.headers.items():
            entry.tags.add(key=name, value=value)
    message.partition_key_table.extend(tables[0])
    message.explicit_hash_key_table.extend(tables[1])
    assert aggregate(records) == seal(message.SerializeToString())


@given(st.lists(users, min_size=1, max_size=30), st.integers(30, 1_500))
def test_nothing_is_lost_and_no_limit_exceeded(records: list[UserRecord], limit: int) -> None:
    """What was added comes out, in order; what was refused would have exceeded the limit, by the byte."""
    aggregator = Aggregator(limit)
    collected: list[UserRecord] = []
    for record in records:
        size = aggregator.size
        added = aggregator.add(*record)
        exact = len(aggregate([*collected, record]))
        assert added == (exact <= limit)
        assert aggregator.size == (exact if added else size)
        if added:
            collected.append(record)
        assert len(aggregator) == len(collected)
    outer = aggregator.take(alone_as_it_is=False)
    if not collected:
        assert outer is None
        return
    assert outer is not None
    assert len(outer.data) <= limit
    assert read(outer.data) == collected
    assert (len(aggregator), aggregator.size, aggregator.take()) == (0, 20, None)


def test_every_limit_within_thirty_bytes_of_the_sum_is_kept() -> None:
    """Where aws-kinesis-agg loses a record."""
    records = [UserRecord(bytes(50), f"key-{i}", str(i)) for i in range(5)]
    exact = len(aggregate(records))
    for limit in range(exact - 30, exact + 30):
        aggregator = Aggregator(limit)
        taken = [record for record in records if aggregator.add(*record)]
        assert len(taken) == (5 if limit >= exact else 4)
        outer = aggregator.take()
        assert outer is not None
        assert read(outer.data) == taken


def test_the_outer_keys_are_the_kpls() -> None:
    aggregator = Aggregator()
    aggregator.add(b"1", "user-1")
    aggregator.add(b"2", "user-2", "5")
    outer = aggregator.take()
    assert outer is not None
    assert outer.partition_key == "a"
    assert outer.explicit_hash_key == str(int(md5(b"user-1").hexdigest(), 16))

    aggregator.add(b"2", "user-2", "5")
    aggregator.add(b"1", "user-1")
    outer = aggregator.take()
    assert outer is not None
    assert outer[:2] == ("a", "5")


def test_a_record_that_stayed_alone_goes_out_as_it_is() -> None:
    aggregator = Aggregator()
    assert aggregator.add(b"1", "k", "5")
    assert aggregator.take() == OuterRecord("k", "5", b"1")
    assert aggregator.add(b"1", "k")
    assert aggregator.take() == OuterRecord("k", None, b"1")
    assert aggregator.add(b"1", "k")
    outer = aggregator.take(alone_as_it_is=False)
    assert outer is not None
    assert read(outer.data) == [UserRecord(b"1", "k")]


@pytest.mark.parametrize(
    "record",
    [
        UserRecord(b"1", "k", None, {"trace": "7"}),
        UserRecord(aggregate([(b"inner", "k")]), "k"),
        UserRecord(MAGIC, "k"),
    ],
    ids=["headers", "an aggregate itself", "begins like one"],
)
def test_a_record_alone_that_would_lose_something_is_wrapped(record: UserRecord) -> None:
    aggregator = Aggregator()
    aggregator.add(*record)
    outer = aggregator.take()
    assert outer is not None
    assert outer.partition_key == "a"
    assert read(outer.data) == [record]


def test_records_can_be_aggregated_again() -> None:
    found = parse(aggregate([UserRecord(b"1", "k", "5", {"h": "v"}), (b"2", "k")]))
    assert isinstance(found, Aggregate)
    assert read(aggregate(found.records(Record(b"")))) == [
        UserRecord(b"1", "k", "5", {"h": "v"}),
        UserRecord(b"2", "k"),
    ]


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to aggregate"):
        aggregate([])


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_a_partition_key_that_kinesis_refuses_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        aggregate([(b"", key)])


@pytest.mark.parametrize("hash_key", ["", "-1", "01", "x", str(1 << 128), "\u0661", "1\n"])
def test_an_explicit_hash_key_that_kinesis_refuses_is_refused(hash_key: str) -> None:
    aggregator = Aggregator()
    with pytest.raises(ValueError, match=r"0 to 2\*\*128 - 1"):
        aggregator.add(b"", "k", hash_key)
    assert (len(aggregator), aggregator.size) == (0, 20)


def test_a_refused_record_changes_nothing() -> None:
    aggregator = Aggregator(100)
    assert aggregator.add(b"1", "k")
    before: Any = aggregator.size
    assert not aggregator.add(bytes(100), "other", "5", {"h": "v"})
    assert aggregator.size == before
    assert aggregator.take() == OuterRecord("k", None, b"1")
