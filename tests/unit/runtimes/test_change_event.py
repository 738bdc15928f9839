"""A table's changes, read strictly, and named so that no two of them are ever taken for one."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import EventError
from kstream.core.ports import stream_name
from kstream.core.record import arrivals
from kstream.redrive.item import item_of
from kstream.runtimes.lambda_event import batch_of
from kstream.testing import dynamodb_event

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "lambda_events" / "dynamodb.json").read_text("utf-8"))


def test_a_change_is_a_record_of_its_item() -> None:
    batch = batch_of(deepcopy(GOLDEN))
    inserted, modified, removed = batch.records
    assert batch.queue_order is None
    assert [record.json() for record in batch.records] == GOLDEN["Records"]
    assert {record.partition_key for record in batch.records} == {'{"Id":{"N":"101"}}'}
    assert [record.sequence_number for record in batch.records] == [
        "200000000000000499659",
        "300000000000000499660",
        "1000000000000000499661",
    ]
    assert inserted.position < modified.position < removed.position  # by value: the last has a digit more
    assert modified.arrived_at == datetime(2025, 12, 31, 12, 4, 5, 500_000, UTC)
    assert removed.json()["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"
    assert (inserted.shard_id, stream_name(inserted.stream_arn), dict(inserted.headers)) == ("", "Orders", {})
    assert inserted.data.isascii()


def test_when_changes_were_made_is_told_as_of_any_records() -> None:
    assert arrivals(batch_of(deepcopy(GOLDEN)).records)[1] == datetime(2025, 12, 31, 12, 4, 5, 500_000, UTC).timestamp()


def test_the_key_of_an_item_is_spelled_the_same_in_whatever_order_its_attributes_come() -> None:
    one, two = dynamodb_event([{"a": 1, "b": "x"}, {"a": 1, "b": "x"}], keys=("b", "a"))["Records"]
    two["dynamodb"]["Keys"] = dict(reversed(two["dynamodb"]["Keys"].items()))
    first, second = batch_of({"Records": [one, two]}).records
    assert first.partition_key == second.partition_key == '{"a":{"N":"1"},"b":{"S":"x"}}'


def test_changes_of_two_shards_with_one_sequence_number_are_two() -> None:
    """AWS promises an order in a shard, and no number that is a stream's only one."""
    one, two = dynamodb_event([{"id": "a"}, {"id": "b"}])["Records"]
    two["dynamodb"]["SequenceNumber"] = one["dynamodb"]["SequenceNumber"]
    [first], [second] = (batch_of({"Records": [entry]}).records for entry in (one, two))
    assert first.position != second.position
    assert first.id != second.id
    [again] = batch_of({"Records": [deepcopy(one)]}).records
    assert (again.position, again.id) == (first.position, first.id)


def test_positions_order_as_sequence_numbers_do_and_fit_any_ledger() -> None:
    numbers = [10**20, 10**20 + 1, 10**39, 10**40 - 1]
    found = [batch_of(dynamodb_event([{"id": "a"}], first_sequence_number=number)).records[0] for number in numbers]
    assert sorted(found, key=lambda record: record.position) == found
    assert len(str(found[-1].position.sequence)) <= 129


def test_what_was_parked_of_it_is_the_same_record_still() -> None:
    record = batch_of(deepcopy(GOLDEN)).records[0]
    now = datetime.now(UTC)
    letter = DeadLetter("totals", record, "no", "Reject", 1, now, now)
    item = item_of("ref", letter.to_json())
    assert isinstance(item.content, DeadLetter)
    parked = item.content.record
    assert (item.key, parked.id, parked.json()) == (letter.key, record.id, record.json())
    assert (parked.partition_key, parked.arrived_at) == (record.partition_key, record.arrived_at)


def wrong(*path: str, value: Any) -> dict[str, Any]:
    entry: dict[str, Any] = deepcopy(GOLDEN["Records"][1])
    place = entry
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return entry


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x", r"Records\[1\] is str, not an object"),
        ({"eventSource": "aws:kinesis"}, r"Records\[1\] comes from 'aws:kinesis', not 'aws:dynamodb'"),
        (wrong("eventSourceARN", value=None), r"Records\[1\]\.eventSourceARN is None, not text"),
        (wrong("eventSourceARN", value="arn:other"), "mixes records of arn:aws:dynamodb:.* and arn:other"),
        (wrong("eventID", value=""), r"Records\[1\]\.eventID is '', not a name"),
        (wrong("eventName", value=7), r"Records\[1\]\.eventName is 7, not text"),
        (wrong("dynamodb", value=[]), r"Records\[1\]\.dynamodb is \[\], not an object"),
        (wrong("dynamodb", "Keys", value=None), r"Records\[1\]\.dynamodb\.Keys is None, not an object"),
        (
            {**GOLDEN["Records"][0], "dynamodb": {"SequenceNumber": "1"}},
            r"Records\[1\]\.dynamodb has no Keys object, but SequenceNumber",
        ),
        (wrong("dynamodb", "SequenceNumber", value="1x"), r"Records\[1\]\.dynamodb\.SequenceNumber is '1x', not a num"),
        (
            wrong("dynamodb", "ApproximateCreationDateTime", value="1"),
            r"Records\[1\]\.dynamodb\.ApproximateCreationDateTime is '1', not seconds",
        ),
        *(
            (
                wrong("dynamodb", "ApproximateCreationDateTime", value=moment),
                rf"Records\[1\]\.dynamodb\.ApproximateCreationDateTime is {moment}, not seconds of any year",
            )
            for moment in (float("nan"), float("inf"), -1e12)
        ),
        (
            wrong("dynamodb", "SequenceNumber", value="9" * 5000),
            r"Records\[1\]\.dynamodb\.SequenceNumber is '9{79}, not a number of at most 109 digits",
        ),
        (wrong("dynamodb", "Keys", value={"id": {"B": b"x"}}), r"Records\[1\]\.dynamodb\.Keys is {.*, not JSON"),
        (wrong("dynamodb", "Keys", value={1: "x", "id": "y"}), r"Records\[1\]\.dynamodb\.Keys is {.*, not JSON"),
    ],
    ids=[
        "text",
        "source",
        "no-arn",
        "mixed",
        "event-id",
        "event-name",
        "change",
        "keys",
        "no-keys",
        "number",
        "time",
        "nan",
        "inf",
        "before-year-1",
        "huge",
        "bytes",
        "names",
    ],
)
def test_what_is_no_change_is_named_by_its_index_and_field(entry: Any, message: str) -> None:
    with pytest.raises(EventError, match=message):
        batch_of({"Records": [GOLDEN["Records"][0], entry]})
