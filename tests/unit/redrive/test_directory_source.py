"""Items in a directory: all of them, and a deletion that never takes a later letter with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kstream.core.dead_letter import DeadLetter
from kstream.redrive.directory_source import DirectorySource
from kstream.redrive.item import Unreadable
from kstream.stores.directory import DirectoryDeadLetters
from tests.unit.redrive.builders import golden, letter


@pytest.fixture
def sink(tmp_path: Path) -> DirectoryDeadLetters:
    return DirectoryDeadLetters(tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> DirectorySource:
    return DirectorySource(tmp_path)


def test_everything_in_it_is_an_item(sink: DirectoryDeadLetters, source: DirectorySource, tmp_path: Path) -> None:
    sink.put(letter())
    (tmp_path / "message.json").write_text(golden("sqs"))
    (tmp_path / "odd.json").write_text("odd")

    kinds = [type(item.content).__name__ for item in source.items()]

    assert sorted(kinds) == ["DeadLetter", "OnFailureMessage", "Unreadable"]
    assert source.count() == 3


def test_a_deleted_item_is_gone_and_deleting_it_again_is_harmless(
    sink: DirectoryDeadLetters, source: DirectorySource, tmp_path: Path
) -> None:
    sink.put(letter())
    (item,) = source.items()

    assert source.delete(item)
    assert list(tmp_path.iterdir()) == []
    assert source.delete(item)


def test_a_later_letter_of_the_same_record_stays(sink: DirectoryDeadLetters, source: DirectorySource) -> None:
    """It failed again elsewhere while the first one was redriven."""
    sink.put(letter())
    (item,) = source.items()
    sink.put(letter(later=60))

    assert not source.delete(item)
    (left,) = source.items()
    assert isinstance(left.content, DeadLetter)
    assert left.content.last_attempt_at == letter(later=60).last_attempt_at
    assert left.ref == item.ref


def test_a_letter_that_comes_while_a_later_one_is_put_back_stands(
    sink: DirectoryDeadLetters, source: DirectorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.put(letter())
    (item,) = source.items()
    sink.put(letter(later=60))
    link = os.link

    def just_before(*paths: Path) -> None:
        sink.put(letter(later=120))
        link(*paths)

    monkeypatch.setattr(os, "link", just_before)

    assert not source.delete(item)
    (left,) = source.items()
    assert left.when == letter(later=120).last_attempt_at


def test_killed_in_the_middle_of_a_deletion_nothing_is_lost(
    sink: DirectoryDeadLetters, source: DirectorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has its other name by then; it is an item as before, and can be deleted."""
    sink.put(letter())
    (item,) = source.items()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            source.delete(item)

    (left,) = source.items()
    assert (left.key, left.generation) == (item.key, item.generation)
    assert left.ref != item.ref
    assert source.delete(left)
    assert list(source.items()) == []


def test_the_same_place_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)

    assert DirectorySource(Path(tmp_path.name)).name == DirectorySource(tmp_path / "." / "x" / "..").name


def test_an_unreadable_item_keeps_its_text(source: DirectorySource, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_bytes(b"\xff{")
    (item,) = source.items()

    assert isinstance(item.content, Unreadable)
    assert item.body == "\ufffd{"
