"""A record as a line: nothing that anybody put into a stream steers the terminal, and JSON tells all."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kstream.cli.tail_format import as_json, as_text
from kstream.cli.tailing import Seen
from kstream.core.record import Record

WHEN = datetime(2026, 1, 31, 12, 0, 0, 123456, UTC)


def seen(data: bytes, key: str = "k", malformed: str | None = None) -> Seen:
    return Seen(Record(data, partition_key=key, sequence_number="7", sub_sequence_number=2, arrived_at=WHEN), malformed)


def test_a_line_tells_when_where_which_and_what() -> None:
    assert as_text(seen(b'{"a": 1}'), shorten=False).plain == (
        '2026-01-31T12:00:00.123+00:00  shardId-000000000000  7:2  k  {"a": 1}'
    )


@given(st.binary(), st.text(min_size=1))
def test_a_line_is_one_line_of_printable_text(data: bytes, key: str) -> None:
    assert as_text(seen(data, key), shorten=False).plain.isprintable()


@given(st.binary(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_json_holds_the_payload_exactly(data: bytes, key: str) -> None:
    value = json.loads(json.dumps(as_json(seen(data, key))))

    payload = value["data"].encode() if "data" in value else b64decode(value["dataBase64"])
    assert payload == data
    assert (value["partitionKey"], value["sequenceNumber"], value["subSequenceNumber"]) == (key, "7", 2)


def test_a_long_payload_is_cut_on_a_screen_only() -> None:
    long = b"x" * 5_000

    assert as_text(seen(long), shorten=True).plain.endswith("... (5,000 bytes)")
    assert as_text(seen(long), shorten=False).plain.endswith("xxx")


def test_an_aggregate_that_contradicts_itself_is_shown_with_the_reason() -> None:
    assert "malformed aggregate: why" in as_text(seen(b"raw", malformed="why"), shorten=False).plain
    assert as_json(seen(b"raw", malformed="why"))["malformed"] == "why"
