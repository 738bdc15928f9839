"""A run finds an empty directory, clears away what ended runs left, and leaves those that are under way alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.flights.layout import fresh
from kstream import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_an_ended_run_is_removed_and_one_under_way_is_not(tmp_path: Path) -> None:
    with fresh(tmp_path) as first:
        first.chronicle.write_text("{}\n")
        with fresh(tmp_path) as second:
            assert second.path != first.path
            assert not list(second.path.glob("*.jsonl"))
            assert first.chronicle.exists()
    with fresh(tmp_path):
        assert not first.path.exists()
        assert not second.path.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write into"), fresh(tmp_path / "file" / "demo"):
        pass
