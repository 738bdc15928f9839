"""Each check holds for what is right, and says what differs for what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consumers.flights.check import check_dead_letters, check_mishaps, check_put, check_sums
from consumers.flights.poison import Poison, poison_records
from consumers.flights.sums import CarrierDay, Tally
from kstream import DeadLetter, Record

UA, B6 = CarrierDay("UA", "2013-01-01"), CarrierDay("B6", "2013-01-01")
EXPECTED = {UA: Tally(10, 9, 100), B6: Tally(5, 5, 7)}
POISON = poison_records(8)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def letter(of: Poison, reason: str | None = None, sequence_number: str = "1") -> DeadLetter:
    record = Record(of.payload, partition_key=of.key, sequence_number=sequence_number)
    return DeadLetter("FlightDelays", record, reason or f"{of.reason}, indeed", "Reject", 1, NOW, NOW)


def test_equal_sums_hold() -> None:
    assert all(check.holds for check in check_sums(EXPECTED, dict(EXPECTED)))


@pytest.mark.parametrize(
    ("found", "equal", "none_missing", "none_twice"),
    [
        ({UA: Tally(9, 8, 90), B6: EXPECTED[B6]}, False, False, True),
        ({UA: Tally(11, 10, 110), B6: EXPECTED[B6]}, False, True, False),
        ({UA: EXPECTED[UA]}, False, False, True),
        (EXPECTED | {CarrierDay("ZZ", "2013-02-30"): Tally(1, 1, 2)}, False, True, False),
        ({UA: Tally(9, 9, 100), B6: Tally(6, 5, 7)}, False, False, False),
        ({UA: Tally(10, 9, 101), B6: EXPECTED[B6]}, False, True, True),
        ({}, False, False, True),
    ],
)
def test_sums_that_differ_are_told(
    found: dict[CarrierDay, Tally], equal: bool, none_missing: bool, none_twice: bool
) -> None:
    checks = check_sums(EXPECTED, found)
    assert [check.holds for check in checks] == [equal, none_missing, none_twice]


def test_the_difference_names_carrier_and_day() -> None:
    detail = check_sums(EXPECTED, {UA: Tally(9, 8, 90), B6: EXPECTED[B6]})[0].detail
    assert "UA on 2013-01-01: 9 flights, 8 departures, 90 min instead of 10 flights, 9 departures, 100 min" in detail


def test_all_poison_and_nobody_else_holds() -> None:
    assert check_dead_letters(POISON, map(letter, POISON)).holds


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        ([letter(one) for one in POISON[1:]], "is not in the dead letters"),
        ([*map(letter, POISON), letter(POISON[0], sequence_number="2")], "is there 2 times"),
        ([*map(letter, POISON), letter(Poison(b"a good flight", "a bug", "key"))], "should not be there (a bug"),
        ([letter(POISON[0], reason="something else"), *map(letter, POISON[1:])], "says 'something else' instead of"),
        ([], "and 5 more"),
    ],
)
def test_dead_letters_that_differ_are_told(letters: list[DeadLetter], said: str) -> None:
    check = check_dead_letters(POISON, letters)
    assert not check.holds
    assert said in check.detail


def test_records_that_were_not_put_are_told() -> None:
    assert check_put(10, 10, []).holds
    assert not check_put(9, 10, []).holds
    check = check_put(9, 10, ["record 4: refused"])
    assert not check.holds
    assert check.detail == "9 of 10; record 4: refused"


@pytest.mark.parametrize("absent", ["failures", "redeliveries", "restarts"])
def test_a_run_without_accidents_proves_nothing(absent: str) -> None:
    happened = {"failures": 3, "redeliveries": 2, "restarts": 1}
    assert check_mishaps(**happened).holds
    assert not check_mishaps(**happened | {absent: 0}).holds
