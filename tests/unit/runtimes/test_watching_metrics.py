"""KSTREAM_METRICS: whether a consumer that names no telemetry writes metrics."""

from __future__ import annotations

from random import uniform
from typing import TYPE_CHECKING, Any

import pytest

from kstream.clock import SystemClock
from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError
from kstream.core.handler import Handler
from kstream.core.processor import Processor
from kstream.runtimes.watching import default_telemetry
from kstream.settings import Settings
from kstream.telemetry.lines_out import metrics_out
from kstream.telemetry.logs import Logs
from kstream.telemetry.metrics import Metrics
from tests.support.cloudwatch import read
from tests.support.processing import batch, entry

if TYPE_CHECKING:
    from kstream.core.record import Record


class Nothing(Handler):
    def process(self, record: Record) -> None:
        pass


def writes_metrics(**settings: Any) -> bool:
    return any(isinstance(one, Metrics) for one in default_telemetry(Settings(**settings)))


def test_they_are_on_in_lambda_alone() -> None:
    assert writes_metrics(in_lambda=True)
    assert not writes_metrics()


@pytest.mark.parametrize("tracing", [None, "xray", "otel"])
def test_log_lines_whose_handlers_may_block_come_last(tracing: str | None) -> None:
    watching = default_telemetry(Settings(in_lambda=True, tracing=tracing))
    assert isinstance(watching[0], Metrics)
    assert isinstance(watching[-1], Logs)
    assert len(watching) == (2 if tracing is None else 3)


def test_the_setting_goes_first() -> None:
    assert writes_metrics(metrics="emf")
    assert not writes_metrics(in_lambda=True, metrics="off")


def test_the_names_are_those_of_the_settings(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_out(), "_patience", 60.0)
    settings = Settings(in_lambda=True, service="shop", consumer="totals", namespace="Mine")
    Processor(Consumer(Nothing), clock=SystemClock(), uniform=uniform, telemetry=default_telemetry(settings)).process(
        batch(entry(1))
    )

    points = read(capfd.readouterr().out)
    dimensions = (("service", "shop"), ("stream", "orders"), ("consumer", "totals"))
    assert {(point.series.namespace, point.series.dimensions) for point in points} == {("Mine", dimensions)}


def test_where_lambda_drops_what_is_below_a_level_it_is_told_that_metrics_are_among_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A line without a level counts as INFO there, and alarms take no data for no fault."""

    def told(**variables: str) -> list[tuple[str, str]]:
        caplog.clear()
        with monkeypatch.context() as environment:
            environment.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
            for name, value in variables.items():
                environment.setenv(name, value)
            default_telemetry(Settings.from_environment())
        return [(line.levelname, line.getMessage()) for line in caplog.records]

    for level, shown in (("WARN", "ERROR"), ("ERROR", "ERROR"), ("FATAL", "CRITICAL")):
        [(told_at, message)] = told(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL=level)
        assert told_at == shown
        assert f"application log level is {level}" in message
        assert told(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL=level, KSTREAM_METRICS="off") == []
        assert told(AWS_LAMBDA_LOG_FORMAT="Text", AWS_LAMBDA_LOG_LEVEL=level) == []
        assert told(AWS_LAMBDA_LOG_LEVEL=level) == []
    assert told(AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO") == []
    assert told(AWS_LAMBDA_LOG_FORMAT="JSON") == []


def test_another_value_is_refused_with_those_that_can_be() -> None:
    with pytest.raises(ConfigurationError, match="KSTREAM_METRICS='on': give emf or off"):
        default_telemetry(Settings(metrics="on"))


@pytest.mark.parametrize("wrong", [{"namespace": "AWS/Mine"}, {"service": "größe"}, {"consumer": " "}])
def test_names_that_cloudwatch_refuses_are_told_by_their_variables(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="KSTREAM_SERVICE, KSTREAM_CONSUMER and KSTREAM_NAMESPACE"):
        default_telemetry(Settings(in_lambda=True, **wrong))  # type: ignore[arg-type]
