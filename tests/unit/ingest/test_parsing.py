"""What a request may hold, and what each thing wrong with it is answered with."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.ingest.contract import Limits
from kstream.ingest.http import Head, Refusal
from kstream.ingest.parsing import batch_entries, single_entry

if TYPE_CHECKING:
    from kstream.aws.stream_writer import Entry

LIMITS = Limits(record_bytes=100)
HEAD = Head("POST", "/streams/orders/records/batch", {}, "r-1")

keys = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters='"\\' + "".join(map(chr, range(32)))),
    min_size=1,
    max_size=256,
)
text = st.text(st.characters(blacklist_categories=["Cs"]))


def parse(document: object) -> list[Entry]:
    return batch_entries(HEAD, json.dumps(document).encode(), LIMITS)


def refusal(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        batch_entries(HEAD, body, LIMITS)
    return caught.value


@given(st.lists(st.tuples(st.binary(), keys), min_size=1, max_size=20))
def test_base64_records_come_out_byte_for_byte(records: list[tuple[bytes, str]]) -> None:
    document = {"records": [{"dataBase64": b64encode(data).decode(), "partitionKey": key} for data, key in records]}
    assert batch_entries(HEAD, json.dumps(document).encode(), Limits()) == records


@given(text, st.booleans())
def test_text_comes_out_as_its_utf8(data: str, ascii_only: bool) -> None:
    body = json.dumps({"records": [{"data": data}]}, ensure_ascii=ascii_only).encode()
    assert batch_entries(HEAD, body, Limits()) == [(data.encode(), "r-1-0")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"records":[{"data":"\xff"}]}',
        '{"records":[{"data":"x"}]}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"records":' + b"9" * 5000 + b"}",
        b"null",
        b"[]",
        b"{}",
        b'{"records":{}}',
        b'{"records":[]}',
        b'{"records":[{"data":"x"}],"stream":"victim"}',
    ],
)
def test_what_is_no_batch_is_400(body: bytes) -> None:
    assert refusal(body).code.status == 400


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "not an object"),
        ("text", "not an object"),
        ([1], "not an object"),
        ({}, 'one of "data"'),
        ({"partitionKey": "k"}, 'one of "data"'),
        ({"data": "x", "dataBase64": "eA=="}, 'one of "data"'),
        ({"data": "x", "partition_key": "k"}, "unknown property 'partition_key'"),
        ({"data": "x", "\ud800": 1}, "unknown property"),
        ({"data": 1}, '"data"'),
        ({"data": None}, '"data"'),
        ({"data": "\ud800"}, '"data"'),
        ({"dataBase64": 1}, '"dataBase64"'),
        ({"dataBase64": "eA="}, '"dataBase64"'),
        ({"dataBase64": "eA"}, '"dataBase64"'),
        ({"dataBase64": "e A=="}, '"dataBase64"'),
        ({"dataBase64": "eA==\n"}, '"dataBase64"'),
        ({"dataBase64": "-_=="}, '"dataBase64"'),
        ({"dataBase64": "é"}, '"dataBase64"'),
        ({"dataBase64": "==="}, '"dataBase64"'),
        ({"data": "x", "partitionKey": ""}, '"partitionKey"'),
        ({"data": "x", "partitionKey": "k" * 257}, '"partitionKey"'),
        ({"data": "x", "partitionKey": None}, '"partitionKey"'),
        ({"data": "x", "partitionKey": 7}, '"partitionKey"'),
        ({"data": "x", "partitionKey": 'k"},{"Data":"Zm9yZ2Vk","PartitionKey":"x'}, '"partitionKey"'),
        ({"data": "x", "partitionKey": 'k","StreamName":"victim'}, '"partitionKey"'),
        ({"data": "x", "partitionKey": "back\\slash"}, '"partitionKey"'),
        ({"data": "x", "partitionKey": "tab\t"}, '"partitionKey"'),
        ({"data": "x", "partitionKey": "newline\n"}, '"partitionKey"'),
        ({"data": "x", "partitionKey": "\ud800"}, '"partitionKey"'),
    ],
)
def test_what_is_no_record_is_400_and_names_its_place(record: object, says: str) -> None:
    caught = refusal(json.dumps({"records": [{"data": "good"}, record]}).encode())
    assert caught.code.status == 400
    assert caught.message.startswith("records[1]")
    assert says in caught.message


@pytest.mark.parametrize("key", ["k" * 256, "é" * 256, "\u2028", "😀", "$input.body", "#set($x=1)", "'", "\x7f"])
def test_any_other_key_passes_unchanged(key: str) -> None:
    entries = batch_entries(HEAD, json.dumps({"records": [{"data": "x", "partitionKey": key}]}).encode(), Limits())
    assert entries == [(b"x", key)]


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 200), (500, 200), (501, 400)])
def test_a_batch_holds_1_to_500_records(count: int, status: int) -> None:
    document = {"records": [{"data": "x"}] * count}
    if status == 200:
        assert len(parse(document)) == count
    else:
        assert refusal(json.dumps(document).encode()).code.status == status


def test_an_empty_record_is_a_record() -> None:
    assert parse({"records": [{"data": ""}, {"dataBase64": ""}]}) == [(b"", "r-1-0"), (b"", "r-1-1")]


@pytest.mark.parametrize(("key", "room"), [("k", 99), ("é", 98), ("😀" * 20, 20)])
def test_data_and_key_together_are_limited_in_bytes(key: str, room: int) -> None:
    assert parse({"records": [{"data": "x" * room, "partitionKey": key}]})
    caught = refusal(json.dumps({"records": [{"data": "x" * (room + 1), "partitionKey": key}]}).encode())
    assert caught.code.status == 413
    assert "records[0]" in caught.message


@pytest.mark.parametrize("key", ['k"},{"Data":"x"}', "back\\slash", "tab\tinside", "😀", "k" * 256])
def test_a_header_may_hold_any_key_that_kinesis_takes(key: str) -> None:
    """No model can restrict a header in API Gateway; so escaping is what guards there, and here nothing is at stake."""
    head = Head("POST", "/", {"x-partition-key": key.encode().decode("latin-1")}, "r-1")
    assert single_entry(head, b"x", Limits()) == (b"x", key)


@pytest.mark.parametrize("value", ["", "k" * 257, "\xff"])
def test_a_header_key_that_kinesis_does_not_take_is_400(value: str) -> None:
    with pytest.raises(Refusal) as caught:
        single_entry(Head("POST", "/", {"x-partition-key": value}, "r-1"), b"x", LIMITS)
    assert caught.value.code.status == 400


def test_a_single_record_is_limited_as_one_in_a_batch_is() -> None:
    head = Head("POST", "/", {"x-partition-key": "k"}, "r-1")
    assert single_entry(head, b"x" * 99, LIMITS)
    with pytest.raises(Refusal) as caught:
        single_entry(head, b"x" * 100, LIMITS)
    assert caught.value.code.status == 413
