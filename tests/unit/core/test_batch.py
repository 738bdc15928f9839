"""De-aggregation: which user records a delivery holds, and what is poison in it."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.aggregation import AGGREGATE_PREFIX as CODEC_PREFIX
from kstream.core.batch import AGGREGATE_PREFIX, Batch
from kstream.core.record import Record
from tests.support.processing import MALFORMED, SHARD_ID, STREAM_ARN, aggregate_of, batch, entry

TWO = aggregate_of(("x", b"one"), ("y", b"two"))


def test_plain_records_are_user_records_as_they_are() -> None:
    given_batch = batch(entry(1), entry(2))
    assert given_batch.records is given_batch.outers
    assert given_batch.malformed() == {}


def test_user_records_stand_in_order_each_with_its_outer_s_place_and_key() -> None:
    given_batch = batch(entry("1", b"zero", "p"), entry("02", TWO, "a"), entry("3", b"three", "q"))
    assert [record.data for record in given_batch.records] == [b"zero", b"one", b"two", b"three"]
    assert [record.partition_key for record in given_batch.records] == ["p", "x", "y", "q"]
    assert [record.outer_key for record in given_batch.records] == ["p", "a", "a", "q"]
    assert [record.sequence_number for record in given_batch.records] == ["1", "02", "02", "3"]
    assert [record.sub_sequence_number for record in given_batch.records] == [0, 0, 1, 0]
    assert len(given_batch.outers) == 3
    assert all((record.shard_id, record.stream_arn) == (SHARD_ID, STREAM_ARN) for record in given_batch.records)


@given(sizes=st.lists(st.integers(-1, 3), max_size=8))
def test_records_are_found_by_index_as_they_are_by_walking(sizes: list[int]) -> None:
    """-1 stands for a record that came alone, 0 for an aggregate of nothing."""
    given_batch = batch(
        *(
            entry(
                number, b"alone" if size < 0 else aggregate_of(*[("k", b"%d" % n) for n in range(size)], key_table="k")
            )
            for number, size in enumerate(sizes)
        )
    )
    expected = [
        (number, sub, b"alone" if size < 0 else b"%d" % sub)
        for number, size in enumerate(sizes)
        for sub in range(1 if size < 0 else size)
    ]

    def told(record: Record) -> tuple[int, int, bytes]:
        return int(record.sequence_number), record.sub_sequence_number, record.data

    records = given_batch.records
    assert len(records) == len(expected)
    assert [told(record) for record in records] == expected
    assert [told(records[index]) for index in range(len(records))] == expected
    assert [told(record) for record in records[1:3]] == expected[1:3]
    assert [(index, told(record)) for index, record in given_batch.walk(range(len(records)))] == list(
        enumerate(expected)
    )
    some = list(range(0, len(records), 2))
    assert [(index, told(record)) for index, record in given_batch.walk(some)] == [(i, expected[i]) for i in some]
    for outside in (len(records), -1):
        if records is not given_batch.outers:
            with pytest.raises(IndexError):
                _ = records[outside]


def test_a_malformed_aggregate_is_one_poison_record_with_the_bytes_that_arrived() -> None:
    given_batch = batch(entry(1, TWO), entry(2, MALFORMED, "k"), entry(3, MALFORMED))
    assert len(given_batch.records) == 4
    assert given_batch.records[2].data == MALFORMED
    assert (given_batch.records[2].partition_key, given_batch.records[2].sequence_number) == ("k", "2")
    errors = given_batch.malformed()
    assert list(errors) == [2, 3]
    assert "names partition key 0" in str(errors[2])


@pytest.mark.parametrize(
    "data",
    [TWO[:-1] + b"?", TWO[:-1], b"\xf3\x89\x9a\xc2", b"\xf3\x89\x9a\xc3" + TWO[4:]],
    ids=["digest", "cut off", "magic alone", "not quite magic"],
)
def test_what_only_looks_like_an_aggregate_is_a_plain_record(data: bytes) -> None:
    [record] = batch(entry(1, data, "k")).records
    assert (record.data, record.partition_key) == (data, "k")


def test_an_aggregate_that_is_not_base64_is_one_record_that_cannot_be_read() -> None:
    given_batch = batch(entry(1, raw=b64encode(TWO).decode() + "?"), entry(2))
    assert len(given_batch.records) == 2
    with pytest.raises(ValueError, match="not base64"):
        _ = given_batch.records[0].data


@given(st.binary(max_size=9))
def test_the_prefix_finds_every_aggregate(rest: bytes) -> None:
    encoded = b64encode(b"\xf3\x89\x9a\xc2" + rest).decode()
    assert encoded.startswith(AGGREGATE_PREFIX)
    assert AGGREGATE_PREFIX == CODEC_PREFIX


def test_records_that_are_user_records_already_make_a_batch_too() -> None:
    records = [Record(b"x", sequence_number="1"), Record(b"y", sequence_number="2", sub_sequence_number=3)]
    given_batch = Batch.plain(records)
    assert list(given_batch.records) == records
    assert given_batch.malformed() == {}
