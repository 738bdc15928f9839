"""The report says plainly whether all held."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from consumers.flights.check import Check
from consumers.flights.display import PlainDisplay, Snapshot
from consumers.flights.summary import Report, by_carrier, total
from consumers.flights.sums import CarrierDay, Tally

SUMS = {
    CarrierDay("UA", "2013-01-02"): Tally(1, 1, 5),
    CarrierDay("B6", "2013-01-01"): Tally(3, 2, 0),
    CarrierDay("UA", "2013-01-01"): Tally(2, 2, 30),
}


def report(*checks: Check, found: dict[CarrierDay, Tally] = SUMS) -> Report:
    end = Snapshot(total=6, put=6, processed=6, restarts=1)
    return Report(sums=found, expected=SUMS, checks=checks, end=end, failures=2, seconds=2.0)


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=200)
    report.print(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_days_are_added_up() -> None:
    assert by_carrier(SUMS) == {"B6": Tally(3, 2, 0), "UA": Tally(3, 3, 35)}
    assert total(SUMS) == Tally(6, 5, 35)


@pytest.mark.parametrize("holds", [True, False])
def test_one_check_that_fails_is_enough(holds: bool) -> None:
    told = report(Check("this", True, ""), Check("that", holds, "[1] differs"))
    assert told.holds is holds
    assert json.loads(told.to_json())["ok"] is holds
    assert f"{'✓' if holds else '✗'} that ([1] differs)" in printed(told)


def test_a_carrier_that_differs_is_marked() -> None:
    wrong = printed(report(found=SUMS | {CarrierDay("UA", "2013-01-02"): Tally(1, 1, 6)}))
    marks = {line.split()[1]: ("✓" in line) for line in wrong.splitlines() if line.startswith("│")}
    assert marks == {"B6": True, "UA": False, "all": False}


def test_plain_progress_is_one_line_with_every_number() -> None:
    file = io.StringIO()
    PlainDisplay(file).show(
        Snapshot(total=9, put=7, processed=5, retried=4, redelivered=3, dead_lettered=2, restarts=1, iterator_age=0.5)
    )
    [line] = file.getvalue().splitlines()
    for part in ("7 of 9 put", "5 processed", "4 retried", "3 batches", "2 dead-lettered", "1 restarts", "age 0.5 s"):
        assert part in line


def test_plain_progress_is_not_told_at_every_look() -> None:
    file = io.StringIO()
    display = PlainDisplay(file, every=3600)
    for _ in range(5):
        display.show(Snapshot(total=1))
    assert len(file.getvalue().splitlines()) == 1
