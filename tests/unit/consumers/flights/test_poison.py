"""Poison is told apart by its payload, and none of it gets lost in the mixing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from consumers.flights.poison import mixed_in, poison_records

if TYPE_CHECKING:
    from consumers.flights.poison import Put


@given(st.integers(0, 200))
def test_no_two_payloads_are_alike(count: int) -> None:
    assert len({one.payload for one in poison_records(count)}) == count


@given(records=st.integers(0, 100), poison=st.integers(0, 20), every=st.integers(1, 30))
def test_every_record_and_all_poison_comes_out_once_and_the_records_in_order(
    records: int, poison: int, every: int
) -> None:
    given_records: list[Put] = [({"flight": number}, "key") for number in range(records)]
    mixed = list(mixed_in(iter(given_records), poison_records(poison), every=every))
    assert [record for record in mixed if not isinstance(record[0], bytes)] == given_records
    assert [record[0] for record in mixed if isinstance(record[0], bytes)] == [
        one.payload for one in poison_records(poison)
    ]
