"""Those who watch hear what they ask for, each for itself, and cannot disturb."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from unittest.mock import Mock

import pytest

from kstream.core.outcome import Outcome
from kstream.core.shielded import Shielded
from kstream.core.telemetry import Telemetry


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
    assert (len(shielded._listeners["count"]), len(shielded._listeners["batch_finished"])) == (2, 0)


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


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), RecursionError()], ids=repr)
def test_who_watches_ends_and_cancels_nothing(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    class Ends(Telemetry):
        count = Mock(side_effect=error)  # which has no name of its own, either

    healthy = Counts()
    Shielded([Ends(), healthy]).tell("count", "orders", 1)
    assert healthy.told == [("orders", 1)]
    assert len(caplog.messages) == 1


def test_ctrl_c_passes() -> None:
    class Interrupted(Telemetry):
        count = Mock(side_effect=KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        Shielded([Interrupted()]).tell("count", "orders", 1)


def test_a_log_that_fails_keeps_nobody_from_hearing() -> None:
    """A logging filter with a bug, say: it would otherwise fail a batch that somebody merely watches."""
    healthy = Counts()
    logger = logging.getLogger("kstream")
    faulty = Mock(side_effect=TypeError)
    logger.addFilter(faulty)
    try:
        Shielded([Fails(), healthy]).tell("count", "orders", 1)
    finally:
        logger.removeFilter(faulty)
    assert healthy.told == [("orders", 1)]
    assert faulty.called or faulty.filter.called


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
    assert not any(bare._listeners[name] for name in Telemetry.EVENTS)
