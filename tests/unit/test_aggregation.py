"""The public module: what ``deaggregate`` takes and gives."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import kstream.aggregation
from kstream.aggregation import aggregate, deaggregate
from kstream.core.errors import EventError, UndecodableRecord
from kstream.core.record import EventRecord, Record
from kstream.testing import enveloped
from tests.support.aggregates import seal

AGGREGATE = aggregate([(b"one", "k1"), (b"two", "k2", "7")])
MALFORMED = seal(bytes.fromhex("0a016b 1a05 0807 1a0141"))


def entry(data: bytes | str, sequence: str = "123") -> dict[str, Any]:
    return {
        "eventSource": "aws:kinesis",
        "eventID": f"shardId-000000000003:{sequence}",
        "eventSourceARN": "arn:x",
        "kinesis": {
            "partitionKey": "a",
            "sequenceNumber": sequence,
            "data": data if isinstance(data, str) else b64encode(data).decode(),
            "approximateArrivalTimestamp": 1.5,
        },
    }


def from_boto3(data: bytes, sequence: str = "123") -> dict[str, Any]:
    arrived_at = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))
    return {
        "SequenceNumber": sequence,
        "ApproximateArrivalTimestamp": arrived_at,
        "Data": data,
        "PartitionKey": "a",
        "EncryptionType": "NONE",
    }


@pytest.mark.parametrize(
    "source",
    [
        AGGREGATE,
        bytearray(AGGREGATE),
        Record(AGGREGATE),
        EventRecord(entry(AGGREGATE)),
        entry(AGGREGATE),
        [entry(AGGREGATE)],
        {"Records": [entry(AGGREGATE)]},
        from_boto3(AGGREGATE),
        {"Records": [from_boto3(AGGREGATE)], "MillisBehindLatest": 0},
        iter([AGGREGATE]),
    ],
    ids=range(10),
)
def test_every_source_is_understood(source: Any) -> None:
    records = deaggregate(source)
    assert [(r.data, r.partition_key, r.explicit_hash_key) for r in records] == [
        (b"one", "k1", None),
        (b"two", "k2", "7"),
    ]


def test_plain_and_aggregated_records_keep_their_order() -> None:
    records = deaggregate([b"0", entry(AGGREGATE), Record(b"3"), from_boto3(b"4"), entry(b"5")])
    assert [record.data for record in records] == [b"0", b"one", b"two", b"3", b"4", b"5"]
    assert deaggregate([]) == []
    assert deaggregate({"Records": []}) == []


def test_an_aggregate_of_no_records_gives_none() -> None:
    assert deaggregate(seal(b"\x0a\x01k")) == []


def test_records_of_lambda_know_where_they_stand() -> None:
    one, two = deaggregate(entry(AGGREGATE))
    assert (one.id, two.id) == ("arn:x/shardId-000000000003/123/0", "arn:x/shardId-000000000003/123/1")


def test_records_of_boto3_are_told_where_they_stand() -> None:
    two = deaggregate(from_boto3(AGGREGATE), shard_id="shardId-000000000009", stream_arn="arn:y")[1]
    assert two.id == "arn:y/shardId-000000000009/123/1"
    assert two.outer_key == "a"
    assert two.arrived_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert two.arrived_at.tzinfo is UTC


def test_a_record_that_was_inside_is_not_opened_again() -> None:
    (inner,) = deaggregate(aggregate([(AGGREGATE, "k")]))
    assert deaggregate(inner) == [inner]
    assert inner.data == AGGREGATE


@pytest.mark.parametrize("make", [bytes, entry, from_boto3, Record, lambda data: EventRecord(entry(data))])
def test_an_envelope_gives_its_payload_and_headers(make: Any) -> None:
    [record] = deaggregate(make(enveloped("payload", {"a": "b"})))
    assert (record.data, dict(record.headers)) == (b"payload", {"a": "b"})
    assert deaggregate(record) == [record]


def test_one_that_was_in_an_envelope_is_not_opened_again() -> None:
    [record] = deaggregate(entry(enveloped(enveloped("x", {"a": "b"}), {})))
    assert deaggregate(record) == [record]
    assert record.data == enveloped("x", {"a": "b"})
    [nested] = deaggregate(aggregate([(enveloped("x", {}), "k")]))
    assert nested.data == enveloped("x", {})


def test_plain_records_stay_encoded() -> None:
    """Data that are not base64 and do not begin like an aggregate are met by who asks for them."""
    (record,) = deaggregate(entry("not base64!"))
    with pytest.raises(UndecodableRecord):
        record.data  # noqa: B018


@pytest.mark.parametrize(
    "source", [MALFORMED, entry(MALFORMED), from_boto3(MALFORMED)], ids=["bytes", "lambda", "boto3"]
)
def test_a_malformed_aggregate_raises_or_is_kept_whole(source: Any) -> None:
    with pytest.raises(UndecodableRecord, match=r"entry 0 .* partition key 7.*malformed=\"keep\""):
        deaggregate(source)
    assert [record.data for record in deaggregate([b"0", source, b"1"], malformed="keep")] == [b"0", MALFORMED, b"1"]


def test_broken_base64_raises_or_is_kept() -> None:
    source = entry("84mawg=x")
    with pytest.raises(UndecodableRecord, match="base64"):
        deaggregate(source)
    (record,) = deaggregate(source, malformed="keep")
    assert record.sequence_number == "123"


@pytest.mark.parametrize(
    "source", [{}, {"detail": 1}, {"kinesis": {}}, {"kinesis": None}, {"kinesis": {"data": None}}], ids=range(5)
)
def test_a_mapping_without_a_record_is_an_event_error(source: Any) -> None:
    with pytest.raises(EventError):
        deaggregate([source])


@pytest.mark.parametrize("source", [None, 7, "text", ["text"]])
def test_anything_else_is_a_type_error(source: Any) -> None:
    with pytest.raises(TypeError, match="cannot de-aggregate"):
        deaggregate(source)


def test_a_misspelled_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="raise"):
        deaggregate(b"", malformed="drop")  # type: ignore[arg-type]


def test_the_public_names_exist() -> None:
    for name in kstream.aggregation.__all__:
        assert hasattr(kstream.aggregation, name)
