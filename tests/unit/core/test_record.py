"""Records: lazy, read-only, and named by their position's value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.errors import Reject, UndecodableRecord
from kstream.core.record import NO_HEADERS, EventRecord, Position, Record, decode_base64
from tests.support.processing import SHARD_ID, STREAM_ARN, entry

positions = st.builds(Position, st.integers(0, 10**129 - 1), st.integers(0, 10**7))


@given(st.lists(positions, min_size=2))
def test_positions_order_by_value_and_their_keys_as_text_alike(given_positions: list[Position]) -> None:
    by_text = sorted(given_positions, key=lambda position: position.key)
    assert by_text == sorted(given_positions)


def test_a_record_tells_everything_that_the_event_says() -> None:
    record = EventRecord(entry("049", b'{"amount": 3}', "c-7"))
    assert record.data == b'{"amount": 3}'
    assert record.json() == {"amount": 3}
    assert record.text() == '{"amount": 3}'
    assert (record.partition_key, record.outer_key, record.explicit_hash_key) == ("c-7", "c-7", None)
    assert (record.sequence_number, record.sub_sequence_number) == ("049", 0)
    assert (record.shard_id, record.stream_arn) == (SHARD_ID, STREAM_ARN)
    assert record.arrived_at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert record.headers == {}
    assert record.position == Position(49, 0)
    assert record.id == f"{STREAM_ARN}/{SHARD_ID}/49/0"


def test_a_record_made_by_hand_has_sensible_defaults() -> None:
    record = Record(b"x")
    assert (record.partition_key, record.outer_key, record.sequence_number) == ("", "", "0")
    assert record.arrived_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert record.headers is NO_HEADERS
    assert record.as_arrived() is record


def test_a_record_is_read_only() -> None:
    for record in (Record(b"x"), EventRecord(entry(1))):
        for name in ("data", "partition_key", "sequence_number", "shard_id", "anything"):
            with pytest.raises(AttributeError):
                setattr(record, name, "changed")
        assert not hasattr(record, "__dict__")


def test_equality_and_hash_go_by_identity_key_and_payload() -> None:
    one = EventRecord(entry("7", b"x", "k"))
    other = Record(b"x", partition_key="k", sequence_number="007", shard_id=SHARD_ID, stream_arn=STREAM_ARN)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Record(b"y", partition_key="k", sequence_number="7", shard_id=SHARD_ID, stream_arn=STREAM_ARN)
    assert one != "7"
    undecodable = EventRecord(entry("7", key="k", raw="?"))
    assert undecodable == undecodable


def test_a_record_s_repr_holds_no_payload() -> None:
    assert "secret" not in repr(Record(b"secret", partition_key="k"))


# --- Payloads ----------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@given(json_values, st.sampled_from(["", " ", "\n\t"]), st.sampled_from(["", " ", "\r\n"]))
def test_json_reads_what_json_loads_reads(value: Any, before: str, after: str) -> None:
    data = (before + json.dumps(value) + after).encode("utf-8", "surrogatepass")
    assert Record(data).json() == json.loads(data)


@given(st.binary(max_size=30) | st.text(alphabet='{}[]",:0123456789truefalsn.- \\u', max_size=20).map(str.encode))
def test_json_agrees_with_json_loads_on_anything(data: bytes) -> None:
    try:
        expected = json.loads(data)
    except ValueError:
        with pytest.raises(UndecodableRecord, match="not JSON"):
            Record(data).json()
    else:
        assert repr(Record(data).json()) == repr(expected)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_json_reads_every_encoding_that_json_loads_does(encoding: str) -> None:
    assert Record('{"é": 1}'.encode(encoding)).json() == {"é": 1}


@pytest.mark.parametrize("data", [b"", b" ", b"{", b"{} {}", b"\xff", b"1" * 5_000], ids=lambda data: repr(data[:9]))
def test_what_is_not_json_is_rejected(data: bytes) -> None:
    with pytest.raises(Reject, match="the payload is not JSON"):
        Record(data).json()


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n", b"\x01\x00\xd8", b"\xff\xd8\xff\xe0", b"P\x00\xff\xdf\x01"], ids=repr
)
def test_bytes_that_are_no_text_are_said_to_be_none(data: bytes) -> None:
    with pytest.raises(UndecodableRecord, match=r"^the payload is not JSON: its bytes are not UTF-8 text$"):
        Record(data).json()


def test_json_that_nests_beyond_what_can_be_read_is_poison_and_no_passing_fault() -> None:
    with pytest.raises(UndecodableRecord, match="nests too deep"):
        Record(b"[" * 200_000 + b"]" * 200_000).json()


def test_what_is_not_utf8_is_rejected_as_text() -> None:
    assert Record("é".encode()).text() == "é"
    with pytest.raises(UndecodableRecord, match="not UTF-8"):
        Record(b"\xff").text()


@pytest.mark.parametrize("raw", ["e30", "e30=\n", " e30=", "e3-_", "e30==", "=", "é", None, 7])
def test_what_is_not_strict_base64_is_rejected_each_time_it_is_asked_for(raw: Any) -> None:
    record = EventRecord(entry(1, raw=raw) if raw is not None else {"kinesis": {"data": None}})
    for _ in range(2):
        with pytest.raises(UndecodableRecord, match="not base64"):
            _ = record.data
    with pytest.raises(UndecodableRecord):
        record.json()


def test_an_undecodable_record_is_parked_as_it_arrived() -> None:
    record = EventRecord(entry("007", key="k", raw="e30"))
    parked = record.as_arrived()
    assert parked.data == b"e30"
    assert parked.id == record.id
    assert (parked.partition_key, parked.sequence_number, parked.arrived_at) == ("k", "007", record.arrived_at)


@given(st.binary())
def test_base64_is_read_back(data: bytes) -> None:
    from base64 import b64encode

    assert decode_base64(b64encode(data).decode()) == data
    assert EventRecord(entry(1, data)).data == data
