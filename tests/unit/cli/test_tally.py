"""The counts of a consumer while it runs: those of its metrics."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from kstream import metrics
from kstream.cli.consume_view import Rate, age, cells, line, table
from kstream.cli.tally import Counts, Tally
from kstream.core.consumer import Consumer
from kstream.core.delivery.answer import Success
from kstream.core.errors import BatchUnfinished, EventError
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from kstream.runtimes.aws_lambda import on_lambda
from kstream.runtimes.runner_events import BatchFinished, Discarded, ShardEnded
from kstream.stores.memory import MemoryLedger
from kstream.telemetry.metrics import Metrics
from kstream.testing.clock import VirtualClock
from kstream.testing.events import kinesis_event
from tests.support.cloudwatch import read, total
from tests.support.processing import entry, event

if TYPE_CHECKING:
    from kstream.core.record import Record


class Picky(Handler):
    def process(self, record: Record) -> None:
        if record.data == b"bad":
            raise ValueError("bad")
        if record.data == b"exit":
            raise SystemExit


@pytest.mark.parametrize("answer", ["partial", "raise"])
def test_batches_are_counted_also_when_the_function_raises(answer: Any) -> None:
    tally = Tally()
    handle = on_lambda(Consumer(Picky, telemetry=tally), answer=answer, clock=VirtualClock())

    handle(kinesis_event([b"good"]))
    try:
        handle(kinesis_event([b"good", b"bad", b"good"]))
    except BatchUnfinished:
        assert answer == "raise"
    with pytest.raises(SystemExit):
        handle(kinesis_event([b"exit"]))

    counts = tally.counts
    assert (counts.batches, counts.received, counts.processed, counts.failed, counts.unfinished) == (3, 5, 2, 1, 2)


def test_a_call_without_a_batch_counts_nothing() -> None:
    tally = Tally()
    with pytest.raises(EventError):
        on_lambda(Consumer(Picky, telemetry=tally), clock=VirtualClock())("no event")
    assert tally.counts == Counts()


def test_they_are_the_numbers_that_cloudwatch_gets() -> None:
    tally = Tally()
    lines: list[str] = []
    consumer = Consumer(
        Picky,
        ordering="none",
        retry=Retry(attempts=2, base=0),
        ledger=MemoryLedger(),
        telemetry=(tally, Metrics(service="shop", write=lines.append)),
    )
    handle = on_lambda(consumer)
    for _ in range(3):
        handle(event(entry(1, b"bad"), entry(2), entry(3)))

    points = [point for line in lines for point in read(line)]
    counts = tally.counts.to_json()
    assert (counts["batches"], counts["skipped"], counts["retried"]) == (3, 4, 3)
    for name, metric in {
        "received": metrics.USER_RECORDS,
        "processed": metrics.SUCCEEDED,
        "skipped": metrics.SKIPPED,
        "retried": metrics.RETRIED,
        "failed": metrics.FAILED,
        "ledgerFailures": metrics.LEDGER_FAILURES,
    }.items():
        assert counts[name] == total(points, metric.name)


def test_ages_are_those_of_the_last_batch() -> None:
    tally = Tally()
    clock = VirtualClock(1_700_000_010.5)
    tally._time = clock.time
    on_lambda(Consumer(Picky, telemetry=tally), clock=clock)(event(entry(1)))
    counts = tally.counts
    assert (counts.record_age_p99, counts.record_age_max, counts.checkpoint_lag) == (10, 10, 10)
    assert tally.counts.to_json()["recordAgeP99Seconds"] == 10


def test_the_runner_tells_of_age_and_discards() -> None:
    tally = Tally()

    tally.happened(BatchFinished("shard", 3, 3, 1, Success(), 0.1, 1_500.0))
    tally.happened(Discarded("shard", 5, {}))
    tally.happened(ShardEnded("shard"))

    assert (tally.counts.iterator_age, tally.counts.discarded) == (1.5, 5)
    assert tally.counts.to_json()["iteratorAgeSeconds"] == 1.5


def test_a_rate_is_taken_over_a_second() -> None:
    clock = VirtualClock()
    rate = Rate(clock)
    clock.advance(0.5)
    assert rate.of(100) is None  # nothing is known yet, which is not none
    clock.advance(0.5)
    assert rate.of(100) == 100
    clock.advance(2)
    assert rate.of(300) == 100


def test_a_line_tells_all_of_it() -> None:
    text = line(Counts(received=1_234, processed=1_200, retried=3, failed=4, dead_lettered=5, discarded=6), 10.2)

    assert text == (
        "received 1,234  processed 1,200  per second 10  retried 3  failed 4  dead-lettered 5  discarded 6  "
        "age p99 -  checkpoint lag -  iterator age -"
    )


def test_what_is_rare_is_told_when_it_happens() -> None:
    counts = Counts(
        skipped=1, rejected=6, unfinished=2, out_of_time=3, ledger_failures=4, dead_letter_failures=5, checkpoint_lag=90
    )
    told = "  skipped 1  rejected 6  unfinished 2  out of time 3  ledger failures 4  dead-letter failures 5  age"
    assert told in line(counts, 0)
    assert "  checkpoint lag 2 min  " in line(counts, 0)


def test_a_rate_that_is_not_known_yet_is_not_told_as_none() -> None:
    assert "  per second -  " in line(Counts(processed=200), None)
    assert "  per second 0  " in line(Counts(processed=200), 0)


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_on_a_narrow_terminal_no_number_is_cut_short(width: int) -> None:
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    counts = Counts(received=123_456_789, processed=123_456_780, skipped=12, unfinished=9, ledger_failures=2)
    console.print(table(cells(counts, 12_345), width))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert all(text in told for name, value, _ in cells(counts, 12_345) for text in (name, value))
    assert max(map(len, told.splitlines())) <= width


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.04, "0.0 s"), (59, "59.0 s"), (120, "2 min"), (5400, "1.5 h")]
)
def test_an_age_comes_in_the_unit_that_fits(seconds: float | None, text: str) -> None:
    assert age(seconds) == text
