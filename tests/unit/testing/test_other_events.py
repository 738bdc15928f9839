"""Changes and messages from simple inputs are what AWS delivers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kstream.core.record import Record
from kstream.runtimes.lambda_event import batch_of
from kstream.testing import dynamodb_event, sqs_event

GOLDEN = Path(__file__).parents[2] / "golden" / "lambda_events"
FIFO = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"


def shape(value: Any, *, open_at: frozenset[str] = frozenset()) -> Any:
    """Names and kinds, without the values. What stands under ``open_at`` is the user's."""
    if isinstance(value, dict):
        return {
            name: "a user's" if name in open_at else shape(one, open_at=open_at) for name, one in sorted(value.items())
        }
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_changes_have_the_shape_of_awss() -> None:
    made = dynamodb_event([{"Id": 1}, ({"Id": 1}, {"Id": 1, "n": 2}), ({"Id": 1}, None)], keys=["Id"])["Records"]
    real = json.loads((GOLDEN / "dynamodb.json").read_text("utf-8"))["Records"]
    for entry in real:
        entry.pop("userIdentity", None)  # of deletions by TTL alone
    images = frozenset({"Keys", "NewImage", "OldImage"})
    assert [shape(entry, open_at=images) for entry in made] == [shape(entry, open_at=images) for entry in real]
    assert [entry["eventName"] for entry in made] == ["INSERT", "MODIFY", "REMOVE"]
    numbers = [int(entry["dynamodb"]["SequenceNumber"]) for entry in made]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert len({entry["eventID"] for entry in made}) == 3


def test_values_are_written_under_their_types() -> None:
    item = {
        "id": "a",
        "n": Decimal("1.50"),
        "yes": True,
        "none": None,
        "raw": b"\x00\xff",
        "list": ["x", 1],
        "map": {"k": 2.5},
        "texts": {"b", "a"},
        "numbers": {3},
        "blobs": {b"z"},
    }
    [record] = batch_of(dynamodb_event([item])).records
    assert record.json()["dynamodb"]["NewImage"] == {
        "id": {"S": "a"},
        "n": {"N": "1.50"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "raw": {"B": "AP8="},
        "list": {"L": [{"S": "x"}, {"N": "1"}]},
        "map": {"M": {"k": {"N": "2.5"}}},
        "texts": {"SS": ["a", "b"]},
        "numbers": {"NS": ["3"]},
        "blobs": {"BS": ["eg=="]},
    }


@pytest.mark.parametrize(
    "value",
    [object(), set(), {"a", 1}, {True}, float("nan"), Decimal("Infinity")],
    ids=["object", "empty", "mixed", "booleans", "nan", "infinity"],
)
def test_what_dynamodb_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="DynamoDB has no type for"):
        dynamodb_event([{"id": "a", "value": value}])


def test_an_item_needs_its_key() -> None:
    with pytest.raises(ValueError, match=r"has no id, sort"):
        dynamodb_event([{"other": 1}], keys=("id", "sort"))
    with pytest.raises(ValueError, match="a change has no item"):
        dynamodb_event([(None, None)])


@pytest.mark.parametrize("kind", ["sqs", "sqs_fifo"])
def test_messages_have_the_shape_of_awss(kind: str) -> None:
    real = json.loads((GOLDEN / f"{kind}.json").read_text("utf-8"))["Records"][0]
    for name in ("AWSTraceHeader",):
        real["attributes"].pop(name, None)  # of traced messages alone
    arn = FIFO if kind == "sqs_fifo" else "arn:aws:sqs:us-east-1:000000000000:orders"
    [made] = sqs_event(["one"], queue_arn=arn)["Records"]
    own = frozenset({"messageAttributes"})
    assert shape(made, open_at=own) == shape(real, open_at=own)


def test_simple_messages() -> None:
    record = Record(b"r", partition_key="rk", headers={"traceparent": "00-1", "AWS.MessageId": "before"})
    records = batch_of(sqs_event([b"one", ("two", "g"), {"a": 1}, [1], record], queue_arn=FIFO)).records
    assert [(each.text(), each.partition_key) for each in records] == [
        ("one", "group-0"),
        ("two", "g"),
        ('{"a":1}', "group-2"),
        ("[1]", "group-3"),
        ("r", "rk"),
    ]
    assert dict(records[4].headers) == {"traceparent": "00-1", "AWS.MessageId": records[4].sequence_number}
    assert len({each.sequence_number for each in records}) == 5
    later = batch_of(sqs_event(["x"], first_message=1)).records[0]
    assert later.sequence_number == records[1].sequence_number


def test_in_a_standard_queue_a_message_has_a_group_only_where_it_is_given() -> None:
    event = sqs_event(["one", ("two", "tenant"), Record(b"r", partition_key="rk")])
    assert [message["attributes"].get("MessageGroupId") for message in event["Records"]] == [None, "tenant", None]


def test_what_is_no_body_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        sqs_event([b"\xff"])
    with pytest.raises(TypeError, match="not int"):
        sqs_event([3])  # type: ignore[list-item]


def test_one_message_or_change_is_not_taken_for_many() -> None:
    with pytest.raises(TypeError, match=r"messages='abc' is one: give a list of them, as in \['abc'\]"):
        sqs_event("abc")
    with pytest.raises(TypeError, match=r"changes=\{'id': 1\} is one: give a list of them, as in \[\{'id': 1\}\]"):
        dynamodb_event({"id": 1})  # type: ignore[dict-item]
