"""The numbers of a batch are those of its outcome and of its records' arrivals, whatever a delivery looks like."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream import metrics
from kstream.core.batch import Batch
from kstream.core.outcome import Outcome
from kstream.core.ports import Scope
from kstream.core.telemetry import BatchContext
from kstream.telemetry.numbers import MOST_VALUES, measure, percentile, thin
from tests.support.processing import SHARD_ID, STREAM_ARN, entry

if TYPE_CHECKING:
    from kstream.telemetry.numbers import Numbers

NOW = 1_700_000_100.0


def arrived(sequence: int, at: Any) -> dict[str, Any]:
    made = entry(sequence)
    made["kinesis"]["approximateArrivalTimestamp"] = at
    return made


def context(*entries: dict[str, Any], started_at: float = NOW) -> BatchContext:
    scope = Scope("Orders", STREAM_ARN, SHARD_ID)
    return BatchContext(scope, Batch.from_entries(list(entries)), "", started_at)


def numbers(*arrivals: Any, ended_at: float = NOW + 1, **outcome: Any) -> Numbers:
    entries = [arrived(sequence, at) for sequence, at in enumerate(arrivals, 1)]
    return measure(context(*entries), Outcome(**outcome), ended_at)


def test_every_metric_has_its_number() -> None:
    assert set(numbers(NOW - 1)) == set(metrics.ALL)


def test_counts_are_those_of_the_outcome() -> None:
    fields = [metric.field for metric in metrics.COUNTS if metric.field]
    outcome = Outcome(**{field: index for index, field in enumerate(fields, 1)})  # type: ignore[arg-type]

    made = measure(context(arrived(1, NOW)), outcome, NOW)

    assert [made[metric] for metric in metrics.COUNTS] == [(float(index),) for index in range(1, len(fields) + 1)]


def test_times_are_in_milliseconds_and_never_negative() -> None:
    made = numbers(NOW - 2.5, NOW + 5, ended_at=NOW + 0.25)
    assert made[metrics.BATCH_DURATION] == (250,)
    assert sorted(made[metrics.RECORD_AGE]) == [0, 2500]
    assert numbers(NOW, ended_at=NOW - 10)[metrics.BATCH_DURATION] == (0,)


def test_the_lag_is_that_of_the_first_record_that_is_not_done() -> None:
    ages = (NOW - 3, NOW - 2, NOW - 1)
    assert numbers(*ages, ended_at=NOW, checkpoint="2")[metrics.CHECKPOINT_LAG] == (2000,)
    assert numbers(*ages, ended_at=NOW)[metrics.CHECKPOINT_LAG] == (1000,)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=400))
def test_ages_keep_their_extremes_and_are_a_hundred_at_most(ages: list[float]) -> None:
    entries = [arrived(sequence, NOW - age) for sequence, age in enumerate(ages, 1)]
    told = measure(context(*entries), Outcome(), NOW)[metrics.RECORD_AGE]

    exact = [round((NOW - (NOW - age)) * 1000, 3) for age in ages]
    assert len(told) == min(len(ages), MOST_VALUES)
    assert (min(told), max(told)) == (min(exact), max(exact))
    assert set(told) <= set(exact)


def test_what_is_thinned_out_keeps_its_percentiles() -> None:
    kept = thin([float(value) for value in range(10_000, 0, -1)])
    assert kept[0] == 1
    assert kept[-1] == 10_000
    for percent in (10, 50, 90, 99):
        exact = percent * 100
        assert percentile(kept, percent) == pytest.approx(exact, abs=101)
    assert percentile([], 99) is None
    assert percentile([7.0], 99) == 7


@pytest.mark.parametrize("broken", [None, "yesterday", nan, 1e400, 10**400, 1e30, -1e308, [], {}])
def test_a_record_whose_arrival_cannot_be_read_has_no_age(broken: Any) -> None:
    made = numbers(NOW - 3, broken, NOW - 1, ended_at=NOW, checkpoint="2")
    assert sorted(made[metrics.RECORD_AGE]) == [1000, 3000]
    assert metrics.CHECKPOINT_LAG not in made
    assert metrics.RECORD_AGE not in numbers(broken)


@pytest.mark.parametrize("missing", ["approximateArrivalTimestamp", "sequenceNumber"])
def test_an_entry_that_lacks_something_raises_nothing(missing: str) -> None:
    entries = [arrived(sequence, NOW - sequence) for sequence in (1, 2, 3)]
    del entries[1]["kinesis"][missing]
    made = measure(context(*entries), Outcome(checkpoint="3"), NOW)
    assert made[metrics.CHECKPOINT_LAG] == (3000,)


def test_records_made_by_hand_have_ages_too() -> None:
    from kstream.core.record import Record

    entries = context(arrived(1, NOW - 1)).batch.outers
    plain = Record(
        b"",
        partition_key="k",
        sequence_number="1",
        shard_id=SHARD_ID,
        stream_arn=STREAM_ARN,
        arrived_at=entries[0].arrived_at,
    )
    scope = Scope("Orders", STREAM_ARN, SHARD_ID)
    made = measure(BatchContext(scope, Batch.plain([plain]), "", NOW), Outcome(), NOW)
    assert made[metrics.RECORD_AGE] == [1000]
