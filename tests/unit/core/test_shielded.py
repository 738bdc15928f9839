"""Those who watch hear what they ask for, each for itself, and cannot disturb."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kstream.core.outcome import Outcome
from kstream.core.shielded import Shielded
from kstream.core.telemetry import Telemetry

if TYPE_CHECKING:
    import pytest


class Counts(Telemetry):
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def count(self, name: str, value: float) -> None:
        self.told.append((name, value))


class Fails(Telemetry):
    def count(self, name: str, value: float) -> None:
        raise (ValueError if name == "odd" else RuntimeError)(name)


def test_an_event_goes_to_all_who_override_it_and_to_nobody_else() -> None:
    first, second = Counts(), Counts()
    shielded = Shielded([first, Telemetry(), second])
    shielded.tell("count", "orders", 2)
    shielded.tell("batch_finished", Outcome())
    assert first.told == second.told == [("orders", 2)]
    assert (shielded.hears("count"), shielded.hears("batch_finished")) == (True, False)


def test_who_raises_keeps_nobody_from_hearing_and_is_logged_once_for_each_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    healthy = Counts()
    shielded = Shielded([Fails(), healthy])
    for name in ("a", "b", "odd", "c", "odd"):
        shielded.tell("count", name, 1)
    assert len(healthy.told) == 5
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "Fails.count" in caplog.messages[0]


def test_who_overrides_only_the_end_hears_of_an_interruption_too() -> None:
    ends: list[Outcome] = []

    class Ends(Telemetry):
        def batch_finished(self, outcome: Outcome) -> None:
            ends.append(outcome)

    outcome = Outcome(records=1, checkpoint="1")
    Shielded([Ends()]).tell("batch_interrupted", outcome, SystemExit())
    assert ends == [outcome]


def test_every_event_is_one_that_the_base_class_has_and_does_nothing_with() -> None:
    assert set(Telemetry.EVENTS) == {
        "batch_started",
        "batch_finished",
        "batch_interrupted",
        "deadline_passed",
        "record_started",
        "record_finished",
        "record_failed",
        "ledger_failed",
        "dead_letter_failed",
        "count",
        "observe",
        "annotate",
    }
    bare = Shielded([Telemetry()])
    assert not any(bare.hears(name) for name in Telemetry.EVENTS)
