"""A queue's messages, read strictly."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import EventError, UndecodableRecord
from kstream.core.ports import stream_name
from kstream.redrive.item import item_of
from kstream.runtimes.lambda_event import batch_of
from kstream.testing import sqs_event

GOLDEN = {
    name: json.loads((Path(__file__).parents[2] / "golden" / "lambda_events" / f"{name}.json").read_text("utf-8"))
    for name in ("sqs", "sqs_fifo")
}


def test_a_message_is_a_record() -> None:
    batch = batch_of(deepcopy(GOLDEN["sqs"]))
    first, second = batch.records
    assert batch.queue_order == "none"
    assert (first.json(), second.text()) == ({"amount": 3}, "grüezi")
    assert first.sequence_number == "0a9f3c1e-52d7-4b8a-9c3f-1d2e3f4a5b6c"
    assert dict(first.headers) == {
        "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        "tenant": "blue",
        "size": "123",
        "AWS.MessageId": "0a9f3c1e-52d7-4b8a-9c3f-1d2e3f4a5b6c",
    }
    assert first.arrived_at == datetime(2025, 12, 31, 12, 4, 5, 250_000, UTC)
    assert (first.shard_id, stream_name(first.stream_arn)) == ("", "jobs")
    assert (first.partition_key, second.partition_key) == (first.sequence_number, "a-fair-queues-tenant")


def test_only_a_queue_that_is_called_fifo_keeps_an_order() -> None:
    """A group says nothing of it: a fair queue's messages have one too."""
    assert [record.text() for record in batch_of(deepcopy(GOLDEN["sqs_fifo"])).records] == ["first"]
    assert batch_of(deepcopy(GOLDEN["sqs_fifo"])).queue_order == "partition_key"
    assert batch_of(deepcopy(GOLDEN["sqs"])).records[1].partition_key == "a-fair-queues-tenant"
    assert batch_of(deepcopy(GOLDEN["sqs"])).queue_order == "none"


def test_a_trace_header_of_the_producers_own_stands_before_the_queues() -> None:
    event = deepcopy(GOLDEN["sqs"])
    own = {"stringValue": "Root=mine", "dataType": "String"}
    event["Records"][0]["messageAttributes"]["X-Amzn-Trace-Id"] = own
    assert batch_of(event).records[0].headers["X-Amzn-Trace-Id"] == "Root=mine"


def test_a_message_is_known_by_its_id_however_often_it_comes() -> None:
    once, twice, other = (batch_of(sqs_event(["x"], first_message=n)).records[0] for n in (0, 0, 1))
    assert (once.position, once.id) == (twice.position, twice.id)
    assert once.position != other.position
    assert len(str(once.position.sequence)) <= 129


def test_what_was_parked_of_it_is_the_same_record_still() -> None:
    record = batch_of(deepcopy(GOLDEN["sqs"])).records[0]
    now = datetime.now(UTC)
    letter = DeadLetter("totals", record, "no", "Reject", 1, now, now)
    item = item_of("ref", letter.to_json())
    assert isinstance(item.content, DeadLetter)
    parked = item.content.record
    assert (item.key, parked.id, parked.data) == (letter.key, record.id, record.data)
    assert parked.headers["AWS.MessageId"] == record.sequence_number


def test_a_body_without_utf_8_is_poison_that_can_be_parked() -> None:
    event = sqs_event(["x"])
    event["Records"][0]["body"] = "\ud800"
    [record] = batch_of(event).records
    with pytest.raises(UndecodableRecord, match="no UTF-8"):
        record.json()
    assert record.as_arrived().data == b"\xed\xa0\x80"
    assert record.as_arrived().id == record.id


def wrong(*path: str, value: Any, kind: str = "sqs") -> dict[str, Any]:
    entry: dict[str, Any] = deepcopy(GOLDEN[kind]["Records"][0])
    place = entry
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return {"Records": [GOLDEN[kind]["Records"][0], entry]}


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (wrong("eventSource", value="aws:dynamodb"), r"Records\[1\] comes from 'aws:dynamodb', not 'aws:sqs'"),
        (wrong("eventSourceARN", value="arn:other"), "mixes records of arn:aws:sqs:.*:jobs and arn:other"),
        (wrong("messageId", value=""), r"Records\[1\]\.messageId is '', not a name"),
        (wrong("body", value=None), r"Records\[1\]\.body is None, not text"),
        (wrong("attributes", value=None), r"Records\[1\]\.attributes is None, not an object"),
        (wrong("attributes", "SentTimestamp", value="now"), r"Records\[1\]\.attributes\.SentTimestamp is 'now', not"),
        (
            wrong("attributes", "SentTimestamp", value="253402300800000"),
            r"Records\[1\]\.attributes\.SentTimestamp is '253402300800000', not milliseconds of any year",
        ),
        (
            wrong("attributes", "SentTimestamp", value="9" * 5000),
            r"Records\[1\]\.attributes\.SentTimestamp is '9{79}, not a number of at most 20 digits",
        ),
        (wrong("attributes", "MessageGroupId", value=7), r"Records\[1\]\.attributes\.MessageGroupId is 7, not text"),
        (
            wrong("attributes", "MessageGroupId", value=None, kind="sqs_fifo"),
            r"Records\[1\]\.attributes\.MessageGroupId is None, not text",
        ),
    ],
    ids=["source", "mixed", "id", "body", "attributes", "sent", "year-10000", "huge", "group", "fifo-group"],
)
def test_what_is_no_message_is_named_by_its_index_and_field(event: dict[str, Any], message: str) -> None:
    with pytest.raises(EventError, match=message):
        batch_of(event)


@pytest.mark.parametrize("given", [None, [], {"a": None}, {"a": {}}, {"a": {"stringValue": 7}}])
def test_attributes_that_are_no_text_make_no_headers(given: Any) -> None:
    event = sqs_event(["x"])
    event["Records"][0]["messageAttributes"] = given
    assert list(batch_of(event).records[0].headers) == ["AWS.MessageId"]
