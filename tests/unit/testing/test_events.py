"""Simple inputs become real events."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from kstream.core.batch import Batch
from kstream.core.delivery import StreamRecord
from kstream.core.record import Record
from kstream.testing.clock import VirtualClock
from kstream.testing.events import LambdaContext, enveloped, kinesis_event


def test_simple_inputs() -> None:
    record = Record(b"r", partition_key="rk", sequence_number="7")
    event = kinesis_event([b"one", ("two", "k2"), {"a": 1}, [1], record, StreamRecord("sk", "8", b"s", 5.0)])
    found = [(each["kinesis"]["partitionKey"], b64decode(each["kinesis"]["data"])) for each in event["Records"]]
    assert found == [
        ("key-0", b"one"),
        ("k2", b"two"),
        ("key-2", b'{"a":1}'),
        ("key-3", b"[1]"),
        ("rk", b"r"),
        ("sk", b"s"),
    ]
    numbers = [each["kinesis"]["sequenceNumber"] for each in event["Records"]]
    assert numbers[4:] == ["7", "8"]
    assert len(numbers[0]) == 56
    assert int(numbers[1]) == int(numbers[0]) + 1
    assert all(
        each["eventID"] == f"shardId-000000000000:{n}" for each, n in zip(event["Records"], numbers, strict=True)
    )


def test_headers_come_in_an_envelope() -> None:
    record = Record(b"r", partition_key="rk", sequence_number="7", headers={"traceparent": "00-1"})
    event = kinesis_event([enveloped({"a": 1}, {"b": "c"}), (enveloped("two", {}), "k2"), record])
    found = Batch.from_entries(event["Records"]).records
    assert [(each.data, dict(each.headers)) for each in found] == [
        (b'{"a":1}', {"b": "c"}),
        (b"two", {}),
        (b"r", {"traceparent": "00-1"}),
    ]
    assert (found[1].partition_key, found[2].partition_key, found[2].sequence_number) == ("k2", "rk", "7")
    with pytest.raises(ValueError, match="headers are text"):
        enveloped("x", {"a": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([3], "payload is bytes, text, a dictionary or a list, not int"),
        (["one", ("two", 2)], r"record 1: \('two', 2\) is not a payload with its partition key, a text"),
        ([("one", "k", "more")], "record 0: .* is not a payload with its partition key"),
        ("one", r"records='one' is one payload: give a list of them, as in \['one'\]"),
        (b"one", "records=b'one' is one payload"),
        ({"a": 1}, r"records=\{'a': 1\} is one payload"),
        (3, "records=3: give a list"),
    ],
)
def test_what_is_no_payload_is_refused(given: Any, message: str) -> None:
    """Text alone would be one record for each letter, and a dictionary one for each of its keys."""
    with pytest.raises(TypeError, match=message):
        kinesis_event(given)


def test_the_context_counts_down_by_its_clock() -> None:
    clock = VirtualClock()
    context = LambdaContext(clock=clock, timeout=3, aws_request_id="r-1")
    assert (context.get_remaining_time_in_millis(), context.aws_request_id) == (3000, "r-1")
    clock.advance(1.5)
    assert context.get_remaining_time_in_millis() == 1500
    clock.advance(10)
    assert context.get_remaining_time_in_millis() == 0
    assert context.invoked_function_arn.endswith(f":function:{context.function_name}")
