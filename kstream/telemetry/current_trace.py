"""The trace that is in hand, whoever traces: what a producer sends along."""

from __future__ import annotations

from kstream.telemetry import otel, xray


def trace_headers() -> dict[str, str]:
    """The headers that go on in the current trace: OpenTelemetry's, else X-Ray's; empty if there is none.

    Imports neither library: where nobody else has, nothing is traced. Thread-safe; raises nothing.
    """
    return otel.trace_headers() or xray.trace_headers()
