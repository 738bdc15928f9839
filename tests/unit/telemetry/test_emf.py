"""Documents are what CloudWatch reads, within its limits, and read back they are the numbers that went in."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.core.errors import ConfigurationError
from kstream.metrics import Metric
from kstream.telemetry.emf import (
    MOST_BYTES,
    PROPERTIES,
    RESERVED,
    check_dimension,
    check_namespace,
    dimension_value,
    documents,
)
from tests.support.cloudwatch import Refused, read, values

if TYPE_CHECKING:
    from tests.support.cloudwatch import Point

NAMES = st.from_regex(r"[!-9;-~]([ -~]{0,30}[!-~])?", fullmatch=True).filter(lambda name: name not in RESERVED)
NUMBERS = st.dictionaries(
    st.builds(Metric, NAMES, st.sampled_from(["Count", "Milliseconds"]), st.just("")),
    st.lists(st.floats(-(2.0**360), 2.0**360), min_size=1, max_size=230),
    max_size=130,
)


def written(numbers: Any, **changes: Any) -> list[str]:
    given: dict[str, Any] = {
        "namespace": "kstream",
        "dimensions": {"service": "shop", "stream": "orders", "consumer": "Totals"},
        "timestamp": 1_700_000_000.1234,
        "properties": {},
    }
    return list(documents(numbers, **{**given, **changes}))


def extracted(lines: list[str]) -> list[Point]:
    return [point for line in lines for point in read(line)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(NUMBERS)
def test_what_goes_in_is_read_again(numbers: dict[Metric, list[float]]) -> None:
    # Two metrics of one name are one to CloudWatch.
    numbers = {metric: found for metric, found in numbers.items() if [m.name for m in numbers].count(metric.name) == 1}
    points = extracted(written(numbers))

    for metric, expected in numbers.items():
        assert values(points, metric.name) == sorted(expected)
        assert {point.unit for point in points if point.series.name == metric.name} == {metric.unit}
    assert {point.series.name for point in points} == {metric.name for metric in numbers}
    dimensions = (("service", "shop"), ("stream", "orders"), ("consumer", "Totals"))
    assert {point.series[::2] for point in points} <= {("kstream", dimensions)}
    assert {point.timestamp for point in points} <= {1_700_000_000_123}


def test_the_largest_there_can_be_is_within_every_limit() -> None:
    names = [f"{index:03}" + '"' * 252 for index in range(250)]
    numbers = {Metric(name, "Milliseconds", ""): [1.2345678901234567e-100] * 250 for name in names}
    endless = "\N{PILE OF POO}" * 100_000

    lines = written(
        numbers,
        namespace="n" * 255,
        dimensions=dict.fromkeys(("service", "stream", "consumer"), '"' * 5000),
        properties=dict.fromkeys(PROPERTIES, endless),
    )

    assert max(len(line.encode()) for line in lines) <= MOST_BYTES < 65_536 - 2  # a pipe, and the ends of two lines
    assert all("\n" not in line for line in lines)
    assert len(values(extracted(lines), names[0])) == 250


def test_an_ordinary_batch_is_one_document_and_numbers_read_well() -> None:
    (line,) = written({Metric("Orders", "Count", ""): (3.0,), Metric("Lookup", "Milliseconds", ""): (1.5, 2.0)})
    document = json.loads(line)
    assert (document["Orders"], document["Lookup"]) == (3, [1.5, 2])
    assert '"Orders":3,' in line


def test_no_numbers_make_no_document() -> None:
    assert written({}) == []


@pytest.mark.parametrize("text", ["", "  ", "naïve", "tab\there", "x" * 2000, ":colon", " blank "])
def test_any_name_makes_a_dimension_that_cloudwatch_takes(text: str) -> None:
    lines = written(
        {Metric("N", "Count", ""): (1.0,)}, dimensions=dict.fromkeys(("service", "stream", "consumer"), text)
    )
    assert extracted(lines)


def test_what_is_printable_stays_as_it_is() -> None:
    assert dimension_value("Order totals (v2)") == "Order totals (v2)"


@pytest.mark.parametrize("namespace", ["", " ", ":shop", "AWS/Lambda", "shöp", "x" * 256, "a\nb", None, 7])
def test_a_namespace_that_cloudwatch_refuses_is_refused_at_once(namespace: Any) -> None:
    with pytest.raises(ConfigurationError, match="namespace="):
        check_namespace(namespace)


@pytest.mark.parametrize("service", ["", " x", "shöp", "x" * 1025, None])
def test_a_service_that_would_be_changed_is_refused(service: Any) -> None:
    with pytest.raises(ConfigurationError, match="service="):
        check_dimension("service", service)


_DIRECTIVE = {"Namespace": "n", "Dimensions": [["d"]], "Metrics": [{"Name": "m", "Unit": "Count"}]}
_SOUND = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [_DIRECTIVE]}, "d": "x", "m": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"m": "1"},
        {"m": True},
        {"m": []},
        {"m": [1] * 101},
        {"m": 2**361},
        {"d": 1},
        {"d": "x" * 1025},
        {"d": ""},
        {"_aws": {}},
        {"_aws": {"Timestamp": 1.5, "CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{**_DIRECTIVE, "Metrics": [{"Name": "m", "Unit": "Counts"}]}]}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{**_DIRECTIVE, "Dimensions": []}]}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{**_DIRECTIVE, "Metrics": [{"Name": "x"}]}]}},
    ],
)
def test_the_reader_of_these_tests_does_refuse(change: dict[str, Any]) -> None:
    assert len(read(json.dumps(_SOUND))) == 1
    with pytest.raises(Refused):
        read(json.dumps({**_SOUND, **change}))


def test_metrics_and_values_beyond_a_hundred_go_into_further_documents() -> None:
    for count, each in product((99, 100, 101, 200), (1, 100, 101)):
        numbers = {Metric(f"m{index}", "Count", ""): [float(value) for value in range(each)] for index in range(count)}
        points = extracted(written(numbers))
        assert sum(len(point.values) for point in points) == count * each
