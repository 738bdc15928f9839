"""Against aws-kinesis-agg, an independent implementation: the same, but where it is known to be wrong."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from kstream.aggregation import deaggregate
from kstream.core.aggregation import Aggregator, Malformed, aggregate, parse
from tests.support.aggregates import import_peer, seal

if TYPE_CHECKING:
    import pytest

aggregator, deaggregator = import_peer()

users = st.tuples(
    st.binary(max_size=300),
    st.sampled_from(["a", "b"]) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
)
hash_keys = st.integers(0, (1 << 128) - 1).map(str)


def entry(data: bytes) -> dict[str, Any]:
    return {
        "eventID": "shardId-000000000000:1",
        "eventSourceARN": "arn",
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": "1",
            "partitionKey": "a",
            "approximateArrivalTimestamp": 1.0,
            "data": base64.b64encode(data).decode(),
        },
    }


def theirs(data: bytes) -> list[tuple[Any, ...]]:
    return [
        (
            base64.b64decode(record["kinesis"]["data"]),
            record["kinesis"]["partitionKey"],
            record["kinesis"].get("explicitHashKey"),
            record["kinesis"].get("subSequenceNumber", 0),
        )
        for record in deaggregator.deaggregate_records([entry(data)])
    ]


def ours(data: bytes) -> list[tuple[Any, ...]]:
    return [
        (record.data, record.partition_key, record.explicit_hash_key, record.sub_sequence_number)
        for record in deaggregate([entry(data)])
    ]


def their_aggregate(records: list[tuple[Any, ...]], limit: int = 1 << 20) -> bytes:
    aggregate = aggregator.AggRecord(limit)
    for data, key, *hash_key in records:
        assert aggregate.add_user_record(key, data, *hash_key)
    return bytes(aggregate.get_contents()[2])


def test_importing_the_peer_leaves_the_path_alone() -> None:
    assert not any("aws_kinesis_agg" in place for place in sys.path)


@given(st.lists(users, min_size=1, max_size=20))
def test_both_write_the_same_bytes(records: list[Any]) -> None:
    assert aggregate(records) == their_aggregate(records)


@given(st.lists(st.tuples(users, hash_keys).map(lambda pair: (*pair[0], pair[1])), min_size=1, max_size=20))
def test_both_write_the_same_bytes_with_hash_keys(records: list[Any]) -> None:
    assert aggregate(records) == their_aggregate(records)


@given(st.lists(users, min_size=1, max_size=20))
def test_both_read_what_either_wrote(records: list[Any]) -> None:
    raw = aggregate(records)
    assert ours(raw) == theirs(raw)
    raw = their_aggregate(records)
    assert ours(raw) == theirs(raw)


@given(st.binary(max_size=80), st.sampled_from(["as it is", "sealed", "magic"]))
def test_both_find_the_same_bytes_plain(raw: bytes, kind: str) -> None:
    raw = seal(raw) if kind == "sealed" else b"\xf3\x89\x9a\xc2" + raw if kind == "magic" else raw
    if parse(raw) is None and theirs(raw) == [(raw, "a", None, 0)]:
        assert ours(raw) == theirs(raw)
    else:
        # Random bytes that protobuf parses: the peer overlooks a missing required field, and yields what it has.
        assert kind == "sealed"


def test_the_peer_gives_a_record_its_neighbours_hash_key() -> None:
    raw = aggregate([(b"1", "k", "5"), (b"2", "k")])
    assert theirs(raw)[1][2] == "5"
    assert ours(raw)[1][2] is None


def test_the_peer_drops_the_rest_at_a_bad_index(capfd: pytest.CaptureFixture[str]) -> None:
    raw = seal(bytes.fromhex("0a016b 1a05 0800 1a0141 1a05 0807 1a0142 1a05 0800 1a0143"))
    assert [data for data, *_ in theirs(raw)] == [b"A"]
    assert "ERROR" in capfd.readouterr().err
    assert isinstance(parse(raw), Malformed)


def test_the_peer_loses_a_record_within_twenty_bytes_of_its_limit() -> None:
    for size in range(71, 91):
        peer = aggregator.RecordAggregator(max_size=100)
        finished = peer.add_user_record("k", bytes(size))
        lost = finished is not None and finished.get_num_user_records() == peer.get_num_user_records() == 0
        assert lost == (len(aggregate([(bytes(size), "k")])) > 100)
        assert kstream_refuses(size) == lost


def kstream_refuses(size: int) -> bool:
    return not Aggregator(100).add(bytes(size), "k")
