"""A trace starts where a record is put, and is there where it is handled: through the whole pipeline of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kstream import Consumer, Handler, IngestClient, Reject, on_lambda
from kstream.aws.clients import client
from kstream.aws.shards import KinesisReader
from kstream.core.mapping import EventSourceMapping
from kstream.local.pipeline import Pipeline
from kstream.runtimes.local import LocalRunner
from kstream.stores.checkpoints import SQLiteCheckpoints
from kstream.stores.memory import MemoryDeadLetters
from kstream.telemetry import OpenTelemetry
from kstream.telemetry.current_trace import trace_headers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream.core.record import Record


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with Pipeline(["orders"], port=0, envelope=True) as pipeline:
        yield pipeline


def test_a_trace_that_starts_in_the_client_ends_in_the_handler(pipeline: Pipeline, tmp_path: Path) -> None:
    got: list[tuple[bytes, dict[str, str]]] = []

    class Orders(Handler):
        def process(self, record: Record) -> None:
            got.append((record.data, dict(record.headers)))
            if record.data == b"poison":
                raise Reject("poison")

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    letters = MemoryDeadLetters()
    telemetry = OpenTelemetry(tracer_provider=provider)
    handler = on_lambda(Consumer(Orders, dead_letters=letters, telemetry=telemetry))
    started: dict[bytes, Any] = {}
    with IngestClient(pipeline.ingest_url, stream="orders", trace_headers=trace_headers) as api:
        for kind, put in {
            b"single": api.put,
            b"\xff\n}}": lambda data: api.put_many([data]).raise_for_failures(),
            b"poison": lambda data: api.put_all([data]).raise_for_failures(),
        }.items():
            with provider.get_tracer("shop").start_as_current_span("checkout") as span:
                put(kind)
                started[kind] = span.get_span_context()
        api.put(b"without a trace")

    runner = LocalRunner(
        handler,
        stream="orders",
        mapping=EventSourceMapping(batch_size=100),
        reader=KinesisReader(client("kinesis", endpoint_url=pipeline.endpoint_url)),
        checkpoints=SQLiteCheckpoints(tmp_path / "checkpoints.db"),
        consumer_name="orders",
        hurry=True,
    )
    runner.run(until=lambda: runner.caught_up)

    expected = {
        kind: {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-01"}
        for kind, context in started.items()
    }
    assert dict(got) == {**expected, b"without a trace": {}}
    # Parked with its trace, so that it can be redriven with it; and the batch tells whose records it had.
    (letter,) = letters.letters
    assert (letter.record.data, dict(letter.record.headers)) == (b"poison", expected[b"poison"])
    links = {link.context.span_id for span in exporter.get_finished_spans() for link in span.links}
    assert links == {context.span_id for context in started.values()}
