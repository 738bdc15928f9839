"""Which records share a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from kstream.ingest.lanes import Lane, lane_of
from kstream.ingest.records import item

if TYPE_CHECKING:
    from kstream.ingest.records import Item

MIB = 1 << 20
some_records = st.lists(st.tuples(st.binary(max_size=60), st.sampled_from(["a", "b", "c", None])), max_size=60)


def items(records: list[tuple[bytes, str | None]]) -> list[Item]:
    return [item(index, record, MIB) for index, record in enumerate(records)]


def drained(lane: Lane, given_items: list[Item]) -> list[list[Item]]:
    """The requests that come out if each is sent as soon as the lane is full."""
    requests = []
    for one in given_items:
        lane.add(one)
        while lane.full:
            requests.append(lane.take())
    while lane:
        requests.append(lane.take())
    return requests


@given(some_records, st.integers(1, 10), st.integers(1, 400), st.booleans())
def test_every_record_is_in_one_request_within_the_limits(
    records: list[tuple[bytes, str | None]], max_records: int, max_bytes: int, one_per_key: bool
) -> None:
    requests = drained(Lane(max_records, max_bytes, one_per_key=one_per_key), items(records))
    assert sorted(one.ordinal for request in requests for one in request) == list(range(len(records)))
    for request in requests:
        assert 1 <= len(request) <= max_records
        assert len(request) == 1 or sum(len(one.fragment) + 1 for one in request) <= max_bytes


@given(some_records, st.integers(1, 10), st.integers(1, 400), st.booleans())
def test_the_records_of_a_key_stay_in_order(
    records: list[tuple[bytes, str | None]], max_records: int, max_bytes: int, one_per_key: bool
) -> None:
    requests = drained(Lane(max_records, max_bytes, one_per_key=one_per_key), items(records))
    for key in ("a", "b", "c"):
        order = [one.ordinal for request in requests for one in request if one.key == key]
        assert order == sorted(order)
        if one_per_key:
            assert all([one.key for one in request].count(key) <= 1 for request in requests)


@given(some_records, st.integers(1, 8))
def test_a_key_keeps_to_one_lane_and_records_without_one_use_them_all(
    records: list[tuple[bytes, str | None]], lanes: int
) -> None:
    placed = [(one.key, lane_of(one, lanes)) for one in items(records)]
    assert all(0 <= lane < lanes for _, lane in placed)
    for key in ("a", "b", "c"):
        assert len({lane for k, lane in placed if k == key}) <= 1
    free = items([(b"", None)] * lanes)
    assert {lane_of(one, lanes) for one in free} == set(range(lanes))


def test_a_lane_holds_about_one_request_at_most() -> None:
    lane = Lane(500, MIB)
    for one in items([(b"x", "k")] * 500):
        assert not lane.full
        lane.add(one)
    assert lane.full
    assert len(lane.take()) == 500
    assert not lane.full
