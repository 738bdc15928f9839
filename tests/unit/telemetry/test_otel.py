"""OpenTelemetry alone: names, kinds and links, and what becomes of it where something is broken."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.semconv._incubating.attributes import (
    aws_attributes,
    exception_attributes,
    faas_attributes,
    messaging_attributes,
)
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, LedgerError
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryLedger
from kstream.telemetry import otel_names
from kstream.telemetry.current_trace import trace_headers as current_trace_headers
from kstream.telemetry.otel import OpenTelemetry, trace_headers
from tests.support.processing import WAYS, Script, batch, entry, processor_of, run_script
from tests.support.tracers import OTelTracer

if TYPE_CHECKING:
    from kstream.core.record import Record
    from tests.support.processing import Way


def test_attributes_are_called_as_the_conventions_say() -> None:
    known = {
        value
        for module in (messaging_attributes, error_attributes, exception_attributes, faas_attributes, aws_attributes)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    ours = {value for name, value in vars(otel_names).items() if name.isupper() and "." in value}
    assert {name for name in ours - {otel_names.SYSTEM} if not name.startswith("kstream.")} <= known


def test_a_batch_and_its_records_by_kind_name_and_attributes() -> None:
    tracer = OTelTracer()
    script = Script(failing={(101, 0): 1})
    run_script(
        "inline", script, batch(entry(100), entry(101)), told=tracer.telemetry(sample_rate=0), retry=Retry(attempts=1)
    )
    record, top = tracer.exporter.get_finished_spans()
    assert (record.name, top.name) == ("process orders", "process_batch orders")
    assert (record.kind, top.kind) == (SpanKind.CONSUMER, SpanKind.CONSUMER)
    common = {
        "messaging.system": "aws.kinesis",
        "messaging.operation.type": "process",
        "messaging.destination.name": "orders",
        "messaging.destination.partition.id": "shardId-000000000007",
        "messaging.consumer.group.name": "scripted",
        "aws.kinesis.stream_name": "orders",
    }
    assert dict(top.attributes or {}) == {
        **common,
        "messaging.operation.name": "process_batch",
        "messaging.batch.message_count": 2,
        "kstream.first_sequence_number": "100",
        "kstream.last_sequence_number": "101",
        "kstream.outcome": "incomplete",
        "error.type": "Transient",
        "kstream.records.done": 1,
        "kstream.records.skipped": 0,
        "kstream.records.dead_lettered": 0,
        "kstream.records.failed": 1,
        "kstream.records.unfinished": 0,
        "kstream.records.retried": 0,
        "kstream.records.rejected": 0,
    }
    assert dict(record.attributes or {}) == {
        **common,
        "messaging.operation.name": "process",
        "messaging.message.id": "101:0",
        "kstream.partition_key": "a",
        "kstream.attempt": 1,
        "kstream.outcome": "failed",
        "error.type": "Transient",
    }
    assert top.status.status_code is record.status.status_code is StatusCode.ERROR
    assert record.status.description == "Transient: attempt 1"
    [event] = record.events
    assert event.name == "exception"
    assert set(event.attributes or {}) == {"exception.type", "exception.message", "exception.stacktrace"}
    assert top.instrumentation_scope is not None
    assert top.instrumentation_scope.name == "kstream"


def test_the_failures_of_a_batch_s_stores_stand_on_its_span() -> None:
    """A batch may be done in spite of them: nothing else on it would tell."""

    class Throttled(MemoryLedger):
        def load(self, *args: Any, **options: Any) -> Any:
            raise LedgerError("throttled")

    tracer = OTelTracer()
    run_script("inline", Script(), batch(entry(1)), told=tracer.telemetry(sample_rate=0), ledger=Throttled())
    [top] = tracer.exporter.get_finished_spans()
    attributes = dict(top.attributes or {})
    assert (attributes["kstream.outcome"], attributes["kstream.ledger_failures"]) == ("complete", 1)
    assert "kstream.dead_letter_failures" not in attributes


@pytest.mark.parametrize("sample_rate", [0, 1])
def test_a_handlers_attributes_are_kept_beside_kstreams_own(sample_rate: int) -> None:
    names = ("messaging.system", "messaging.destination.partition.id", "kstream.outcome", "kstream.mine", "error.type")
    tracer = OTelTracer()

    class Names(Handler):
        def process(self, record: Record) -> None:
            for name in (*names, "messaging.client.id"):
                self.telemetry.annotate(name, "mine")

    processor = processor_of(Consumer(Names), telemetry=tracer.telemetry(sample_rate=sample_rate))
    processor.process(batch(entry(100)))
    processor.close()
    held = tracer.exporter.get_finished_spans()[0].attributes or {}
    mine = {"handler." + name for name in names} | {"messaging.client.id"}
    assert {name for name, value in held.items() if value == "mine"} == mine
    assert held["messaging.system"] == "aws.kinesis"


def test_a_span_that_is_current_is_the_parent_and_current_again_afterwards() -> None:
    tracer = OTelTracer()
    with tracer.provider.get_tracer("a user's").start_as_current_span("around") as around:
        run_script("threads", Script(), batch(entry(100)), told=tracer.telemetry(sample_rate=1))
        assert trace.get_current_span() is around
    assert not trace.get_current_span().get_span_context().is_valid
    top = next(span for span in tracer.spans() if span.sort == "batch")
    assert top.parent == f"{around.get_span_context().span_id:016x}"


@pytest.mark.parametrize("way", WAYS)
def test_where_the_provider_samples_nothing_nothing_is_told(way: Way) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    script = Script(failing={(101, 0): 1})
    outcome = run_script(
        way, script, batch(entry(100), entry(101)), told=OpenTelemetry(sample_rate=1, tracer_provider=provider)
    )
    assert outcome.complete
    assert exporter.get_finished_spans() == ()


def test_without_an_sdk_nothing_is_recorded() -> None:
    assert run_script("threads", Script(), batch(entry(100)), told=OpenTelemetry(sample_rate=1)).complete


class Raises(SpanProcessor):
    def on_start(self, *args: Any, **options: Any) -> None:
        raise OSError("broken")

    def on_end(self, *args: Any, **options: Any) -> None:
        raise OSError("broken")


class RaisesAtTheEnd(SpanProcessor):
    def on_end(self, *args: Any, **options: Any) -> None:
        raise OSError("broken")


@pytest.mark.parametrize("processor", [Raises(), RaisesAtTheEnd()])
@pytest.mark.parametrize("way", WAYS)
def test_a_tracer_that_raises_changes_nothing(
    way: Way, processor: SpanProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)

    def outcome(told: Any) -> Any:
        script = Script(failing={(101, 0): 1, (103, 0): 9})
        given = batch(*(entry(100 + index, key=f"k{index}") for index in range(8)))
        return run_script(way, script, given, told=told, ordering="partition_key", retry=Retry(attempts=2))

    assert outcome(OpenTelemetry(sample_rate=1, tracer_provider=provider)) == outcome(None)
    assert "telemetry failed, and is ignored" in caplog.text
    assert not trace.get_current_span().get_span_context().is_valid


def test_without_the_api_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(ConfigurationError, match=r"kstream\[otel\]"):
        OpenTelemetry()


class Asks(Handler):
    """A producer inside a handler."""

    def __init__(self) -> None:
        self.said: list[dict[str, str]] = []

    def process(self, record: Record) -> None:
        self.said.append(trace_headers())
        assert current_trace_headers() == trace_headers()


def test_what_a_handler_sends_goes_on_in_its_records_trace() -> None:
    tracer, asks = OTelTracer(), Asks()
    processor = processor_of(Consumer(asks), telemetry=tracer.telemetry(sample_rate=1))
    processor.process(batch(entry(100), entry(101)))
    processor.close()
    read = [
        trace.get_current_span(TraceContextTextMapPropagator().extract(headers)).get_span_context()
        for headers in asks.said
    ]
    records = [span for span in tracer.spans() if span.sort == "record"]
    assert [f"{one.span_id:016x}" for one in read] == [span.id for span in records]
    assert {f"{one.trace_id:032x}" for one in read} == {span.trace for span in records}
    assert trace_headers() == {}


def test_a_tracestate_goes_along() -> None:
    carried = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "rojo=1,congo=2"}
    with trace.use_span(trace.get_current_span(TraceContextTextMapPropagator().extract(carried))):
        assert trace_headers() == carried
