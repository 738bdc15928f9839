"""Both tracers behind one face: what a test asks of a trace, whoever made it."""

from __future__ import annotations

import atexit
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.context import Context
from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter
from aws_xray_sdk.core.lambda_launcher import LambdaContext
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kstream.telemetry.otel import OpenTelemetry
from kstream.telemetry.xray import XRay
from tests.support.xray_daemon import daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import pytest
    from aws_xray_sdk.core.recorder import AWSXRayRecorder
    from opentelemetry.sdk.trace import ReadableSpan

    from kstream.telemetry.tracing import Tracing
    from tests.support.xray_daemon import Daemon

# The SDK makes a recorder when it is imported, and leaves its socket to the interpreter, which warns of it as it ends.
_made_with = xray_recorder.emitter
atexit.register(_made_with._socket.close)

Kind = Literal["xray", "xray in Lambda", "otel"]
KINDS: tuple[Kind, ...] = ("xray", "xray in Lambda", "otel")

INVOCATION = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=25:a87bd80c:1"


@dataclass(frozen=True)
class Span:
    """``facts``: annotations and metadata, or attributes, these also by the last part of their names."""

    sort: Literal["batch", "record", "own"]
    id: str
    parent: str | None
    trace: str
    facts: dict[str, Any]
    error: str | None
    started_at: float
    ended_at: float | None
    raw: Any


class Tracer(Protocol):
    def telemetry(self, **options: Any) -> Tracing: ...

    def own(self, name: str) -> AbstractContextManager[object]:
        """A span that a user opens with the tracer's own library."""
        ...

    def spans(self) -> list[Span]:
        """All that were told, a later document in place of an earlier one of the same id."""
        ...


class XRayTracer:
    """``recorder`` sends to a socket of ours, and samples all."""

    def __init__(self, listening: Daemon, recorder: AWSXRayRecorder) -> None:
        self.daemon = listening
        self.recorder = recorder

    def telemetry(self, **options: Any) -> XRay:
        return XRay(recorder=self.recorder, **options)

    def own(self, name: str) -> AbstractContextManager[object]:
        return self.recorder.in_subsegment(name)  # type: ignore[no-any-return]

    def spans(self) -> list[Span]:
        found: dict[str, Span] = {}
        for document in self.daemon.documents():
            for span in _spans_in(document, document["trace_id"], document.get("parent_id")):
                found[span.id] = span
        return list(found.values())


def _spans_in(entity: dict[str, Any], trace: str, parent: str | None) -> Iterator[Span]:
    facts = {**entity.get("metadata", {}).get("kstream", {}), **entity.get("annotations", {})}
    cause = entity.get("cause")
    error = cause["exceptions"][-1]["type"] if isinstance(cause, dict) else facts.get("error_type")
    sort = "record" if "attempt" in facts else "batch" if "first_sequence_number" in facts else "own"
    yield Span(
        sort,  # type: ignore[arg-type]
        entity["id"],
        parent,
        trace,
        facts,
        error,
        entity["start_time"],
        entity.get("end_time"),
        entity,
    )
    for inner in entity.get("subsegments", []):
        yield from _spans_in(inner, trace, entity["id"])


class OTelTracer:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def telemetry(self, **options: Any) -> OpenTelemetry:
        return OpenTelemetry(tracer_provider=self.provider, **options)

    def own(self, name: str) -> AbstractContextManager[object]:
        return self.provider.get_tracer("a user's").start_as_current_span(name)

    def spans(self) -> list[Span]:
        return [_span(span) for span in self.exporter.get_finished_spans()]


def _span(span: ReadableSpan) -> Span:
    attributes = span.attributes or {}
    facts = {**attributes, **{name.rpartition(".")[2]: value for name, value in attributes.items()}}
    if "messaging.message.id" in attributes:
        facts["sequence_number"] = str(attributes["messaging.message.id"]).partition(":")[0]
        sort = "record"
    else:
        sort = "batch" if "first_sequence_number" in facts else "own"
    assert span.context is not None
    assert span.start_time is not None
    return Span(
        sort,  # type: ignore[arg-type]
        f"{span.context.span_id:016x}",
        None if span.parent is None else f"{span.parent.span_id:016x}",
        f"{span.context.trace_id:032x}",
        facts,
        str(attributes["error.type"]) if "error.type" in attributes else None,
        span.start_time / 1e9,
        None if span.end_time is None else span.end_time / 1e9,
        span,
    )


@contextmanager
def tracer_of(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracer]:
    """A tracer of its own, with nothing in it yet."""
    if kind == "otel":
        yield OTelTracer()
        return
    with ExitStack() as stack:
        if kind == "xray in Lambda":
            monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "order-totals")
            monkeypatch.setenv("_X_AMZN_TRACE_ID", INVOCATION)
        yield stack.enter_context(xray_tracer(in_lambda=kind == "xray in Lambda"))


@contextmanager
def xray_tracer(*, in_lambda: bool = False) -> Iterator[XRayTracer]:
    """The SDK's own recorder, as new: to make another one would cost a tenth of a second."""
    with daemon() as listening:
        # By its properties: configure() would prepare to ask the daemon for sampling rules.
        xray_recorder.context = LambdaContext() if in_lambda else Context()
        xray_recorder.streaming_threshold = 0 if in_lambda else 30
        xray_recorder.sampling = False
        emitter = xray_recorder.emitter = UDPEmitter(listening.address)
        try:
            yield XRayTracer(listening, xray_recorder)
        finally:
            emitter._socket.close()
