"""The event, read strictly: what is not a Kinesis delivery is an error, and never a success."""

from __future__ import annotations

import contextlib
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.errors import EventError
from kstream.runtimes.lambda_event import batch_of
from tests.support.processing import aggregate_of, entry, event


@pytest.mark.parametrize(
    ("given_event", "message"),
    [
        (None, "the event is NoneType, not an object with Records"),
        ([], "the event is list"),
        ("{}", "the event is str"),
        ({}, "the event has no list of Records, but nothing"),
        ({"detail": 1, "source": 2}, "but detail, source"),
        ({"Records": None}, "no list of Records"),
        ({"Records": {}}, "no list of Records"),
        ({"Records": ["x"]}, r"Records\[0\] is str, not an object"),
        ({"Records": [{}]}, r"Records\[0\] comes from None, not 'aws:kinesis'"),
        ({"Records": [{"eventSource": "aws:sqs", "body": ""}]}, "eventSourceARN is None"),
        ({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]}, "eventSourceARN is None"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "comes from 'aws:sns'"),
        (
            {"Records": [{"eventSource": "aws:kinesis", "eventID": ""}]},
            "has no kinesis object, but eventID, eventSource",
        ),
    ],
)
def test_what_is_no_kinesis_event_is_named_with_its_remedy(given_event: Any, message: str) -> None:
    with pytest.raises(EventError, match=message) as told:
        batch_of(given_event)
    assert "check the function's event source mapping" in str(told.value)


def broken(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    found = deepcopy(entry(2))
    target = found
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    return found


@pytest.mark.parametrize("path", [("kinesis",), ("kinesis", "data")], ids=".".join)
@pytest.mark.parametrize("value", [None, 7, [], b"e30="])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_entry_without_a_payload_is_told_wherever_it_stands(path: tuple[str, ...], value: Any, at: int) -> None:
    entries: list[Any] = [entry(1), entry(3)]
    entries.insert(at, broken(path, value))
    with pytest.raises(EventError, match=rf"Records\[{at}\]"):
        batch_of(event(*entries))


@pytest.mark.parametrize("other", [None, "x", 7, {}, []])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_entry_that_is_something_else_is_told_wherever_it_stands(other: Any, at: int) -> None:
    entries: list[Any] = [entry(1), entry(3)]
    entries.insert(at, other)
    with pytest.raises(EventError, match=rf"Records\[{at}\]"):
        batch_of(event(*entries))


IDENTITY = [("kinesis", "partitionKey"), ("kinesis", "sequenceNumber"), ("eventID",), ("eventSourceARN",)]


@pytest.mark.parametrize("path", IDENTITY, ids=".".join)
@pytest.mark.parametrize("value", [None, 7])
@pytest.mark.parametrize("last", [False, True])
def test_what_names_a_record_must_be_text(path: tuple[str, ...], value: Any, last: bool) -> None:
    entries = [entry(1), broken(path, value)] if last else [broken(path, value), entry(3)]
    with pytest.raises(EventError, match=rf"Records\[{int(last)}\].*{path[-1]} is {value!r}, not text"):
        batch_of(event(*entries))


@pytest.mark.parametrize("value", [None, "1.5", []])
def test_a_record_arrived_at_some_time(value: Any) -> None:
    with pytest.raises(EventError, match=r"Records\[1\]\.kinesis\.approximateArrivalTimestamp is"):
        batch_of(event(entry(1), broken(("kinesis", "approximateArrivalTimestamp"), value)))


@pytest.mark.parametrize("path", IDENTITY, ids=".".join)
def test_what_names_a_record_in_the_middle_is_looked_at_before_its_position_counts(path: tuple[str, ...]) -> None:
    found = batch_of(event(entry(1), broken(path, None), entry(3)))
    with pytest.raises(EventError, match=rf"Records\[1\].*{path[-1]} is None"):
        found.verify()


def test_a_record_of_another_shard_in_the_middle_is_noticed_before_its_position_counts() -> None:
    found = batch_of(event(entry(1), entry(2, shard_id="shardId-000000000008"), entry(3)))
    with pytest.raises(EventError, match="a delivery holds one shard"):
        found.verify()
    batch_of(event(entry(1), entry(2), entry(3))).verify()


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "1_000", " 7", "²"])
def test_a_sequence_number_is_a_number(number: str) -> None:
    with pytest.raises(EventError, match="not a number"):
        batch_of(event(entry(number)))


def test_a_delivery_holds_one_shard_of_one_stream() -> None:
    other_shard, other_stream = entry(2), entry(2)
    other_shard["eventID"] = "shardId-000000000008:2"
    other_stream["eventSourceARN"] += "-2"
    for other in (other_shard, other_stream):
        with pytest.raises(EventError, match="a delivery holds one shard"):
            batch_of(event(entry(1), other))


def test_a_delivery_of_nothing_is_a_batch_of_nothing() -> None:
    assert len(batch_of({"Records": []}).records) == 0


def test_a_sound_delivery_is_a_batch() -> None:
    found = batch_of(event(entry("01"), entry(2, aggregate_of(("k", b"x"), ("k", b"y"))), entry(3)))
    assert [record.sequence_number for record in found.records] == ["01", "2", "2", "3"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["aws:kinesis", "e30="]),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Records",
                    "kinesis",
                    "eventSource",
                    "eventID",
                    "eventSourceARN",
                    "data",
                    "partitionKey",
                    "sequenceNumber",
                ]
            ),
            values,
            max_size=8,
        )
    ),
    max_leaves=30,
)


@given(json_values)
def test_anything_else_is_an_event_error_and_nothing_worse(value: Any) -> None:
    with contextlib.suppress(EventError):
        batch_of({"Records": [entry(1), value, entry(3)]})
    try:
        found = batch_of(value)
    except EventError:
        return
    assert len(found.outers) == len(value["Records"])
