"""What the integration takes for a request to Kinesis, and how it answers. It believes no template."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from kstream.aws.stream_writer import FailureKind, NotWritten, Written
from kstream.ingest.contract import Limits
from kstream.ingest.engine.integration import KinesisIntegration
from tests.support.ingest import CODES, MemoryStreams

RECORD = {"Data": "eA==", "PartitionKey": "k"}


def call(action: str, request: Any, streams: MemoryStreams | None = None) -> tuple[int, dict[str, Any]]:
    text = request if isinstance(request, str) else json.dumps(request)
    return KinesisIntegration(streams or MemoryStreams(), Limits(record_bytes=10)).call(action, text)


def test_records_are_put_into_the_stream_that_is_named() -> None:
    streams = MemoryStreams()
    assert call("PutRecord", {"StreamName": "orders", **RECORD}, streams) == (
        200,
        {"SequenceNumber": "1", "ShardId": "shardId-000000000000"},
    )
    status, answer = call("PutRecords", {"StreamName": "orders", "Records": [RECORD, RECORD]}, streams)
    assert (status, answer["FailedRecordCount"], len(answer["Records"])) == (200, 0, 2)
    assert streams.taken() == [(b"x", "k")] * 3


@pytest.mark.parametrize(
    ("action", "request_", "kind"),
    [
        ("PutRecord", "{", "SerializationException"),
        ("PutRecord", "[]", "SerializationException"),
        ("PutRecord", {"StreamName": "orders"}, "ValidationException"),
        ("PutRecord", RECORD, "ValidationException"),
        ("PutRecord", {"StreamName": 7, **RECORD}, "ValidationException"),
        ("PutRecord", {"StreamName": "orders", "Data": "!", "PartitionKey": "k"}, "SerializationException"),
        ("PutRecord", {"StreamName": "orders", "Data": "eA=", "PartitionKey": "k"}, "SerializationException"),
        ("PutRecord", {"StreamName": "orders", "Data": None, "PartitionKey": "k"}, "SerializationException"),
        ("PutRecord", {"StreamName": "orders", "Data": "eA==", "PartitionKey": ""}, "ValidationException"),
        ("PutRecord", {"StreamName": "orders", "Data": "eA==", "PartitionKey": "k" * 257}, "ValidationException"),
        ("PutRecord", {"StreamName": "orders", "Data": "eA==", "PartitionKey": "\ud800"}, "SerializationException"),
        ("PutRecords", {"StreamName": "orders"}, "SerializationException"),
        ("PutRecords", {"StreamName": "orders", "Records": []}, "ValidationException"),
        ("PutRecords", {"StreamName": "orders", "Records": [RECORD] * 501}, "ValidationException"),
        ("PutRecords", {"StreamName": "orders", "Records": [RECORD, {}]}, "ValidationException"),
        ("PutRecords", {"StreamName": "orders", "Records": [RECORD, None]}, "SerializationException"),
    ],
)
def test_what_kinesis_refuses_is_refused_whole(action: str, request_: Any, kind: str) -> None:
    streams = MemoryStreams()
    status, answer = call(action, request_, streams)
    assert (status, answer["__type"]) == (400, kind)
    assert not streams.calls


@pytest.mark.parametrize(("size", "key", "status"), [(9, "k", 200), (10, "k", 400), (8, "é", 200), (9, "é", 400)])
def test_data_and_key_are_limited_in_bytes(size: int, key: str, status: int) -> None:
    record = {"Data": b64encode(b"x" * size).decode(), "PartitionKey": key}
    for action, request in (("PutRecord", record), ("PutRecords", {"Records": [record]})):
        assert call(action, {"StreamName": "orders", **request})[0] == status


@pytest.mark.parametrize(
    ("kind", "single", "batch"),
    [
        (FailureKind.THROTTLED, 400, 200),
        (FailureKind.INTERNAL, 500, 200),
        (FailureKind.INVALID, 400, 400),
        (FailureKind.OTHER, 400, 400),
    ],
)
def test_a_failure_is_told_as_kinesis_tells_it(kind: FailureKind, single: int, batch: int) -> None:
    streams = MemoryStreams(lambda *_: kind)
    assert call("PutRecord", {"StreamName": "orders", **RECORD}, streams)[0] == single
    status, answer = call("PutRecords", {"StreamName": "orders", "Records": [RECORD]}, streams)
    assert status == batch
    if status == 200:
        assert answer["FailedRecordCount"] == 1
        assert answer["Records"][0]["ErrorCode"] == CODES[kind]
    else:
        assert answer["__type"] == CODES[kind]


def test_of_a_batch_that_was_put_in_part_every_failure_is_told() -> None:
    """The writer makes several calls of a large batch, and one of them may fail as a whole."""
    streams = MemoryStreams(lambda call, index, entry: FailureKind.OTHER if index else None)
    status, answer = call("PutRecords", {"StreamName": "orders", "Records": [RECORD] * 3}, streams)
    assert (status, answer["FailedRecordCount"]) == (200, 2)


KMS = NotWritten(FailureKind.THROTTLED, "KMSThrottlingException", "slow down")
SHARD = NotWritten(FailureKind.THROTTLED, CODES[FailureKind.THROTTLED], "slow down")
INTERNAL = NotWritten(FailureKind.INTERNAL, CODES[FailureKind.INTERNAL], "oops")
PUT = Written("1", "shardId-000000000000")


@pytest.mark.parametrize("code", ["KMSThrottlingException", "LimitExceededException", "ThrottlingException"])
def test_a_call_that_was_throttled_as_a_whole_is_told_as_one(code: str) -> None:
    """Of single records Kinesis says ProvisionedThroughputExceededException alone; with these the whole call is 400."""
    throttled = NotWritten(FailureKind.THROTTLED, code, "slow down")
    request = json.dumps({"StreamName": "orders", "Records": [RECORD, RECORD]})
    answer = KinesisIntegration(lambda *_: [throttled, throttled], Limits()).call("PutRecords", request)
    assert (answer.status, answer.document["__type"]) == (400, code)


@pytest.mark.parametrize("results", [[KMS, PUT], [KMS, INTERNAL], [SHARD, SHARD]])
def test_where_throttling_was_not_all_each_record_has_its_own_answer(results: list[Any]) -> None:
    request = json.dumps({"StreamName": "orders", "Records": [RECORD, RECORD]})
    assert KinesisIntegration(lambda *_: results, Limits()).call("PutRecords", request).status == 200


def test_calls_of_one_batch_that_were_throttled_for_different_reasons_were_throttled() -> None:
    request = json.dumps({"StreamName": "orders", "Records": [RECORD, RECORD]})
    answer = KinesisIntegration(lambda *_: [SHARD, KMS], Limits()).call("PutRecords", request)
    assert (answer.status, answer.document["__type"]) == (400, "KMSThrottlingException")
