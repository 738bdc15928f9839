"""Whatever a program logs becomes a value that JSON has: bounded, and never an error."""

from __future__ import annotations

import json
import math
import sys
from collections import OrderedDict
from datetime import UTC, datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.telemetry.plain_values import DEEPEST, MOST_VALUES, PlainValues

ANY_TEXT = st.text(st.characters())  # lone surrogates and all
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(ANY_TEXT | st.integers() | st.binary(), inner) | st.sets(st.integers())
    ),
)


def strictly(written: str) -> Any:
    """Parsed by the letter of the standard: neither NaN nor half a character."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(constant)

    written.encode("ascii")
    value = json.loads(written, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()
    return value


class Broken:
    def __str__(self) -> str:
        raise LookupError("no text")

    __repr__ = __str__


class BrokenMapping(OrderedDict[str, str]):
    def items(self) -> NoReturn:
        raise RuntimeError("changed while it was read")


class Liar(str):
    __slots__ = ()

    def isascii(self) -> bool:
        return True

    def __str__(self) -> str:
        raise LookupError


class Level(IntEnum):
    LOW = 1


@given(ANYTHING, st.integers(2, 200))
def test_everything_becomes_json(value: object, longest: int) -> None:
    strictly(json.dumps(PlainValues(longest).of(value)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text("ab\u2028é"), st.lists, max_leaves=20
    )
)
def test_what_is_plain_stays(value: object) -> None:
    plain = PlainValues(1_000)
    if depth_of(value) <= DEEPEST:
        assert plain.of(value) == value
        assert not plain.cut


def depth_of(value: object) -> int:
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2**63, str(2**63)),
        (10**5000, "<int without a text: ValueError>"),
        (Level.LOW, 1),
        (b"\xff", "b'\\xff'"),
        ("a\ud800b", "a?b"),
        (Liar("\udfff"), "<Liar without a text: LookupError>"),
        (Broken(), "<Broken without a text: LookupError>"),
        (BrokenMapping(a="b"), "<BrokenMapping that cannot be read: RuntimeError>"),
        ({1: {2}, None: (3,)}, {"1": [2], "None": [3]}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        ([[[[[[[1]]]]]]], [[[[[["<list>"]]]]]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_becomes_what_can_be_said_of_it(value: object, plain: object) -> None:
    assert PlainValues(100).of(value) == plain


def test_a_circle_a_long_list_and_a_long_text_end_and_say_so() -> None:
    circle: list[object] = []
    circle.append(circle)
    for value in (circle, list(range(MOST_VALUES * 10)), [[0] * 100 for _ in range(1_000)], "x" * 101):
        plain = PlainValues(100)
        assert len(json.dumps(plain.of(value))) < 10 * MOST_VALUES
        assert plain.cut


def test_reading_deeper_than_the_interpreter_goes_is_no_error() -> None:
    nested: list[object] = []
    for _ in range(sys.getrecursionlimit() * 2):
        nested = [nested]
    strictly(json.dumps(PlainValues(100).of(nested)))
