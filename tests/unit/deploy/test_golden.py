"""The templates, word for word: a change that nobody meant shows here."""

from __future__ import annotations

import pytest

from tests.golden.deploy import CASES, HERE, rendered


@pytest.mark.parametrize("case", CASES)
def test_the_templates_are_those_that_were_agreed(case: str) -> None:
    """Meant to change? ``python -m tests.golden.deploy``, and read the difference."""
    agreed = {file.name: file.read_text(encoding="utf-8") for file in (HERE / case).iterdir()}

    assert rendered(case) == agreed


@pytest.mark.parametrize("case", CASES)
def test_the_same_configuration_makes_the_same_bytes(case: str) -> None:
    assert rendered(case) == rendered(case)
