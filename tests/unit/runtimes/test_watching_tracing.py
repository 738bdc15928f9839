"""KSTREAM_TRACING: whether a consumer that names no telemetry is traced, and what that costs where it is not."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.runtimes.watching import default_telemetry
from kstream.settings import Settings, invocation_trace
from kstream.telemetry.otel import OpenTelemetry
from kstream.telemetry.tracing import Tracing
from kstream.telemetry.xray import XRay
from tests.unit.test_import_cost import LAMBDA, modules_after


def tracers(**settings: Any) -> list[Tracing]:
    return [one for one in default_telemetry(Settings(**settings)) if isinstance(one, Tracing)]


def test_nothing_is_traced_unless_it_is_asked_for() -> None:
    assert tracers() == tracers(in_lambda=True) == tracers(tracing="off") == []


@pytest.mark.parametrize(("tracing", "expected"), [("xray", XRay), ("otel", OpenTelemetry)])
def test_the_settings_choose_the_tracer_and_what_it_shows(tracing: str, expected: type[Tracing]) -> None:
    [tracer] = tracers(tracing=tracing)
    assert type(tracer) is expected
    assert (tracer.sample_rate, tracer.slow_after) == (0.01, 1.0)
    [tracer] = tracers(tracing=tracing, trace_records="0.5", trace_slow="2")
    assert (tracer.sample_rate, tracer.slow_after) == (0.5, 2.0)
    [tracer] = tracers(tracing=tracing, trace_records="0", trace_slow="0")
    assert (tracer.sample_rate, tracer.slow_after) == (0, 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tracing": "on"}, r"KSTREAM_TRACING='on': give xray, otel or off"),
        ({"tracing": "xray", "trace_records": "2"}, r"KSTREAM_TRACE_RECORDS='2': give a share of records, 0 to 1"),
        ({"tracing": "xray", "trace_records": "1 %"}, r"KSTREAM_TRACE_RECORDS='1 %': give a share of records, 0 to 1"),
        ({"tracing": "otel", "trace_records": "nan"}, r"KSTREAM_TRACE_RECORDS='nan'"),
        ({"tracing": "otel", "trace_slow": "-1"}, r"KSTREAM_TRACE_SLOW='-1': give seconds, 0 or more"),
        ({"tracing": "otel", "trace_slow": "1s"}, r"KSTREAM_TRACE_SLOW='1s': give seconds, 0 or more"),
    ],
)
def test_a_setting_that_is_wrong_names_itself_and_what_is_allowed(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        tracers(**settings)


@pytest.mark.parametrize(("tracing", "module"), [("xray", "aws_xray_sdk"), ("otel", "opentelemetry.trace")])
def test_a_tracer_that_is_not_installed_names_the_setting_and_the_extra(
    tracing: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"KSTREAM_TRACING={tracing}: .*kstream\[{tracing}\]"):
        tracers(tracing=tracing)


def test_outside_lambda_there_is_no_invocation_whatever_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
    assert invocation_trace() is None
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    assert invocation_trace() == "Root=1-5759e988-bd862e3fe1be46a994272793"
    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    assert invocation_trace() == ""


SETTING = "import os; os.environ.update({}); "
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="


@pytest.mark.parametrize(
    ("environment", "traced"),
    [
        ({}, False),
        ({"KSTREAM_TRACING": "off"}, False),
        ({"KSTREAM_TRACING": "xray", "_X_AMZN_TRACE_ID": HEADER + "0"}, False),
        ({"KSTREAM_TRACING": "xray", "_X_AMZN_TRACE_ID": HEADER + "1"}, True),
    ],
)
def test_the_x_ray_sdk_is_imported_by_the_first_batch_that_is_traced(environment: dict[str, str], traced: bool) -> None:
    in_lambda = {"AWS_LAMBDA_FUNCTION_NAME": "f", "KSTREAM_METRICS": "off", **environment}
    found = modules_after(SETTING.format(in_lambda) + LAMBDA)
    assert ("aws_xray_sdk.core" in found) is traced
    assert not any(name.startswith("opentelemetry") for name in found)


@pytest.mark.parametrize("tracing", ["off", "otel"])
def test_opentelemetry_is_imported_where_it_is_on(tracing: str) -> None:
    found = modules_after(SETTING.format({"KSTREAM_TRACING": tracing}) + LAMBDA)
    assert ("opentelemetry.trace" in found) is (tracing == "otel")
    assert not any(name.startswith(("opentelemetry.sdk", "aws_xray_sdk")) for name in found)


def test_naming_a_tracer_and_asking_for_trace_headers_imports_neither_library() -> None:
    found = modules_after(
        "from kstream.telemetry import OpenTelemetry, XRay; XRay(); OpenTelemetry()\n"
        "from kstream.telemetry.current_trace import trace_headers; assert trace_headers() == {}"
    )
    assert not any(name.startswith(("opentelemetry.", "aws_xray_sdk", "botocore", "asyncio")) for name in found)
