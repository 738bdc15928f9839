"""Envelopes: what goes in comes out, and whatever is not exactly one is a plain record, byte for byte."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kstream.core.aggregation import aggregate
from kstream.core.batch import Batch
from kstream.core.envelope import BEGINNING, END, EnvelopedRecord, open_envelope, opened, seal
from kstream.core.errors import UndecodableRecord
from kstream.core.record import ENVELOPE_PREFIX, Record
from tests.support.processing import MALFORMED, aggregate_of, batch, entry

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HEADERS = st.dictionaries(TEXT | st.sampled_from(["traceparent", "x-amzn-trace-id"]), TEXT, max_size=4)
TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
SEALED = seal(b"payload", TRACE)


@given(payload=st.binary(max_size=100), headers=HEADERS)
@example(payload=b"", headers={})
@example(payload=b"\n}}\n", headers={'"}}\n': '"}}\n\\', "": ""})
@example(payload=SEALED, headers={})
def test_what_is_sealed_comes_out_again(payload: bytes, headers: dict[str, str]) -> None:
    sealed = seal(payload, headers)
    found = open_envelope(sealed)
    assert found is not None
    assert (dict(found.headers), found.payload) == (headers, payload)
    assert b64encode(sealed).decode().startswith(ENVELOPE_PREFIX)
    assert sealed.partition(b"\n")[0].isascii()  # for readers of any kind: a line of JSON, then the payload


def test_the_prefix_is_the_whole_beginning_in_base64() -> None:
    """Were the beginning's length no multiple of three, its last characters would depend on what follows."""
    assert b64encode(BEGINNING).decode() == ENVELOPE_PREFIX
    assert (len(BEGINNING) % 3, len(END) % 3) == (0, 0)


@pytest.mark.parametrize(
    "headers",
    [
        '"a":1', '"a":null', '"a":{"b":"c"}', '"a":["b"]', '"a":"b","a":"b"', '"a":"b",', '"a"', '"a":"b"}', '{"a":"b"',
        '"a":"\\ud800"', '"\\udc00":"a"', '"a":"\x00"', '"a":"b"} {', '"a":"\n"', '"a":\n"b"', "[" * 100_000,
    ],
)  # fmt: skip
def test_headers_that_are_not_text_named_by_text_make_no_envelope(headers: str) -> None:
    data = BEGINNING + headers.encode() + END + b"payload"
    assert open_envelope(data) is None
    [record] = batch(entry(1, data)).records
    assert (record.data, record.headers) == (data, {})


@pytest.mark.parametrize(
    "data",
    [
        SEALED[:-8], BEGINNING, BEGINNING + b"}}", BEGINNING + b"}\n", BEGINNING + b"} }\n", BEGINNING + b"}}\r\n",
        BEGINNING + b'"a":"\xff"}}\n', b" " + SEALED, SEALED.replace(b"record/1", b"record/2"), b"", b"{}",
        SEALED.replace(b'":{', b'": {'), SEALED.upper(), b'{"kstream": "dead-letter/1"}',
    ],
)  # fmt: skip
def test_what_only_looks_like_an_envelope_is_a_plain_record(data: bytes) -> None:
    assert open_envelope(data) is None
    [record] = batch(entry(1, data)).records
    assert (record.data, record.headers) == (data, {})


@given(st.data())
def test_no_change_of_the_first_line_goes_unseen_or_raises(data: st.DataObject) -> None:
    """A changed byte gives other headers, or no envelope at all; never another payload."""
    at = data.draw(st.integers(0, len(SEALED) - len(b"payload") - 1))
    changed = SEALED[:at] + data.draw(st.binary(max_size=3)) + SEALED[at + 1 :]
    found = open_envelope(changed)
    if found is not None:
        assert changed.endswith(END + found.payload)
        assert open_envelope(seal(found.payload, found.headers)) == found


def test_blanks_may_stand_where_json_has_them_because_writers_pad() -> None:
    found = open_envelope(BEGINNING + b' "a" : "b"  ' + END + b"x")
    assert found is not None
    assert (dict(found.headers), found.payload) == ({"a": "b"}, b"x")


@pytest.mark.parametrize("headers", [{"a": 1}, {1: "a"}, {"a": None}, {"a": "\ud800"}, {"\udc00": "a"}, {"a": b"b"}])
def test_headers_that_are_no_text_cannot_be_sealed(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="headers are text"):
        seal(b"", headers)


def test_a_batch_opens_envelopes_and_keeps_what_was_delivered() -> None:
    """Its outers are the Kinesis records: what is put back into a stream is put back as it was."""
    found = batch(entry(1, SEALED, "k"), entry(2, b"plain"), entry(3, seal(b"other", {})))
    assert [record.data for record in found.records] == [b"payload", b"plain", b"other"]
    assert [dict(record.headers) for record in found.records] == [TRACE, {}, {}]
    assert [outer.data for outer in found.outers] == [SEALED, b"plain", seal(b"other", {})]
    assert [(record.partition_key, record.outer_key, record.position) for record in found.records[:1]] == [
        ("k", "k", (1, 0))
    ]
    assert found.records[0] is found.records[0]
    assert found.malformed() == {}


def test_envelopes_aggregates_and_plain_records_may_stand_side_by_side() -> None:
    found = batch(
        entry(1, SEALED), entry(2, aggregate_of(("x", b"one"), ("y", b"two"))), entry(3, MALFORMED), entry(4, b"plain")
    )
    assert [record.data for record in found.records] == [b"payload", b"one", b"two", MALFORMED, b"plain"]
    assert dict(found.records[0].headers) == TRACE
    assert list(found.malformed()) == [3]


@pytest.mark.parametrize("inside", [SEALED, aggregate_of(("k", b"nested")), MALFORMED])
def test_what_is_inside_stays_as_it_is(inside: bytes) -> None:
    [record] = batch(entry(1, seal(inside, {}))).records
    assert record.data == inside
    [record] = batch(entry(1, aggregate([(SEALED, "k")]))).records
    assert (record.data, record.headers) == (SEALED, {})


def test_an_envelope_is_opened_when_it_is_asked_for_in_whatever_order() -> None:
    for first in ("headers", "data"):
        [record] = batch(entry(1, SEALED)).records
        assert isinstance(record, EnvelopedRecord)
        assert record._data is None
        getattr(record, first)
        assert (record.data, record.headers, record.text()) == (b"payload", TRACE, "payload")
    with pytest.raises(TypeError):
        record.headers["a"] = "b"  # type: ignore[index]


def test_a_delivery_that_cannot_be_decoded_has_no_headers_and_is_kept_as_it_arrived() -> None:
    raw = b64encode(SEALED).decode() + "?"
    [record] = batch(entry(1, raw=raw)).records
    assert record.headers == {}
    with pytest.raises(UndecodableRecord, match="not base64"):
        _ = record.data
    assert record.as_arrived().data == raw.encode()


def test_a_plain_kinesis_record_is_opened_too() -> None:
    outer = Record(SEALED, partition_key="k", sequence_number="7", shard_id="s", stream_arn="arn")
    record = opened(outer)
    assert (record.data, dict(record.headers), record.id) == (b"payload", TRACE, outer.id)
    assert record.partition_key == "k"
    plain = Record(b"plain")
    assert opened(plain) is plain


def test_without_envelopes_and_aggregates_the_records_are_the_delivery() -> None:
    found = Batch.from_entries([entry(1), entry(2, b'{"kstream":"record')])
    assert found.records is found.outers
