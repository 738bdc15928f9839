"""The event that is handed to a function is the one that Lambda gives."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kstream.core.delivery import StreamRecord
from kstream.core.events import ENVELOPE_BYTES, entry_bytes, envelope_bytes, kinesis_event

NAMES = {"shard_id": "shardId-000000000006", "stream_arn": "arn:aws:kinesis:us-east-2:123456789012:stream/s"}


def test_the_event_has_the_documented_form() -> None:
    record = StreamRecord("1", "49590338271490256608559692538361571095921575989136588898", b"Hello", 1545084650.987)
    event = kinesis_event([record], **NAMES, region="us-east-2", role_arn="arn:aws:iam::123456789012:role/lambda-role")
    assert event == {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "1",
                    "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
                    "data": "SGVsbG8=",
                    "approximateArrivalTimestamp": 1545084650.987,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
                "awsRegion": "us-east-2",
                "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/s",
            }
        ]
    }
    assert json.loads(json.dumps(event)) == event


def test_events_share_nothing() -> None:
    record = StreamRecord("k", "1", b"", 0.0)
    one, other = (kinesis_event([record, record], **NAMES) for _ in range(2))
    one["Records"][0]["kinesis"]["data"] = "changed"
    assert one["Records"][1] == other["Records"][0] == other["Records"][1]


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.integers(0, 10**56),
    st.binary(max_size=50),
    st.floats(1e9, 2e9),
)
def test_the_size_of_an_entry_is_never_underrated(key: str, number: int, data: bytes, arrived_at: float) -> None:
    record = StreamRecord(key, str(number), data, arrived_at)
    event = kinesis_event([record], **NAMES, region="us-east-2")
    size = len(json.dumps(event["Records"][0], separators=(",", ":"), ensure_ascii=False).encode()) + 1
    estimate = entry_bytes(record, envelope_bytes(**NAMES, region="us-east-2"))
    assert size <= estimate <= size + 20


def test_the_default_envelope_covers_the_longest_names() -> None:
    assert (
        envelope_bytes(
            shard_id="shardId-000000000000",
            stream_arn=f"arn:aws-us-gov:kinesis:ap-southeast-2:123456789012:stream/{'s' * 128}",
            region="ap-southeast-2",
            role_arn=f"arn:aws-us-gov:iam::123456789012:role/{'r' * 64}",
        )
        <= ENVELOPE_BYTES
    )
