"""The journal: what was written is there after a reopening, and a copy of a letter is told by it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kstream.core.errors import KstreamError
from kstream.redrive.item import item_of
from kstream.redrive.journal import WHOLE, Journal, State
from kstream.testing.clock import VirtualClock
from tests.unit.redrive.builders import PARKED_AT, letter

if TYPE_CHECKING:
    from pathlib import Path

    from kstream.redrive.item import Item

SOURCE = "dir:/letters"


def item(later: float = 0) -> Item:
    return item_of("ref", letter(later=later).to_json())


def journal(tmp_path: Path, at: float = 1000) -> Journal:
    return Journal(tmp_path / "state" / "redrive.sqlite", VirtualClock(PARKED_AT.timestamp() + at))


def test_looking_makes_no_file(tmp_path: Path) -> None:
    with journal(tmp_path) as looking:
        assert looking.entries(SOURCE, item()) == {}
    assert list(tmp_path.iterdir()) == []


def test_each_step_outlives_the_process(tmp_path: Path) -> None:
    with journal(tmp_path) as writing:
        writing.start(SOURCE, item(), "", "stream s", doubtful=True)
        with journal(tmp_path) as looking:
            assert looking.entries(SOURCE, item())[""][:3] == (State.STARTED, "stream s", True)
        writing.sent(SOURCE, item(), "", "stream s", "shard:1")
        writing.deleted(SOURCE, item(), "stream s", "shard:1")
    with journal(tmp_path) as looking:
        entries = looking.entries(SOURCE, item())
        assert entries[""][:4] == (State.SENT, "stream s", False, "shard:1")
        assert entries[WHOLE].state is State.DELETED
        assert looking.entries("dir:/elsewhere", item()) == {}


def test_what_was_withdrawn_was_never_started(tmp_path: Path) -> None:
    with journal(tmp_path) as writing:
        writing.start(SOURCE, item(), "", "stream s", doubtful=True)
        writing.withdraw(SOURCE, item(), "")
        assert writing.entries(SOURCE, item()) == {}


def test_a_letter_parked_before_the_redrive_of_its_copy_is_known(tmp_path: Path) -> None:
    """A queue may hold two: parked, delivered again after a crash, and parked again."""
    with journal(tmp_path, at=1000) as writing:
        writing.sent(SOURCE, item(), WHOLE, "consumer c", "done")
        assert writing.entries(SOURCE, item(later=999))[WHOLE].state is State.SENT


def test_a_letter_parked_after_the_redrive_is_a_new_failure(tmp_path: Path) -> None:
    with journal(tmp_path, at=1000) as writing:
        writing.sent(SOURCE, item(), WHOLE, "consumer c", "done")
        assert writing.entries(SOURCE, item(later=1001)) == {}


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with journal(tmp_path) as writing, pytest.raises(KstreamError, match=r"redrive\.sqlite.*nothing is redriven"):
        writing.start(SOURCE, item(), "", "stream s", doubtful=True)


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "redrive.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 20)

    with journal(tmp_path) as looking, pytest.raises(KstreamError, match="cannot read the redrive journal"):
        looking.entries(SOURCE, item())
