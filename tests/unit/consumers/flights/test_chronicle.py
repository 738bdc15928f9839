"""What the consumer's process writes down, the demo's reads, whoever was killed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.flights.chronicle import Chronicle, Reading
from consumers.flights.mishaps import Mishap, Mishaps, Plan
from kstream import Outcome, Record

if TYPE_CHECKING:
    from pathlib import Path


def failing() -> Mishaps:
    return Mishaps(Plan(once=1, long=0))


def test_counts_of_several_processes_add_up(tmp_path: Path) -> None:
    path = tmp_path / "chronicle"
    reading = Reading(path)
    for _ in range(2):
        chronicle = Chronicle(path, failing())
        chronicle.batch_finished(Outcome(records=3, done=2, failed=1, retried=2, checkpoint="7"))
        reading.read()
        chronicle.batch_finished(Outcome(records=1, done=1))
    reading.read()
    assert reading.counts["done"] == 6
    assert reading.counts["retried"] == 4
    assert reading.counts["redelivered"] == 2


def test_a_mishap_is_told_once(tmp_path: Path) -> None:
    mishaps, reading = failing(), Reading(tmp_path / "chronicle")
    chronicle = Chronicle(tmp_path / "chronicle", mishaps)
    with pytest.raises(Mishap):
        mishaps.befall(Record(b""))
    for _ in range(2):
        chronicle.batch_finished(Outcome())
    reading.read()
    assert reading.counts["mishaps"] == 1


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "chronicle"
    reading = Reading(path)
    path.write_text('{"counts": {"done": 1}}\n{"counts": {"do')
    reading.read()
    assert reading.counts["done"] == 1
    with path.open("a") as file:
        file.write('ne": 2}}\n')
    reading.read()
    assert reading.counts["done"] == 3


def test_before_the_first_line_there_is_nothing(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "chronicle")
    reading.read()
    assert not reading.counts


def test_troubles_come_in_words_and_the_age_of_the_last_record_in_seconds(tmp_path: Path) -> None:
    chronicle, reading = Chronicle(tmp_path / "chronicle", failing()), Reading(tmp_path / "chronicle")
    chronicle.ledger_failed(OSError("full"))
    chronicle.dead_letter_failed(Record(b"", sequence_number="8"), OSError("full"))
    chronicle.saw(Record(b""))
    chronicle.batch_finished(Outcome())
    reading.read()
    assert len(reading.troubles) == 2
    assert reading.iterator_age > 365 * 24 * 3600  # it "arrived" in 1970
