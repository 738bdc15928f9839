"""Failures on purpose come as planned, and end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.flights.mishaps import ATTEMPTS, Mishap, Mishaps, Plan
from kstream import Record

plans = st.builds(Plan, once=st.floats(0, 1), long=st.floats(0, 1))


@given(plan=plans, payload=st.binary(max_size=50))
def test_a_record_fails_as_often_as_planned_and_then_no_more(plan: Plan, payload: bytes) -> None:
    mishaps, record = Mishaps(plan), Record(payload)
    planned = plan.failures(payload)
    for _ in range(planned):
        with pytest.raises(Mishap):
            mishaps.befall(record)
    mishaps.befall(record)
    assert mishaps.raised == planned


@given(payload=st.binary(max_size=50))
def test_a_long_failure_needs_a_second_delivery_and_no_third(payload: bytes) -> None:
    assert ATTEMPTS < Plan(once=0, long=1).failures(payload) < 2 * ATTEMPTS


@given(payload=st.binary(max_size=50))
def test_without_shares_nothing_fails(payload: bytes) -> None:
    assert Plan(once=0, long=0).failures(payload) == 0


def test_two_records_with_one_payload_fail_apart() -> None:
    mishaps = Mishaps(Plan(once=1, long=0))
    for number in ("1", "2"):
        with pytest.raises(Mishap):
            mishaps.befall(Record(b"the same", sequence_number=number))
    assert mishaps.raised == 2
