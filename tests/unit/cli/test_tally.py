"""The counts of a consumer while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.cli.consume_view import Rate, age, line
from kstream.cli.tally import Counts, Tally
from kstream.core.consumer import Consumer
from kstream.core.delivery.answer import Success
from kstream.core.errors import BatchUnfinished
from kstream.core.handler import Handler
from kstream.runtimes.aws_lambda import on_lambda
from kstream.runtimes.runner_events import BatchFinished, Discarded, ShardEnded
from kstream.testing.clock import VirtualClock
from kstream.testing.events import kinesis_event

if TYPE_CHECKING:
    from kstream.core.record import Record


class Picky(Handler):
    def process(self, record: Record) -> None:
        if record.data == b"bad":
            raise ValueError("bad")


@pytest.mark.parametrize("answer", ["partial", "raise"])
def test_outcomes_are_counted_also_when_the_handler_raises(answer: Any) -> None:
    tally = Tally()
    handler = on_lambda(Consumer(Picky), answer=answer, clock=VirtualClock())
    watched = tally.watched(handler)

    watched(kinesis_event([b"good"]), None)
    try:
        watched(kinesis_event([b"good", b"bad", b"good"]), None)
    except BatchUnfinished:
        assert answer == "raise"

    counts = tally.counts
    assert (counts.batches, counts.received, counts.processed, counts.failed) == (2, 4, 2, 2)


def test_a_call_without_outcome_counts_nothing() -> None:
    tally = Tally()
    handler = on_lambda(Consumer(Picky), clock=VirtualClock())
    tally.watched(handler)(kinesis_event([b"good"]), None)

    with pytest.raises(Exception, match="the event is"):
        tally.watched(handler)("no event", None)

    assert tally.counts.batches == 1


def test_the_runner_tells_of_age_and_discards() -> None:
    tally = Tally()

    tally.observe(BatchFinished("shard", 3, 3, 1, Success(), 0.1, 1_500.0))
    tally.observe(Discarded("shard", 5, {}))
    tally.observe(ShardEnded("shard"))

    assert (tally.counts.iterator_age, tally.counts.discarded) == (1.5, 5)
    assert tally.counts.to_json()["iteratorAgeSeconds"] == 1.5


def test_a_rate_is_taken_over_a_second() -> None:
    clock = VirtualClock()
    rate = Rate(clock)
    clock.advance(0.5)
    assert rate.of(100) == 0
    clock.advance(0.5)
    assert rate.of(100) == 100
    clock.advance(2)
    assert rate.of(300) == 100


def test_a_line_tells_all_of_it() -> None:
    text = line(Counts(received=1_234, processed=1_200, retried=3, failed=4, dead_lettered=5, discarded=6), 10.2)

    assert text == (
        "received 1,234  processed 1,200  per second 10  retried 3  failed 4  dead-lettered 5  discarded 6  "
        "iterator age -"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.04, "0.0 s"), (59, "59.0 s"), (120, "2 min"), (5400, "1.5 h")]
)
def test_an_age_comes_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert age(seconds) == text
