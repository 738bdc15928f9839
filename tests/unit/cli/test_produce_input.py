"""Lines as records: nothing of a line is changed, and what is no record is told by its line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.cli.produce_input import MAX_REFUSED, LineReader, Refusals
from kstream.core.errors import ConfigurationError


def read(reader: LineReader, *lines: bytes) -> tuple[list[tuple[int, object, str | None]], Refusals]:
    refusals = Refusals()
    return [(record.line, record.data, record.partition_key) for record in reader.records(lines, refusals)], refusals


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line and b"\r" not in line and line.strip())))
def test_a_line_is_put_byte_for_byte(lines: list[bytes]) -> None:
    records, refusals = read(LineReader(), *(line + b"\n" for line in lines))

    assert [data for _, data, _ in records] == lines
    assert not refusals.lines


def test_empty_lines_are_counted_and_line_numbers_hold() -> None:
    records, refusals = read(LineReader(partition_key="k"), b"one\r\n", b"\n", b"  \n", b"two")

    assert records == [(1, b"one", "k"), (4, b"two", "k")]
    assert refusals.empty == 2


@pytest.mark.parametrize(
    ("value", "key"),
    [("text", "text"), (7, "7"), (1.5, "1.5"), (True, "true"), ("ü", "ü")],
)
def test_a_field_is_the_partition_key(value: object, key: str) -> None:
    line = json.dumps({"order": {"customer": value}}).encode()

    assert read(LineReader("jsonl", key_field="order.customer"), line)[0] == [(1, line, key)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[1]", "there is no field 'customer'"),
        (b"{}", "there is no field 'customer'"),
        (b'{"customer": null}', "neither text nor a number"),
        (b'{"customer": {}}', "neither text nor a number"),
    ],
)
def test_a_line_without_key_is_refused_and_the_others_are_not(line: bytes, reason: str) -> None:
    records, refusals = read(LineReader(key_field="customer"), line, b'{"customer": "c"}')

    assert [number for number, _, _ in records] == [2]
    assert refusals.lines[0][0] == 1
    assert reason in refusals.lines[0][1]


def test_json_lines_are_checked_and_put_as_they_are_written() -> None:
    records, refusals = read(LineReader("jsonl", partition_key="k"), b'{ "a":1 }', b"nope")

    assert records == [(1, b'{ "a":1 }', "k")]
    assert [number for number, _ in refusals.lines] == [2]


def test_a_file_of_another_kind_ends_early() -> None:
    with pytest.raises(ConfigurationError, match=r"more than 1,000 lines are no records.*line 1.*--format"):
        read(LineReader("jsonl"), *[b"text"] * (MAX_REFUSED + 1))


def test_two_sources_of_the_key_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        LineReader(key_field="a", partition_key="b")
