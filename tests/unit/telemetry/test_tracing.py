"""What holds for every tracer: X-Ray outside Lambda and in it, and OpenTelemetry."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.core.batch import Batch
from kstream.core.consumer import Consumer
from kstream.core.context import current_batch
from kstream.core.errors import ConfigurationError, Reject
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.outcome import Outcome
from kstream.core.record import Record
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryLedger
from kstream.stores.sqlite import SQLiteLedger
from kstream.telemetry.otel import OpenTelemetry
from kstream.telemetry.trace_context import TraceContext
from kstream.telemetry.tracing import MOST_RECORDS, MOST_SAMPLED
from kstream.telemetry.xray import XRay
from kstream.testing.clock import VirtualClock
from tests.support.processes import within_a_minute
from tests.support.processing import (
    MALFORMED,
    SHARD_ID,
    STREAM_ARN,
    WAYS,
    Letters,
    Script,
    Transient,
    batch,
    entry,
    handler_for,
    processor_of,
    run_script,
    workers_for,
)
from tests.support.tracers import KINDS, tracer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kstream.core.telemetry import BatchContext
    from tests.support.processing import Way
    from tests.support.tracers import Kind, Span, Tracer

SECRET = b'{"card": "4111-1111-1111-1111"}'
SOON = 1.0
"""Seconds of real time until a thread is waited for no more, in which it has to come to where it waits itself."""


@pytest.fixture(params=KINDS)
def tracer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracer]:
    with tracer_of(request.param, monkeypatch) as made:
        yield made


def records(count: int, keys: int = 4, data: bytes = SECRET) -> Batch:
    return batch(*(entry(100 + index, data, f"k{index % keys}") for index in range(count)))


def run(consumer: Consumer, tracer: Any, given: Batch, clock: VirtualClock | None = None) -> Outcome:
    processor = processor_of(consumer, clock=clock, telemetry=tracer)
    try:
        return processor.process(given, request_id="r-1")
    finally:
        processor.close()


def of(spans: Sequence[Span], sort: str) -> list[Span]:
    return [span for span in spans if span.sort == sort]


def the_batch(spans: Sequence[Span]) -> Span:
    [found] = of(spans, "batch")
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_and_its_failed_records_in_every_way_of_running(way: Way, tracer: Tracer) -> None:
    """Each failed attempt has a span beneath the batch's, the others have none, and no payload is anywhere."""
    script = Script(failing={(101, 0): 1, (103, 0): 9}, rejected={(106, 0)})
    outcome = run_script(
        way,
        script,
        records(8),
        told=tracer.telemetry(sample_rate=0),
        retry=Retry(attempts=2),
        dead_letters=Letters(),
        ordering="none",
    )
    spans = tracer.spans()
    top = the_batch(spans)
    failed = of(spans, "record")
    assert {span.parent for span in failed} == {top.id}
    assert {span.trace for span in spans} == {top.trace}
    assert sorted((span.facts["sequence_number"], span.facts["attempt"], span.error) for span in failed) == [
        ("101", 1, "Transient"),
        ("103", 1, "Transient"),
        ("103", 2, "Transient"),
        ("106", 1, "Reject"),
    ]
    assert {span.facts["outcome"] for span in failed if span.error == "Reject"} == {"rejected"}
    assert all(span.ended_at is not None and span.ended_at >= span.started_at for span in spans)
    assert top.facts["first_sequence_number"] == "100"
    assert top.facts["last_sequence_number"] == "107"
    assert {SHARD_ID, "orders", "scripted"} <= set(map(str, top.facts.values()))
    assert outcome.failed == 1
    assert "4111-1111" not in str([span.raw for span in spans])
    assert "4111-1111" not in "".join(getattr(span.raw, "to_json", str)() for span in spans)


@pytest.mark.parametrize("way", WAYS)
def test_what_a_user_traces_nests_under_the_record_in_hand(way: Way, tracer: Tracer) -> None:
    """Also in threads and tasks, several records at once, and in tasks that the handler starts itself."""
    traces = OwnSpans(tracer, asynchronous=way in ("async", "tasks"))
    run(traces.consumer(workers_for(way)), tracer.telemetry(sample_rate=1), records(8))
    assert_nested(tracer.spans(), 8)


class OwnSpans:
    """A handler that opens two spans for each record, one in the other, and annotates."""

    def __init__(self, tracer: Tracer, *, asynchronous: bool) -> None:
        self.tracer = tracer
        self.asynchronous = asynchronous

    def consumer(self, max_workers: int) -> Consumer:
        own = self.tracer.own

        class Def(Handler):
            def process(self, record: Record) -> None:
                with own(f"look up {record.sequence_number}"), own(f"in it {record.sequence_number}"):
                    pass
                self.telemetry.annotate("seen", record.sequence_number)

        class AsyncDef(Handler):
            async def process(self, record: Record) -> None:
                await asyncio.gather(self.look_up(record), self.wait())
                self.telemetry.annotate("seen", record.sequence_number)

            async def look_up(self, record: Record) -> None:
                with own(f"look up {record.sequence_number}"):
                    await asyncio.sleep(0)
                    with own(f"in it {record.sequence_number}"):
                        await asyncio.sleep(0)

            async def wait(self) -> None:
                await asyncio.sleep(0)

        return Consumer(AsyncDef if self.asynchronous else Def, ordering="partition_key", max_workers=max_workers)


def assert_nested(spans: Sequence[Span], count: int) -> None:
    top = the_batch(spans)
    by_id = {span.id: span for span in spans}
    assert {span.facts["sequence_number"]: span.parent for span in of(spans, "record")} == {
        str(100 + index): top.id for index in range(count)
    }
    assert all(span.facts["seen"] == span.facts["sequence_number"] for span in of(spans, "record"))
    own = of(spans, "own")
    assert len(own) == 2 * count
    for span in own:
        name = span.raw["name"] if isinstance(span.raw, dict) else span.raw.name
        what, _, sequence = name.rpartition(" ")
        assert span.parent is not None
        parent = by_id[span.parent]
        if what == "in it":
            assert parent.parent is not None
            parent = by_id[parent.parent]
        assert parent.facts["sequence_number"] == sequence


def test_in_a_record_without_a_span_everything_goes_to_the_batch(tracer: Tracer) -> None:
    traces = OwnSpans(tracer, asynchronous=False)
    run(traces.consumer(4), tracer.telemetry(sample_rate=0), records(4))
    spans = tracer.spans()
    top = the_batch(spans)
    assert not of(spans, "record")
    assert len([span for span in of(spans, "own") if span.parent == top.id]) == 4
    assert top.facts["seen"] in {"100", "101", "102", "103"}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_batch_handler_works_under_the_batch(tracer: Tracer, asynchronous: bool) -> None:
    own = tracer.own

    class Def(BatchHandler):
        def process(self, records: Sequence[Record]) -> list[Record]:
            with own("write them"):
                self.telemetry.annotate("bulk", len(records))
            return [records[1]]

    class AsyncDef(BatchHandler):
        async def process(self, records: Sequence[Record]) -> list[Record]:
            with own("write them"):
                await asyncio.sleep(0)
                self.telemetry.annotate("bulk", len(records))
            return [records[1]]

    handler = AsyncDef if asynchronous else Def
    run(Consumer(handler, retry=Retry(attempts=1)), tracer.telemetry(sample_rate=1), records(3))
    spans = tracer.spans()
    assert [span.parent for span in of(spans, "own")] == [the_batch(spans).id]
    assert the_batch(spans).facts["bulk"] == 3
    assert the_batch(spans).facts["outcome"] == "incomplete"


def test_a_transactional_handler_too(tracer: Tracer, tmp_path: Path) -> None:
    own = tracer.own

    class Totals(TransactionalHandler[Any]):
        def process(self, record: Record, transaction: Any) -> None:
            with own("reckon"):
                if record.sequence_number == "102":
                    raise Reject("never")

    ledger = SQLiteLedger(tmp_path / "ledger.sqlite")
    run(Consumer(Totals, ledger=ledger, dead_letters=Letters()), tracer.telemetry(sample_rate=1), records(4))
    ledger.close()
    spans = tracer.spans()
    in_record = {span.id: span.facts["sequence_number"] for span in of(spans, "record")}
    assert sorted(in_record.values()) == ["100", "101", "102", "103"]
    assert sorted(in_record[str(span.parent)] for span in of(spans, "own")) == ["100", "101", "102", "103"]
    assert [span.facts["sequence_number"] for span in of(spans, "record") if span.error == "Reject"] == ["102"]
    assert the_batch(spans).facts["outcome"] == "complete"


def test_slow_attempts_are_told_after_the_fact_with_the_times_they_had(tracer: Tracer) -> None:
    clock = VirtualClock()
    slow: list[float] = []

    def dawdle(record: Record) -> None:
        clock.advance(0.1)
        if record.sequence_number == "102":
            slow.append(clock.time())
            clock.advance(2.5)

    run_script(
        "inline", Script(before=dawdle), records(4), clock=clock, told=tracer.telemetry(sample_rate=0, slow_after=2)
    )
    [span] = of(tracer.spans(), "record")
    assert span.facts["sequence_number"] == "102"
    assert span.facts["outcome"] == "done"
    assert span.error is None
    assert span.started_at == pytest.approx(slow[0] - 0.1, abs=0.001)
    assert span.ended_at == pytest.approx(slow[0] + 2.5, abs=0.001)


def test_spans_are_bounded_and_the_rest_is_counted(tracer: Tracer) -> None:
    count = 3 * MOST_RECORDS
    script = Script(failing={(100 + index, 0): 1 for index in range(0, count, 2)})
    run_script(
        "inline", script, records(count), told=tracer.telemetry(sample_rate=1), ordering="none", retry=Retry(attempts=1)
    )
    spans = tracer.spans()
    shown = of(spans, "record")
    assert len(shown) == MOST_RECORDS
    assert len([span for span in shown if span.error is None]) <= MOST_SAMPLED
    assert len([span for span in shown if span.error is not None]) >= MOST_RECORDS - MOST_SAMPLED
    facts = the_batch(spans).facts
    left_out = facts.get("attempts_without_a_subsegment") or {kind: facts[kind] for kind in ("Transient", "sampled")}
    assert left_out["Transient"] == count // 2 - len([span for span in shown if span.error is not None])
    done = len([span for span in shown if span.error is None])
    assert count - MOST_SAMPLED <= left_out["sampled"] <= count - done


def test_a_sample_that_must_be_thinned_is_spread_over_the_whole_batch(tracer: Tracer) -> None:
    """One of each stretch of the batch, wherever in it, and not its first records."""
    run_script("inline", Script(), records(1_000), told=tracer.telemetry(sample_rate=1))
    spans = tracer.spans()
    shown = sorted(int(span.facts["sequence_number"]) - 100 for span in of(spans, "record"))
    assert [index // (1_000 // MOST_SAMPLED) for index in shown] == list(range(MOST_SAMPLED))
    facts = the_batch(spans).facts
    left_out = facts.get("attempts_without_a_subsegment") or {"sampled": facts["sampled"]}
    assert left_out["sampled"] == 1_000 - MOST_SAMPLED


def test_failures_find_room_beside_samples(tracer: Tracer) -> None:
    script = Script(failing={(190, 0): 1})
    run_script("inline", script, records(100), told=tracer.telemetry(sample_rate=1), retry=Retry(attempts=1))
    assert "190" in {span.facts["sequence_number"] for span in of(tracer.spans(), "record") if span.error}


def test_an_attempt_that_outlives_its_batch_holds_nothing_back(tracer: Tracer) -> None:
    """The batch is told when it ends, and the attempt when that ends, with what the user traced in it, where it belongs."""
    own, started, release, over = tracer.own, threading.Event(), threading.Event(), threading.Event()

    class Stuck(Handler):
        def process(self, record: Record) -> None:
            if record.sequence_number != "101":
                return
            try:
                with own("a long call"):
                    started.set()
                    release.wait(60)
                with own("after it"):
                    self.telemetry.annotate("late", True)
            finally:
                over.set()

    clock = VirtualClock()
    consumer = Consumer(Stuck, ordering="partition_key", max_workers=4)
    processor = processor_of(consumer, clock=clock, telemetry=tracer.telemetry(sample_rate=1))
    try:
        outcome = processor.process(records(4), deadline=clock.monotonic() + SOON)
        assert started.is_set()
        spans = tracer.spans()
        top = the_batch(spans)
        assert outcome.out_of_time
        assert top.facts["outcome"] == "out_of_time"
        assert "101" not in {span.facts["sequence_number"] for span in of(spans, "record")}
        release.set()
        assert over.wait(60)
        late: list[Span] = []

        def told() -> bool:
            nonlocal spans
            spans = tracer.spans()
            late[:] = [span for span in of(spans, "record") if span.facts["sequence_number"] == "101"]
            return bool(late)

        assert within_a_minute(told)
        assert [span.parent for span in late] == [top.id]
        assert {span.parent for span in of(spans, "own")} == {late[0].id}
        assert late[0].facts["late"] is True
        assert len(list(of(spans, "own"))) == 2
    finally:
        release.set()
        processor.close()


def test_a_late_attempt_without_a_span_may_trace_and_annotate_and_meets_no_error(tracer: Tracer) -> None:
    own, release, over = tracer.own, threading.Event(), threading.Event()
    met: list[BaseException] = []

    class Stuck(Handler):
        def process(self, record: Record) -> None:
            try:
                with own("a long call"):
                    release.wait(60)
                with own("after it"), own("in that"):
                    self.telemetry.annotate("late", True)
            except BaseException as error:
                met.append(error)
                raise
            finally:
                over.set()

    clock = VirtualClock()
    processor = processor_of(
        Consumer(Stuck, ordering="partition_key", max_workers=2), clock=clock, telemetry=tracer.telemetry(sample_rate=0)
    )
    try:
        processor.process(records(1), deadline=clock.monotonic() + SOON)
        told = the_batch(tracer.spans())
        release.set()
        assert over.wait(60)
    finally:
        release.set()
        processor.close()
    assert met == []
    assert the_batch(tracer.spans()).facts.get("late") is told.facts.get("late") is None


def test_the_deadline_is_told_at_once(tracer: Tracer) -> None:
    seen: list[list[Span]] = []
    consumer_holder: list[Any] = []

    class Overdue(Handler):
        def process(self, record: Record) -> None:
            if record.sequence_number == "101":
                timer = threading.Thread(target=consumer_holder[0].deadline_passed)
                timer.start()
                timer.join()
                seen.append(tracer.spans())

    processor = processor_of(Consumer(Overdue), telemetry=tracer.telemetry(sample_rate=0))
    consumer_holder.append(processor)
    processor.process(records(3))
    processor.close()
    [early] = seen
    assert [span.facts["outcome"] for span in early if "outcome" in span.facts] == ["out_of_time"] or any(
        "out_of_time" in str(span.facts) for span in early
    )
    assert the_batch(tracer.spans()).facts["outcome"] == "complete"


def test_a_deadline_that_is_told_late_is_not_laid_to_the_next_batch(tracer: Tracer) -> None:
    """The thread that tells it may be held up until another batch is in hand."""
    told = tracer.telemetry(sample_rate=0)
    seen: list[BatchContext | None] = []

    class Late(Handler):
        def process(self, record: Record) -> None:
            seen.append(current_batch.get())
            if len(seen) == 2 and seen[0] is not None:
                told.deadline_passed(seen[0], Outcome(records=1, unfinished=1, out_of_time=True))

    processor = processor_of(Consumer(Late), telemetry=told)
    processor.process(records(1))
    processor.process(batch(entry(200)))
    if seen[1] is not None:
        told.deadline_passed(seen[1], Outcome())
    processor.close()
    spans = tracer.spans()
    assert [span.sort for span in spans] == ["batch", "batch"]
    assert "out_of_time" not in str([span.facts for span in spans])


class Returns(BatchHandler):
    def process(self, records: Sequence[Record]) -> list[Record]:
        return [record for record in records if record.sequence_number == "101"]


class Raises(BatchHandler):
    def process(self, records: Sequence[Record]) -> None:
        raise Transient("all of it")


class AsyncReturns(BatchHandler):
    async def process(self, records: Sequence[Record]) -> list[Record]:
        return [record for record in records if record.sequence_number == "101"]


class NoKey(Handler):
    def idempotency_key(self, record: Record) -> str:
        if record.sequence_number == "101":
            raise ValueError("no key")
        return record.sequence_number

    def process(self, record: Record) -> None: ...


class ForgetsToAwait(Handler):
    def process(self, record: Record) -> Any:
        return asyncio.sleep(0) if record.sequence_number == "101" else None


@pytest.mark.parametrize(
    ("handler", "error", "failed", "attempts"),
    [
        (Returns, "RecordFailed", ["101"], 2),
        (AsyncReturns, "RecordFailed", ["101"], 2),
        (Raises, "Transient", ["100", "101", "102"], 2),
        (NoKey, "KeyFailed", ["101"], 1),
        (ForgetsToAwait, "TypeError", ["101"], 2),
    ],
)
def test_a_failure_that_was_in_no_attempt_has_a_span_too(
    tracer: Tracer, handler: Any, error: str, failed: list[str], attempts: int
) -> None:
    """One for the record, over the time of its batch; the batch's own names the error's type."""
    consumer = Consumer(handler, retry=Retry(attempts=2, base=0), ledger=MemoryLedger(), ordering="none")
    run(consumer, tracer.telemetry(sample_rate=0), records(3))
    spans = tracer.spans()
    top, shown = the_batch(spans), of(spans, "record")
    assert sorted(span.facts["sequence_number"] for span in shown) == failed
    assert {span.error for span in (top, *shown)} == {error}
    assert {span.parent for span in shown} == {top.id}
    assert {(span.facts["outcome"], span.facts["attempt"]) for span in shown} == {("failed", attempts)}
    assert all(span.ended_at is not None and span.ended_at >= span.started_at for span in shown)


def test_an_undecodable_record_has_a_span_though_no_handler_saw_it(tracer: Tracer) -> None:
    given = batch(entry(100), entry(101, MALFORMED))
    run(Consumer(handler_for("inline", Script()), dead_letters=Letters()), tracer.telemetry(sample_rate=0), given)
    [span] = of(tracer.spans(), "record")
    assert (span.facts["sequence_number"], span.facts["outcome"], span.error) == (
        "101",
        "rejected",
        "UndecodableRecord",
    )
    assert the_batch(tracer.spans()).error is None


def test_failures_that_were_in_no_attempt_are_bounded_too(tracer: Tracer) -> None:
    run(Consumer(Raises, retry=Retry(attempts=1)), tracer.telemetry(sample_rate=1), records(MOST_RECORDS + 7))
    spans = tracer.spans()
    assert len(of(spans, "record")) == MOST_RECORDS
    facts = the_batch(spans).facts
    assert (facts.get("attempts_without_a_subsegment") or facts)["Transient"] == 7


def test_a_batch_that_raises_is_told_with_its_error(tracer: Tracer) -> None:
    class Leaves(Handler):
        def process(self, record: Record) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Consumer(Leaves), tracer.telemetry(sample_rate=0), records(2))
    spans = tracer.spans()
    assert the_batch(spans).facts["outcome"] == "interrupted"
    assert the_batch(spans).error == "KeyboardInterrupt"
    assert [span.facts["outcome"] for span in of(spans, "record")] == ["interrupted"]


def test_two_batches_are_two_spans_and_nothing_stays_open(tracer: Tracer) -> None:
    processor = processor_of(Consumer(handler_for("inline", Script())), telemetry=tracer.telemetry(sample_rate=1))
    processor.process(records(2))
    processor.process(batch(entry(200), entry(201)))
    processor.process(Batch.plain([]))
    processor.close()
    spans = tracer.spans()
    tops = of(spans, "batch")
    assert [span.facts["first_sequence_number"] for span in tops] == ["100", "200"]
    for top, numbers in zip(tops, (["100", "101"], ["200", "201"]), strict=True):
        assert [span.facts["sequence_number"] for span in of(spans, "record") if span.parent == top.id] == numbers


def with_headers(*headers: dict[str, str]) -> Batch:
    return Batch.plain(
        [
            Record(
                b"{}",
                sequence_number=str(100 + index),
                stream_arn=STREAM_ARN,
                shard_id=SHARD_ID,
                partition_key="k",
                headers=given,
            )
            for index, given in enumerate(headers)
        ]
    )


PRODUCERS = [TraceContext(f"{index + 1:032x}", f"{index + 1:016x}", sampled=True) for index in range(300)]


def producers_in(span: Span) -> list[str]:
    if isinstance(span.raw, dict):
        found = span.facts.get("producers", [span.facts["producer"]] if "producer" in span.facts else [])
        return [trace.replace("-", "")[1:] for trace in found]
    return [f"{link.context.trace_id:032x}" for link in span.raw.links]


def test_the_producers_are_told_and_each_record_knows_its_own(tracer: Tracer) -> None:
    one, other = PRODUCERS[:2]
    given = with_headers(
        one.headers(), {}, {"TraceParent": str(other.traceparent)}, one.headers(), {"traceparent": "no"}
    )
    run(Consumer(handler_for("inline", Script())), tracer.telemetry(sample_rate=1), given)
    spans = tracer.spans()
    assert producers_in(the_batch(spans)) == [one.trace_id, other.trace_id]
    assert {span.facts["sequence_number"]: producers_in(span) for span in of(spans, "record")} == {
        "100": [one.trace_id],
        "101": [],
        "102": [other.trace_id],
        "103": [one.trace_id],
        "104": [],
    }


def test_producers_are_bounded(tracer: Tracer) -> None:
    given = with_headers(*(producer.headers() for producer in PRODUCERS))
    run(Consumer(handler_for("inline", Script())), tracer.telemetry(sample_rate=0), given)
    assert len(producers_in(the_batch(tracer.spans()))) == 128


@pytest.mark.parametrize("way", WAYS)
def test_the_outcome_is_what_it_is_without_a_tracer(way: Way, tracer: Tracer) -> None:
    def outcome(told: Any) -> Outcome:
        script = Script(failing={(104, 0): 1, (109, 0): 9}, rejected={(106, 0)})
        return run_script(way, script, records(20), told=told, ordering="partition_key", retry=Retry(attempts=2))

    assert outcome(tracer.telemetry(sample_rate=0.5)) == outcome(None)


def test_without_error_messages_only_the_kind_is_told(tracer: Tracer) -> None:
    class Quotes(Handler):
        def process(self, record: Record) -> None:
            raise Transient(f"cannot read {record.text()}")

    told = tracer.telemetry(sample_rate=0, error_messages=False)
    run(Consumer(Quotes, retry=Retry(attempts=1)), told, records(1))
    [span] = of(tracer.spans(), "record")
    assert span.error == "Transient"
    assert "4111-1111" not in getattr(span.raw, "to_json", lambda: str(span.raw))()


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("error", [Unspeakable(), Transient("x" * 100_000), Transient("\ud800"), Transient()])
def test_errors_of_every_sort_are_told(tracer: Tracer, error: Exception) -> None:
    class Fails(Handler):
        def process(self, record: Record) -> None:
            raise error

    run(Consumer(Fails, retry=Retry(attempts=2)), tracer.telemetry(sample_rate=0), records(1))
    assert [span.error for span in of(tracer.spans(), "record")] == [type(error).__name__] * 2
    assert len(str([span.raw for span in tracer.spans()])) < 10_000


NAME = st.text(min_size=1).filter(str.isprintable)
ANYTHING = st.text() | st.integers() | st.floats() | st.booleans()


@given(notes=st.dictionaries(st.text(), ANYTHING, max_size=60), name=NAME, key=st.text())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_noted_and_however_things_are_called_the_trace_is_sound(
    kind: Kind, notes: dict[str, Any], name: str, key: str
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, tracer_of(kind, monkeypatch) as tracer:

        class Notes(Handler):
            def process(self, record: Record) -> None:
                for note, value in notes.items():
                    self.telemetry.annotate(note, value)

        given = Batch.plain([Record(b"{}", sequence_number="1", partition_key=key, stream_arn=STREAM_ARN)])
        for sample_rate in (0, 1):
            assert run(Consumer(Notes, name=name), tracer.telemetry(sample_rate=sample_rate), given).complete
        assert len(tracer.spans()) == 3


class Note(str, Enum):  # noqa: UP042 - not a StrEnum, whose str() is its value
    PAID = "paid"


ODD: dict[Any, tuple[Any, Any]] = {
    "long": (10**5000, "<int without a text: ValueError>"),
    "wide": (2**63, str(2**63)),
    "whole": (-(2**63), -(2**63)),
    "none": (None, "None"),
    Note.PAID: (Note.PAID, "paid"),
    7: ([1], "[1]"),
    "": (True, True),
}


@pytest.mark.parametrize("sample_rate", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_noted_in_spite_of_its_type_is_told_as_text_and_spoils_no_trace(
    kind: Kind, sample_rate: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, tracer_of(kind, monkeypatch) as tracer:

        class Notes(Handler):
            def process(self, record: Record) -> None:
                for key, (value, _) in ODD.items():
                    self.telemetry.annotate(key, value)

        assert run(Consumer(Notes), tracer.telemetry(sample_rate=sample_rate), records(1)).complete
        noted = of(tracer.spans(), "record" if sample_rate else "batch")[0].facts
    keys = {Note.PAID: "paid", 7: "7", "": "_"}
    assert {keys.get(key, key): told for key, (_, told) in ODD.items()}.items() <= noted.items()
    assert not caplog.records


@pytest.mark.parametrize("tracer_class", [XRay, OpenTelemetry])
@pytest.mark.parametrize(
    "wrong", [{"sample_rate": 1.1}, {"sample_rate": float("nan")}, {"slow_after": -1}, {"most_records": -1}]
)
def test_what_cannot_be_is_refused(tracer_class: type[XRay], wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        tracer_class(**wrong)
