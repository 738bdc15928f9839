"""AWS's on-failure messages: what AWS sends is read whole, and anything else is told apart with its reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from kstream.core.delivery.batch import Discard, StreamRecord
from kstream.core.delivery.on_failure import on_failure_message
from kstream.redrive.item import Unreadable, item_of
from kstream.redrive.on_failure import NotOnFailure, OnFailureMessage, on_failure_of
from tests.unit.redrive.builders import SEQUENCE, golden, letter


def read(text: str) -> OnFailureMessage:
    content = item_of("ref", text).content
    assert isinstance(content, OnFailureMessage), content
    return content


@pytest.mark.parametrize("name", ["sqs", "sns_in_sqs"])
def test_the_metadata_is_read_whole(name: str) -> None:
    message = read(golden(name))

    assert message == OnFailureMessage(
        request_id="316aa6d0-8154-4d10-8e6a-c7d2b1d6e3c9",
        function_arn="arn:aws:lambda:eu-west-1:111122223333:function:order-totals:live",
        condition="RetryAttemptsExhausted",
        invocations=3,
        status_code=200,
        function_error="Unhandled",
        timestamp=datetime(2026, 1, 2, 3, 4, 9, 123000, UTC),
        stream_arn="arn:aws:kinesis:eu-west-1:111122223333:stream/orders",
        shard_id="shardId-000000000001",
        first=str(SEQUENCE),
        last=str(SEQUENCE + 2),
        first_arrived_at=datetime(2026, 1, 2, 3, 4, 5, 100000, UTC),
        last_arrived_at=datetime(2026, 1, 2, 3, 4, 6, 200000, UTC),
        batch_size=2,
    )
    assert (message.function_name, message.stream_name, message.region) == ("order-totals", "orders", "eu-west-1")


def test_records_that_aged_out_have_no_response() -> None:
    message = read(golden("aged_out"))

    assert (message.condition, message.status_code, message.function_error) == ("RecordAgeExceeded", None, None)


@pytest.mark.parametrize("name", ["s3_payload_text", "s3_payload_object"])
def test_the_payload_of_s3_is_read_as_text_and_as_object(name: str) -> None:
    batch = read(golden(name)).batch

    assert batch is not None
    assert [(record.partition_key, record.json()["amount"]) for record in batch.records] == [("c-1", 1), ("c-2", 2)]


def test_what_our_own_runner_writes_is_read() -> None:
    record = StreamRecord("k", str(SEQUENCE), b"{}", 1_700_000_000.25)
    discard = Discard("d", "shardId-000000000000", 0, (record,), "RetryAttemptsExhausted", 2, "answered", True)
    arn = "arn:aws:kinesis:us-east-1:0:stream/s"
    function = "arn:aws:lambda:us-east-1:0:function:Notes"
    text = json.dumps(
        on_failure_message(discard, stream_arn=arn, function_arn=function, request_id="r", now=1_700_000_009.0)
    )

    message = read(text)

    assert (message.function_name, message.first, message.batch_size, message.status_code) == (
        "Notes", str(SEQUENCE), 1, 200,
    )  # fmt: skip
    assert message.function_error is None


def test_copies_of_one_message_have_one_identity() -> None:
    one, other = item_of("receipt-1", golden("sqs")), item_of("receipt-2", golden("sns_in_sqs"))

    assert (one.key, one.generation, one.id) == (other.key, other.generation, other.id)
    assert len(one.id) == 16


def broken(*path: str, value: Any = None) -> str:
    body = json.loads(golden("s3_payload_object"))
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(body)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[]", "JSON, but list"),
        ("{}", "neither a dead letter nor an on-failure message: an object with nothing"),
        ('{"requestContext": {}, "DDBStreamBatchInfo": {}}', "with DDBStreamBatchInfo, not of a Kinesis stream"),
        ('{"Type": "Notification", "Message": "hello"}', "not JSON"),
        ('{"kstream": "dead-letter/2"}', "this kstream reads 'dead-letter/1'"),
        (broken("requestContext"), "requestContext is missing, not dict"),
        (broken("requestContext", "condition"), "condition is missing"),
        (broken("requestContext", "approximateInvokeCount", value=True), "approximateInvokeCount is True, not int"),
        (broken("responseContext", "statusCode"), "statusCode is missing"),
        (broken("timestamp", value="yesterday"), "timestamp is 'yesterday', not a time"),
        (broken("timestamp", value="2026-01-02T03:04:05"), "without its zone"),
        (broken("KinesisBatchInfo", "startSequenceNumber", value="-1"), "'-1', not a sequence number"),
        (broken("KinesisBatchInfo", "endSequenceNumber", value="1"), "contradicts itself"),
        (broken("KinesisBatchInfo", "batchSize", value=0), "contradicts itself"),
        (broken("KinesisBatchInfo", "streamArn", value="orders"), "not the ARN of a stream"),
        (broken("payload", value="{"), "payload is not JSON"),
        (broken("payload", value={"Records": [{}]}), "payload is not a Kinesis event"),
    ],
)  # fmt: skip
def test_anything_else_is_shown_with_its_reason(text: str, reason: str) -> None:
    item = item_of("ref", text)

    assert isinstance(item.content, Unreadable)
    assert reason in item.content.reason
    assert (item.ref, item.body, item.when, item.consumer) == ("ref", text, None, None)


def test_a_payload_of_other_records_is_refused() -> None:
    body = json.loads(golden("s3_payload_object"))
    body["payload"]["Records"][1]["kinesis"]["sequenceNumber"] = str(SEQUENCE + 9)

    with pytest.raises(NotOnFailure, match="which KinesisBatchInfo does not name"):
        on_failure_of(body)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("consumer",), 5),
        (("attempts",), "x"),
        (("record", "sequenceNumber"), "12a"),
        (("record", "shardId"), None),
        (("record", "headers"), {"a": 1}),
        (("record", "headers"), []),
        (("lastAttemptAt",), "2026-01-01T00:00:00"),
        (("record", "data"), "no base64"),
        (("record",), []),
    ],
)
def test_a_letter_that_somebody_else_wrote_is_looked_at_closely(path: tuple[str, ...], value: Any) -> None:
    body = json.loads(letter().to_json())
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    assert isinstance(item_of("ref", json.dumps(body)).content, Unreadable)
