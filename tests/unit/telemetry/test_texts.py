"""Texts of whatever object, and no longer than is wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.telemetry.texts import cut, text_of
from tests.unit.telemetry.test_plain_values import ANY_TEXT, Broken


@given(ANY_TEXT, st.integers(2, 50))
def test_a_cut_text_keeps_its_beginning_and_its_end(text: str, longest: int) -> None:
    half = longest // 2
    shorter = cut(text, longest)
    if len(text) <= longest:
        assert shorter == text
    else:
        assert shorter.startswith(text[:half] + " ...(")
        assert shorter.endswith(")... " + text[len(text) - half :])


@given(ANY_TEXT)
def test_a_text_can_be_encoded(text: str) -> None:
    text_of(text).encode()
    assert text_of(text) == text or any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (b"a", "b'a'"),
        (None, "None"),
        (OSError("é"), "é"),
        (Broken(), "<Broken without a text: LookupError>"),
    ],
)
def test_everything_has_one(value: object, text: str) -> None:
    assert text_of(value) == text
