"""The consumer counts what it is given, once, and its sums are those of the data set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from consumers.flights import sums
from consumers.flights.consumer import FlightDelays, consumer
from consumers.flights.dataset import flights
from consumers.flights.expected import expected_sums
from consumers.flights.poison import poison_records
from consumers.flights.producing import keyed
from consumers.flights.sums import CarrierDay, Tally
from kstream import DirectoryDeadLetters, SQLiteLedger, on_lambda
from kstream.testing.events import LambdaContext, kinesis_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Count = Callable[..., dict[CarrierDay, Tally]]

FLIGHT = {
    "year": 2013, "month": 3, "day": 9, "dep_time": 600, "dep_delay": 12, "carrier": "UA", "distance": 1400,
}  # fmt: skip
KEY = CarrierDay("UA", "2013-03-09")


@pytest.fixture
def letters(tmp_path: Path) -> DirectoryDeadLetters:
    return DirectoryDeadLetters(tmp_path / "letters")


@pytest.fixture
def count(tmp_path: Path, letters: DirectoryDeadLetters) -> Iterator[Count]:
    """Runs records through the consumer as one event, and gives the sums."""
    path = tmp_path / "sums.sqlite"
    flights_consumer = replace(
        consumer, handler=lambda: FlightDelays(path), ledger=SQLiteLedger(path), dead_letters=letters
    )
    handler = on_lambda(flights_consumer)

    def run(*records: Any) -> dict[CarrierDay, Tally]:
        assert handler(kinesis_event(records), LambdaContext()) == {"batchItemFailures": []}
        return sums.read(path)

    yield run
    handler.close()


def test_late_flights_add_their_minutes(count: Count) -> None:
    assert count(FLIGHT, FLIGHT | {"dep_delay": 30}) == {KEY: Tally(2, 2, 42)}


def test_an_early_flight_takes_no_minutes_away(count: Count) -> None:
    assert count(FLIGHT, FLIGHT | {"dep_delay": -5}) == {KEY: Tally(2, 2, 12)}


def test_a_cancelled_flight_is_no_departure(count: Count) -> None:
    assert count(FLIGHT | {"dep_time": None, "dep_delay": None}) == {KEY: Tally(1, 0, 0)}


def test_carriers_and_days_are_kept_apart(count: Count) -> None:
    assert count(FLIGHT, FLIGHT | {"carrier": "B6"}, FLIGHT | {"day": 10}) == {
        KEY: Tally(1, 1, 12),
        CarrierDay("B6", "2013-03-09"): Tally(1, 1, 12),
        CarrierDay("UA", "2013-03-10"): Tally(1, 1, 12),
    }


def test_its_sums_are_the_data_sets(count: Count, archive: Path) -> None:
    assert count(*map(keyed, flights(archive=archive))) == expected_sums(archive=archive)


def test_each_poison_record_is_rejected_for_the_reason_it_was_made_for(
    count: Count, letters: DirectoryDeadLetters
) -> None:
    poison = poison_records(12)
    assert count(*((one.payload, one.key) for one in poison)) == {}
    reasons = {stored.letter().record.data: stored.letter().reason for stored in letters.letters()}
    assert reasons.keys() == {one.payload for one in poison}
    for one in poison:
        assert reasons[one.payload].startswith(one.reason)
