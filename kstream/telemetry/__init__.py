"""Who may watch a consumer: log lines, metrics, traces. Each is an argument for ``Consumer(telemetry=...)``.

Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.lazy_names import lazy_names

if TYPE_CHECKING:
    from kstream.telemetry.current_trace import trace_headers as trace_headers
    from kstream.telemetry.json_lines import ContextFilter as ContextFilter
    from kstream.telemetry.json_lines import JsonFormatter as JsonFormatter
    from kstream.telemetry.logs import Logs as Logs
    from kstream.telemetry.metrics import Metrics as Metrics
    from kstream.telemetry.otel import OpenTelemetry as OpenTelemetry
    from kstream.telemetry.prometheus import Prometheus as Prometheus
    from kstream.telemetry.xray import XRay as XRay

_HOMES = {
    "ContextFilter": "kstream.telemetry.json_lines",
    "JsonFormatter": "kstream.telemetry.json_lines",
    "Logs": "kstream.telemetry.logs",
    "Metrics": "kstream.telemetry.metrics",
    "OpenTelemetry": "kstream.telemetry.otel",
    "Prometheus": "kstream.telemetry.prometheus",
    "XRay": "kstream.telemetry.xray",
    "trace_headers": "kstream.telemetry.current_trace",
}

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
