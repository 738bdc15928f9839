"""Traces by OpenTelemetry's API, which is imported when the first batch is traced."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kstream.telemetry.trace_context import TRACEPARENT
from kstream.telemetry.tracing import Tracing, check_installed

if TYPE_CHECKING:
    from typing import Unpack

    from opentelemetry.trace import TracerProvider

    from kstream.core.telemetry import BatchContext
    from kstream.telemetry.otel_trace import OTelBatch
    from kstream.telemetry.tracing import Shown


class OpenTelemetry(Tracing):
    """A span per batch, and one for each attempt at a record that failed, was slow, or was sampled.

    The batch's is a consumer span beneath what is current, with links to the producers of its records, at most 128; the
    records' stand beneath it, each with a link to its own producer. Where spans go, and which are kept, is the tracer
    provider's to say: without an SDK set up nothing is recorded. A processor that exports while it is told of a span, as
    ``SimpleSpanProcessor`` does, holds up the batch.

    While a batch is in hand, its span or the record's is OpenTelemetry's current one, in kstream's threads and tasks too.

    ``error_messages=False`` keeps the text of errors out of kstream's spans. A span that the handler opens itself is its
    own: ``start_as_current_span(name, record_exception=False, set_status_on_exception=False)`` keeps it out there.

    ``tracer_provider``: the global one, unless another one is given. For the others see ``Tracing``. Needs
    ``kstream[otel]``; raises ``ConfigurationError`` without it.
    """

    def __init__(self, *, tracer_provider: TracerProvider | None = None, **shown: Unpack[Shown]) -> None:
        super().__init__(**shown)
        check_installed("opentelemetry.trace", "OpenTelemetry", "otel")
        self._provider = tracer_provider

    def _open(self, context: BatchContext) -> OTelBatch:
        from kstream.telemetry.otel_trace import open_batch

        return open_batch(self._provider, context, error_messages=self._error_messages)


def trace_headers() -> dict[str, str]:
    """What a request should carry to go on in the trace of OpenTelemetry's current span; empty if there is none.

    ``traceparent``, and ``tracestate`` where the trace has one. Never imports OpenTelemetry: where nobody else has,
    nothing is current. Thread-safe; raises nothing.
    """
    trace = sys.modules.get("opentelemetry.trace")
    current = getattr(trace, "get_current_span", None)  # None: it is just being imported, in another thread
    if current is None:
        return {}
    span = current().get_span_context()
    if not span.is_valid:
        return {}
    headers = {TRACEPARENT: f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags & 1:02x}"}
    return headers | ({"tracestate": span.trace_state.to_header()} if span.trace_state else {})
