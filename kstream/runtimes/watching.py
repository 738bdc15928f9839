"""Who watches a consumer that names no telemetry, as the settings say."""

from __future__ import annotations

from logging import CRITICAL, ERROR
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.core.logger import log
from kstream.telemetry.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.telemetry import Telemetry
    from kstream.settings import Settings

_ABOVE_INFO = ("WARN", "ERROR", "FATAL")
"""https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""


def default_telemetry(settings: Settings) -> Sequence[Telemetry]:
    """Log lines always; metrics and traces where they are on. Raises ``ConfigurationError`` for a setting that is wrong."""
    wants_json_lines(settings)
    # They are told in this order. What may block comes last: a handler of the user's, which takes a log line, must not
    # keep the metrics of a time-out from getting out.
    return [*_metrics(settings), *_traces(settings), Logs()]


def wants_json_lines(settings: Settings) -> bool:
    """Whether log lines are to be JSON in Lambda. Raises ``ConfigurationError`` for a setting that is wrong."""
    if settings.logs not in (None, "json", "text"):
        raise ConfigurationError(f"KSTREAM_LOGS={settings.logs!r}: give json or text")
    return settings.logs != "text"


def _metrics(settings: Settings) -> Sequence[Telemetry]:
    chosen = settings.metrics or ("emf" if settings.in_lambda else "off")
    if chosen not in ("emf", "off"):
        raise ConfigurationError(f"KSTREAM_METRICS={chosen!r}: give emf or off")
    if chosen == "off":
        return []
    from kstream.metrics import NAMESPACE
    from kstream.telemetry.metrics import Metrics

    if settings.in_lambda and settings.lines_from in _ABOVE_INFO:
        # A line that gets through itself. Nothing else would tell: an alarm takes no data for no fault.
        log(
            CRITICAL if settings.lines_from == "FATAL" else ERROR,
            "no metric may arrive, and no alarm on one ring: the function's application log level is %s, and Lambda takes a "
            "line that names no level, as those of metrics, for INFO. Set the level to INFO (the logger kstream can have a "
            "higher one), or say KSTREAM_METRICS=off",
            settings.lines_from,
        )
    try:
        namespace = settings.namespace or NAMESPACE
        return [Metrics(service=settings.service, consumer=settings.consumer, namespace=namespace)]
    except ConfigurationError as error:
        raise ConfigurationError(
            f"KSTREAM_SERVICE, KSTREAM_CONSUMER and KSTREAM_NAMESPACE name the metrics: {error}"
        ) from None


def _traces(settings: Settings) -> Sequence[Telemetry]:
    chosen = settings.tracing or "off"
    if chosen not in ("xray", "otel", "off"):
        raise ConfigurationError(f"KSTREAM_TRACING={chosen!r}: give xray, otel or off")
    if chosen == "off":
        return []
    from kstream.telemetry.tracing import SAMPLE_RATE, SLOW_AFTER

    sample_rate = _number("KSTREAM_TRACE_RECORDS", settings.trace_records, SAMPLE_RATE, "a share of records, 0 to 1", 1)
    slow_after = _number("KSTREAM_TRACE_SLOW", settings.trace_slow, SLOW_AFTER, "seconds, 0 or more")
    try:
        if chosen == "xray":
            from kstream.telemetry.xray import XRay

            return [XRay(sample_rate=sample_rate, slow_after=slow_after)]
        from kstream.telemetry.otel import OpenTelemetry

        return [OpenTelemetry(sample_rate=sample_rate, slow_after=slow_after)]
    except ConfigurationError as error:
        raise ConfigurationError(f"KSTREAM_TRACING={chosen}: {error}") from None


def _number(variable: str, given: str | None, default: float, allowed: str, at_most: float = float("inf")) -> float:
    if given is None:
        return default
    try:
        number = float(given)
    except ValueError:
        number = -1
    if not 0 <= number <= at_most:
        raise ConfigurationError(f"{variable}={given!r}: give {allowed}")
    return number
