"""The same numbers for Prometheus: added up over batches, under names that follow from kstream.metrics."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kstream import metrics
from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError
from kstream.core.handler import Handler
from kstream.runtimes.aws_lambda import on_lambda
from kstream.telemetry.prometheus import Prometheus, prometheus_name
from kstream.testing.clock import VirtualClock
from tests.support.metric_names import Names, Old
from tests.support.processing import entry, event

if TYPE_CHECKING:
    from kstream.core.record import Record

LABELS = {"service": "shop", "stream": "orders", "consumer": "Shop"}


class Shop(Handler):
    def process(self, record: Record) -> None:
        self.telemetry.count("orders")
        self.telemetry.observe("lookup", 0.02)
        if record.data == b"bad":
            raise ValueError("bad")


def run(telemetry: Prometheus, *events: Any) -> None:
    handle = on_lambda(Consumer(Shop, telemetry=telemetry), clock=VirtualClock(1_700_000_002.5))
    for one in events:
        handle(one)


def made(registry: CollectorRegistry | None = None) -> Prometheus:
    return Prometheus(service="shop", registry=registry, time=lambda: 1_700_000_003.0)


def sample(telemetry: Prometheus, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, {**LABELS, **labels})


def test_names_follow_from_the_metrics() -> None:
    assert prometheus_name(metrics.RECEIVED) == "kstream_records_received_total"
    assert prometheus_name(metrics.OUT_OF_TIME) == "kstream_batches_out_of_time_total"
    assert prometheus_name(metrics.RECORD_AGE) == "kstream_record_age_seconds"
    assert len({prometheus_name(metric) for metric in metrics.ALL}) == len(metrics.ALL)


def test_batches_add_up() -> None:
    telemetry = made()
    run(telemetry, event(entry(1), entry(2)), event(entry(3), entry(4, b"bad"), entry(5)))

    counted = {metric.field: sample(telemetry, prometheus_name(metric)) for metric in metrics.COUNTS}
    assert (counted["kinesis_records"], counted["done"], counted["failed"], counted["unfinished"]) == (5, 3, 1, 1)
    assert set(counted.values()) >= {0}
    assert sample(telemetry, "kstream_batch_duration_seconds_count") == 2
    assert sample(telemetry, "kstream_batch_duration_seconds_sum") == 1
    assert sample(telemetry, "kstream_record_age_seconds_count") == 5
    assert sample(telemetry, "kstream_record_age_seconds_sum") == 10
    assert sample(telemetry, "kstream_record_age_seconds_bucket", le="2.5") == 5
    assert sample(telemetry, "kstream_checkpoint_lag_seconds") == 2.5


def test_what_a_handler_counts_and_times_is_there_at_once() -> None:
    telemetry = made()
    run(telemetry, event(entry(1), entry(2, b"bad")))
    assert sample(telemetry, "orders_total") == 4  # two further attempts
    assert sample(telemetry, "lookup_seconds_count") == 4


def test_what_is_served_is_prometheus_text() -> None:
    telemetry = made()
    run(telemetry, event(entry(1)))
    families = {family.name for family in text_string_to_metric_families(generate_latest(telemetry.registry).decode())}
    assert {prometheus_name(metric).removesuffix("_total") for metric in metrics.ALL} <= families


def test_consumers_of_a_process_may_share_a_registry() -> None:
    registry = CollectorRegistry()
    for _ in range(2):
        run(made(registry), event(entry(1)))
    assert registry.get_sample_value("kstream_records_received_total", LABELS) == 2
    assert registry.get_sample_value("orders_total", LABELS) == 2


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("two words", 1, "a name is letters"),
        ("", 1, "a name is letters"),
        (None, 1, "a name is letters"),
        ([], 1, "a name is text"),
        ("kstream_records_received", 1, "kstream's own"),
        ("taken", 1, "give it another name"),
        ("fine", -1, "counters only go up"),
        ("fine", "1", "no number"),
        ("fine", float("nan"), "no number"),
    ],
)
def test_what_cannot_be_is_dropped_with_one_line(
    caplog: pytest.LogCaptureFixture, name: Any, value: Any, why: str
) -> None:
    from prometheus_client import Counter

    registry = CollectorRegistry()
    Counter("taken", "somebody else's", registry=registry)
    telemetry = made(registry)
    for _ in range(3):
        telemetry.count(name, value)
    (line,) = caplog.messages
    assert why in line


def test_a_name_may_be_of_an_enumeration(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = made()
    for name in (Names.ORDERS, Old.ORDERS, "orders"):
        telemetry.count(name, 1)
    for name in (Old.LOOKUP, Names.LOOKUP):
        telemetry.observe(name, 1)
    assert caplog.messages == []
    found = {family.name: family for family in telemetry.registry.collect()}
    assert {name: family.documentation for name, family in found.items()} == {
        "orders": "orders, of a handler's own",
        "lookup_seconds": "lookup, of a handler's own",
    }
    assert [sample.value for sample in found["orders"].samples if sample.name == "orders_total"] == [3]


def test_names_without_an_end_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = made()
    for number in range(300):
        telemetry.count(f"order_{number}", 1)
        telemetry.observe(f"order_{number}", 1)
    assert len(list(telemetry.registry.collect())) == 100
    assert len(caplog.messages) == 10


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"pip install kstream\[prometheus\]"):
        Prometheus()


def test_a_registry_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="registry='mine'"):
        Prometheus(registry="mine")  # type: ignore[arg-type]
