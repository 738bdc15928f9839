from __future__ import annotations

import os
import resource
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import ConfigurationError, DeadLetterError
from kstream.core.record import Record
from kstream.stores.directory import DirectoryDeadLetters

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

THEN = datetime(2026, 1, 2, tzinfo=UTC)


def letter(sequence: str = "495", data: bytes = b"{}") -> DeadLetter:
    record = Record(data, sequence_number=sequence, shard_id="shardId-000000000001")
    return DeadLetter("order-totals", record, "bad", "Reject", 1, THEN, THEN)


def test_a_file_bears_the_consumer_and_the_position(tmp_path: Path) -> None:
    """So that a person finds it, and the same letter has the same name for ever."""
    DirectoryDeadLetters(tmp_path).put(letter())
    assert [path.name for path in tmp_path.iterdir()] == [
        "order-totals.shardId-000000000001.495.0.9fc3b92574a9bac1.json"
    ]


def test_the_longest_name_still_is_a_file_name(tmp_path: Path) -> None:
    record = Record(b"", sequence_number="9" * 129, shard_id="s" * 128, sub_sequence_number=10**7)
    DirectoryDeadLetters(tmp_path).put(DeadLetter("c" * 500, record, "bad", "Reject", 1, THEN, THEN))
    (path,) = tmp_path.iterdir()
    assert len(path.name) <= 226


def test_a_disk_that_is_full_leaves_the_former_copy_and_nothing_half_written(tmp_path: Path) -> None:
    letters = DirectoryDeadLetters(tmp_path)
    letters.put(letter())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(DeadLetterError, match=r"File too large.*on a disk with room"):
            letters.put(letter(data=bytes(100_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(tmp_path.iterdir())) == 1
    assert [stored.letter().record.data for stored in letters.letters()] == [b"{}"]


def test_a_letter_is_synced_before_it_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its name is synced: two syncs, and nothing to list at the first."""
    letters = DirectoryDeadLetters(tmp_path)
    seen: list[int] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        seen.append(len(list(letters.letters())))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    letters.put(letter())
    assert seen == [0, 1]


def test_what_a_crash_left_half_written_is_no_letter(tmp_path: Path) -> None:
    (tmp_path / "tmpabc.part").write_text('{"kstream": "dead-le')
    assert list(DirectoryDeadLetters(tmp_path).letters()) == []


@pytest.mark.parametrize("key", ["../other.json", "/etc/passwd", "sub/x.json", "notes.txt", ".."])
def test_a_key_never_leads_out_of_the_directory(tmp_path: Path, key: str) -> None:
    letters = DirectoryDeadLetters(tmp_path)
    for act in (letters.read, letters.delete):
        with pytest.raises(DeadLetterError, match="is not the key of a dead letter"):
            act(key)


def test_a_directory_among_the_letters_is_one_that_cannot_be_read_and_hides_no_other(tmp_path: Path) -> None:
    letters = DirectoryDeadLetters(tmp_path)
    letters.put(letter())
    (tmp_path / "dir.json").mkdir()
    (tmp_path / "zzz.json").write_text("{}")
    first, second, third = letters.letters()
    assert (first.key, second.key, third.key) == ("dir.json", next(tmp_path.glob("order*")).name, "zzz.json")
    assert second.letter() == letter()
    with pytest.raises(DeadLetterError, match=r"cannot read 'dir.json'.*Is a directory"):
        first.letter()


@pytest.mark.parametrize("path", [None, 5, b"letters"])
def test_what_is_no_path_is_refused_at_once(path: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"DirectoryDeadLetters\(.*: a path"):
        DirectoryDeadLetters(path)
