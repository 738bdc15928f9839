"""The expected sums are right for a table that can be added up by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.flights.expected import expected_sums
from consumers.flights.sums import CarrierDay, Tally

if TYPE_CHECKING:
    from pathlib import Path


def test_by_hand(archive: Path) -> None:
    assert expected_sums(archive=archive) == {
        CarrierDay("UA", "2013-01-01"): Tally(flights=2, departures=2, delay_minutes=42),
        CarrierDay("B6", "2013-01-01"): Tally(flights=1, departures=1, delay_minutes=0),
        CarrierDay("EV", "2013-01-01"): Tally(flights=1, departures=0, delay_minutes=0),
        CarrierDay("B6", "2013-12-31"): Tally(flights=1, departures=1, delay_minutes=0),
    }


def test_the_limit_takes_the_first(archive: Path) -> None:
    assert expected_sums(1, archive) == {CarrierDay("UA", "2013-01-01"): Tally(1, 1, 2)}
