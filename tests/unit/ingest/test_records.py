"""What may be put, and what the bytes of it are."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.ingest.contract import PARTITION_KEY
from kstream.ingest.errors import BadRequest, TooLarge
from kstream.ingest.records import IngestRecord, item, payload_and_key


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"\xff", (b"\xff", None)),
        (bytearray(b"x"), (b"x", None)),
        (memoryview(b"x"), (b"x", None)),
        ("é", ("é".encode(), None)),
        ({"a": [1, "é"]}, ('{"a":[1,"é"]}'.encode(), None)),
        ((b"x", "k"), (b"x", "k")),
        (({"a": 1}, "k"), (b'{"a":1}', "k")),
        (IngestRecord("x"), (b"x", None)),
        (IngestRecord(b"x", "k"), (b"x", "k")),
    ],
)
def test_each_kind_of_record(record: Any, expected: tuple[bytes, str | None]) -> None:
    assert payload_and_key(record, 100) == expected


@pytest.mark.parametrize("record", [1, None, [1], (b"x",), (b"x", "k", 1), (b"x", 1), object()])
def test_what_is_no_record_is_a_type_error(record: Any) -> None:
    with pytest.raises(TypeError):
        payload_and_key(record, 100)


@pytest.mark.parametrize("record", ["\ud800", {"a": float("nan")}, {"a": object()}, (b"x", ""), (b"x", 'a"b')])
def test_what_the_api_would_refuse_is_refused_here(record: Any) -> None:
    with pytest.raises(BadRequest):
        payload_and_key(record, 100)


def test_the_limit_counts_data_and_key_in_bytes() -> None:
    assert payload_and_key((b"x" * 98, "é"), 100)
    with pytest.raises(TooLarge):
        payload_and_key((b"x" * 99, "é"), 100)


@given(st.binary(), st.none() | st.from_regex(PARTITION_KEY, fullmatch=True))
def test_a_fragment_is_the_json_of_its_record(data: bytes, key: str | None) -> None:
    encoded = item(3, (data, key), 1 << 20)
    document = json.loads(encoded.fragment)
    assert b64decode(document.pop("dataBase64")) == data
    assert document == ({} if key is None else {"partitionKey": key})
    assert encoded.ordinal == 3
