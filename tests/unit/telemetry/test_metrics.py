"""Documents for CloudWatch: one set for each batch, however it ends, with what its handler counted."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, Reject
from kstream.core.handler import Handler
from kstream.core.outcome import Outcome
from kstream.core.ports import Scope
from kstream.core.processor import Processor
from kstream.core.telemetry import BatchContext
from kstream.runtimes.aws_lambda import on_lambda
from kstream.telemetry.lines_out import metrics_out
from kstream.telemetry.metrics import Metrics
from kstream.testing.clock import VirtualClock
from tests.support.cloudwatch import read, total, values
from tests.support.metric_names import Names, Old
from tests.support.processing import SHARD_ID, STREAM_ARN, batch, entry, event

if TYPE_CHECKING:
    from kstream.core.record import Record
    from tests.support.cloudwatch import Point


class Shop(Handler):
    def process(self, record: Record) -> None:
        self.telemetry.count("orders", 2)
        with self.telemetry.time("lookup"):
            pass
        match record.data:
            case b"poison":
                raise Reject("never")
            case b"exit":
                raise SystemExit


class Written:
    """What was written, as CloudWatch reads it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def points(self) -> list[Point]:
        return [point for line in self.lines for point in read(line)]


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def metrics(written: Written, clock: VirtualClock) -> Metrics:
    return Metrics(service="shop", write=written, time=clock.time)


def context(*entries: dict[str, Any]) -> BatchContext:
    scope = Scope("Shop", STREAM_ARN, SHARD_ID) if entries else Scope("", "", "")
    return BatchContext(scope, batch(*entries), "request-7", 1_700_000_000.0)


def test_a_batch_is_one_document_with_its_facts_beside_it(written: Written, metrics: Metrics) -> None:
    handle = on_lambda(Consumer(Shop, telemetry=metrics))
    handle(event(entry(7), entry(8, b"poison"), entry(9)))
    handle(event(entry(8)))

    first, second = written.documents
    assert {name: first[name] for name in ("service", "stream", "consumer")} == {
        "service": "shop",
        "stream": "orders",
        "consumer": "Shop",
    }
    assert first["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "stream", "consumer"]]
    assert (first["shard"], first["first_sequence_number"], first["last_sequence_number"]) == (SHARD_ID, "7", "9")
    assert (first["checkpoint"], first["ended"], first["cold_start"]) == ("8", "finished", True)
    assert (first["RecordsSucceeded"], first["RecordsRejected"], first["RecordsUnfinished"]) == (1, 1, 1)
    assert "cold_start" not in second
    assert "checkpoint" not in second
    assert "error" not in second


def test_what_a_handler_counts_and_times_goes_along(written: Written, metrics: Metrics) -> None:
    on_lambda(Consumer(Shop, telemetry=metrics))(event(*(entry(number) for number in range(1, 301))))

    assert total(written.points, "orders") == 600
    assert len(values(written.points, "lookup")) == 100
    assert {point.unit for point in written.points if point.series.name == "lookup"} == {"Milliseconds"}
    assert len(written.lines) == 1


def test_a_batch_that_is_interrupted_is_told(written: Written, metrics: Metrics) -> None:
    handle = on_lambda(Consumer(Shop, telemetry=metrics))
    with pytest.raises(SystemExit):
        handle(event(entry(1), entry(2, b"exit")))

    (document,) = written.documents
    assert (document["ended"], document["error"], document["checkpoint"]) == ("interrupted", "SystemExit", "1")
    assert (document["RecordsSucceeded"], document["orders"]) == (1, 4)


def test_at_the_deadline_it_is_told_and_not_again_at_the_end(written: Written, clock: VirtualClock) -> None:
    seen: list[int] = []

    class Stuck(Handler):
        def process(self, record: Record) -> None:
            self.telemetry.count("orders")
            if record.sequence_number == "2":
                processor.deadline_passed()
                seen.append(len(written.lines))
                self.telemetry.count("late")

    metrics = Metrics(service="shop", write=written, time=clock.time)
    processor = Processor(Consumer(Stuck, telemetry=metrics), clock=clock, uniform=lambda low, high: low)
    processor.process(batch(entry(1), entry(2), entry(3)))

    assert seen == [1]
    (document,) = written.documents
    assert document["ended"] == "deadline"
    assert (document["RecordsSucceeded"], document["orders"]) == (1, 2)
    assert document["BatchesOutOfTime"] == 1

    # What came after it goes out with the next batch.
    processor.process(batch(entry(4)))
    assert total(written.points, "orders") == 4
    assert total(written.points, "late") == 1
    assert written.documents[1]["ended"] == "finished"


def test_of_a_deadline_and_an_end_at_the_same_time_one_is_told(written: Written, metrics: Metrics) -> None:
    for _ in range(50):
        started = context(entry(1))
        metrics.batch_started(started)
        begin = threading.Barrier(2)

        def end(tell: Any, *told: Any, begin: threading.Barrier = begin) -> None:
            begin.wait()
            tell(*told)

        threads = [
            threading.Thread(target=end, args=told)
            for told in ((metrics.batch_finished, Outcome()), (metrics.deadline_passed, started, Outcome()))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(written.lines) == 50


def test_a_deadline_that_is_told_late_is_nothing_to_the_batch_after_it(written: Written, metrics: Metrics) -> None:
    first, second = context(entry(1)), context(entry(1))
    metrics.batch_started(first)
    metrics.batch_finished(Outcome(kinesis_records=1))
    metrics.deadline_passed(first, Outcome(checkpoint="1", unfinished=1))
    metrics.batch_started(second)
    metrics.deadline_passed(first, Outcome(checkpoint="1", unfinished=1))
    metrics.batch_finished(Outcome(kinesis_records=1, done=1))
    assert [document["ended"] for document in written.documents] == ["finished"] * 2
    assert total(written.points, "RecordsUnfinished") == 0
    assert total(written.points, "RecordsSucceeded") == 1


def test_an_empty_batch_tells_nothing(written: Written, metrics: Metrics) -> None:
    on_lambda(Consumer(Shop, telemetry=metrics))(event())
    metrics.batch_started(context())
    metrics.batch_finished(Outcome())
    assert written.lines == []


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("", "a name is 1 to 255"),
        ("x" * 256, "a name is 1 to 255"),
        ("naïve", "a name is 1 to 255"),
        (":x", "a name is 1 to 255"),
        (None, "a name is 1 to 255"),
        (["x"], "a name is 1 to 255"),
        ("RecordsFailed", "give it another one"),
        ("stream", "give it another one"),
        ("_aws", "give it another one"),
        ("shard", "give it another one"),
        ("timed", "give each its own"),
    ],
)
def test_a_name_that_cannot_be_is_dropped_with_one_line(
    written: Written, metrics: Metrics, caplog: pytest.LogCaptureFixture, name: Any, remedy: str
) -> None:
    for _ in range(2):
        metrics.batch_started(context(entry(1)))
        metrics.observe("timed", 1)
        metrics.count(name, 1)
        metrics.count(name, 1)
        metrics.count("orders", 1)
        metrics.batch_finished(Outcome(kinesis_records=1))

    (line,) = caplog.messages
    assert repr(name)[:50] in line
    assert remedy in line
    assert total(written.points, "orders") == 2
    assert total(written.points, "timed") == 2000
    assert total(written.points, "RecordsReceived") == 2


def test_a_name_may_be_of_an_enumeration(written: Written, metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.batch_started(context(entry(1)))
    metrics.count(Names.ORDERS, 1)
    metrics.count("orders", 1)
    metrics.observe(Names.LOOKUP, 1)
    metrics.observe(Old.LOOKUP, 1)
    metrics.batch_finished(Outcome())

    assert caplog.messages == []
    assert total(written.points, "orders") == 2
    assert values(written.points, "lookup") == [1000, 1000]


@pytest.mark.parametrize(
    "value",
    ["1", None, float("nan"), float("inf"), 10**400, -(2**361), [1], pytest.param(10**5000, id="too long to be shown")],
)
def test_a_value_that_is_no_number_is_dropped(
    written: Written, metrics: Metrics, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    metrics.batch_started(context(entry(1)))
    for tell in (metrics.count, metrics.observe):
        tell("orders" if tell == metrics.count else "lookup", value)
    metrics.count("sum", 2.0**360)
    metrics.count("sum", 2.0**360)
    metrics.batch_finished(Outcome())

    assert [message.split(" is dropped")[0] for message in caplog.messages] == [
        "the metric 'orders'",
        "the metric 'lookup'",
        "the metric 'sum'",
    ]
    assert total(written.points, "sum") == 2.0**360


def test_names_without_an_end_are_bounded_and_so_are_the_lines_about_them(
    written: Written, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.batch_started(context(entry(1)))
    for number in range(1000):
        metrics.count(f"order-{number}", 1)
    metrics.batch_finished(Outcome())

    own = {point.series.name for point in written.points if point.series.name.startswith("order-")}
    assert len(own) == 100
    assert len(caplog.messages) == 10
    assert "put what tells them apart into a log line" in caplog.messages[0]
    assert "Of others that are dropped nothing is said" in caplog.messages[-1]


def test_times_without_an_end_keep_their_extremes(written: Written, metrics: Metrics) -> None:
    metrics.batch_started(context(entry(1)))
    for number in range(100_000):
        metrics.observe("lookup", (number * 7919 % 100_000) / 1000)
    metrics.batch_finished(Outcome())

    found = values(written.points, "lookup")
    assert (len(found), found[0], found[-1]) == (100, 0, 99_999)
    assert found[50] == pytest.approx(50_000, abs=2_000)


def test_threads_count_together(written: Written, metrics: Metrics) -> None:
    metrics.batch_started(context(entry(1)))

    def work() -> None:
        for _ in range(2000):
            metrics.count("orders", 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.batch_finished(Outcome())
    assert total(written.points, "orders") == 16_000


def test_a_way_out_that_raises_changes_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        if len(lines) < 3:
            raise OSError("the disk is full")

    handle = on_lambda(Consumer(Shop, telemetry=Metrics(service="shop", write=write)))
    for _ in range(3):
        assert handle(event(entry(1))) == {"batchItemFailures": []}

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert json.loads(lines[2])["documents_dropped"] == 2


def test_what_cloudwatch_refuses_is_refused_when_it_is_made() -> None:
    with pytest.raises(ConfigurationError, match="service="):
        Metrics(service="")
    with pytest.raises(ConfigurationError, match="namespace="):
        Metrics(service="shop", namespace="AWS/Lambda")


def test_it_goes_to_standard_output(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_out(), "_patience", 60.0)
    on_lambda(Consumer(Shop, telemetry=Metrics(service="shop")))(event(entry(1)))
    (line,) = capfd.readouterr().out.splitlines()
    assert total(read(line), "RecordsSucceeded") == 1
