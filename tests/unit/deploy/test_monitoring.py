"""Alarms that ring when they should, and about the right thing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

import kstream.metrics
from deploy.config import parse
from deploy.synthesis import stacks
from kstream.core.ports import Scope
from tests.golden.deploy import pipeline
from tests.support.pipelines import pipelines

if TYPE_CHECKING:
    from deploy.config import Consumer


def alarms(given: Any) -> dict[str, dict[str, Any]]:
    (stack,) = (stack for stack in stacks(given) if stack.role == "monitoring")
    found = stack.template["Resources"].values()
    return {one["Properties"]["AlarmName"]: one["Properties"] for one in found if one["Type"].endswith("Alarm")}


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    if "Metrics" not in alarm:
        return [alarm]
    return [one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one]


@given(pipelines())
def test_every_alarm_looks_at_m_of_n_and_an_idle_pipeline_rings_none(table: dict[str, Any]) -> None:
    given = parse(table)
    if not given.monitoring.enabled:
        return
    for alarm in alarms(given).values():
        if "AlarmRule" in alarm:
            continue
        assert alarm["TreatMissingData"] == "notBreaching"
        assert 1 <= alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]
        # Without its dimensions an alarm watches nothing, or everything.
        assert all(metric["Dimensions"] for metric in metrics(alarm))


@given(pipelines())
def test_what_puts_records_at_risk_is_part_of_the_one_alarm(table: dict[str, Any]) -> None:
    given = parse(table)
    if not given.monitoring.enabled:
        return
    found = alarms(given)
    rule = " ".join(alarm.get("AlarmRule", "") for alarm in found.values())
    prefix = given.prefix
    for name, consumer in given.consumers.items():
        for what, there in (
            ("overdue", consumer.queue_arn is None),
            ("on-failure", consumer.has_on_failure_queue),
            ("dead-letters", consumer.dead_letters == "queue"),
            ("dropped", consumer.mapping.event_count_metrics),
            (
                "given-up",
                consumer.mapping.event_count_metrics and consumer.mapping.on_failure.startswith("arn:"),
            ),
            (
                "set-aside",
                ":" in consumer.dead_letters and consumer.metrics,
            ),
        ):
            assert (f'ALARM("{prefix}-{name}-{what}")' in rule) is there
            assert (f"{prefix}-{name}-{what}" in found) is there


def arn_of(consumer: Consumer) -> str:
    return str(consumer.stream_arn or consumer.table_stream_arn or consumer.queue_arn)


def own_series(widgets: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """kstream's own metrics in a dashboard's graphs: name and dimensions."""
    lines = [line for widget in widgets for line in widget["properties"].get("metrics", ())]
    return {tuple(line[1:-1]) for line in lines if line[0] == kstream.metrics.NAMESPACE}


@given(pipelines())
def test_the_dashboard_shows_every_metric_that_a_consumer_sends_and_no_other(table: dict[str, Any]) -> None:
    """Both are made from kstream.metrics, and the function is told the names that are looked for."""
    given = parse(table)
    made = {stack.name: stack for stack in stacks(given)}
    expected, watched = set(), set()
    for name, consumer in given.consumers.items():
        function = made[f"{given.prefix}-consumer-{name}"].template["Resources"]["Function"]
        variables = function["Properties"]["Environment"]["Variables"]
        if not consumer.metrics:
            assert variables["KSTREAM_METRICS"] == "off"
            continue
        # As a record of it says, whatever the source.
        stream = given.stream_name(consumer.stream) if consumer.stream else Scope("", arn_of(consumer), "").stream
        of = ("service", variables["KSTREAM_SERVICE"], "stream", stream, "consumer", variables["KSTREAM_CONSUMER"])
        expected |= {(metric.name, *of) for metric in kstream.metrics.ALL}
        watched |= {(name, *of) for name in ("LedgerFailures", "DeadLetterFailures", "BatchesOutOfTime")}
        watched |= {("RecordsDeadLettered", *of)} if ":" in consumer.dead_letters else set()
    if not given.monitoring.enabled:
        return
    dashboard = made[f"{given.prefix}-monitoring"].template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    assert own_series(json.loads(dashboard["Fn::Sub"])["widgets"]) == expected
    found = [alarm for alarm in alarms(given).values() if alarm.get("Namespace") == kstream.metrics.NAMESPACE]
    assert {
        (alarm["MetricName"], *(part for one in alarm["Dimensions"] for part in (one["Name"], one["Value"])))
        for alarm in found
    } == watched


ONCE = ("dropped", "given-up", "set-aside")


@given(pipelines())
def test_what_is_lost_or_set_aside_once_rings_at_once(table: dict[str, Any]) -> None:
    """One data point is all there will be of it, and of M of N it would never make M."""
    given = parse(table)
    if not given.monitoring.enabled:
        return
    for name, alarm in alarms(given).items():
        if "AlarmRule" not in alarm:
            once = name.endswith(tuple(f"-{what}" for what in ONCE))
            assert alarm["DatapointsToAlarm"] == (1 if once else given.monitoring.datapoints)
            assert alarm["EvaluationPeriods"] == given.monitoring.periods


@pytest.mark.parametrize(
    ("timeout", "window", "period"), [(1, 0, 60), (60, 0, 60), (61, 0, 120), (900, 0, 900), (30, 300, 300)]
)
def test_a_data_point_is_waited_for_as_long_as_a_batch_may_take(timeout: int, window: int, period: int) -> None:
    """A shard has one for each batch: of a quarter of an hour, three of five minutes never would."""
    consumer = {
        "stream": "orders", "handler": "a.b", "timeout_seconds": timeout, "dead_letters": "stream:letters",
        "mapping": {"batching_window": window},
    }  # fmt: skip
    table = {"name": "shop", "streams": {"orders": {}, "letters": {}}, "consumers": {"totals": consumer}}
    found = alarms(parse(table))
    for what in ("errors", "duration", "late", "overdue", "ledger", "letters-refused", "out-of-time"):
        alarm = found[f"shop-totals-{what}"]
        periods = [one["MetricStat"]["Period"] for one in alarm.get("Metrics", ()) if "MetricStat" in one]
        assert set(periods or [alarm["Period"]]) == {period}
    assert found["shop-totals-throttles"]["Period"] == found["shop-totals-set-aside"]["Period"] == 60
    assert 60 * period <= 86_400  # the longest that CloudWatch looks back, with the most periods


def test_a_consumer_pages_at_a_quarter_of_the_retention() -> None:
    found = alarms(pipeline("flights"))

    assert found["flights-archive-late"]["Threshold"] == 60 * 1000
    assert found["flights-archive-overdue"]["Threshold"] == 72 * 3600 / 4 * 1000
    assert found["flights-archive-overdue"]["Dimensions"] == [{"Name": "FunctionName", "Value": "flights-archive"}]


def test_many_alarms_are_divided_over_several_under_the_one() -> None:
    one = {"stream": "orders", "handler": "a.b", "mapping": {"event_count_metrics": True}}
    consumers = {f"c{number}": one for number in range(40)}
    found = alarms(parse({"name": "shop", "streams": {"orders": {}}, "consumers": consumers}))

    rules = {name: alarm["AlarmRule"] for name, alarm in found.items() if "AlarmRule" in alarm}
    assert rules["shop-at-risk"] == 'ALARM("shop-at-risk-1") OR ALARM("shop-at-risk-2")'
    assert all(rule.count("ALARM(") <= 100 and len(rule) <= 10_240 for rule in rules.values())
    assert sum(rule.count("ALARM(") for name, rule in rules.items() if name != "shop-at-risk") == 200


@given(pipelines())
def test_the_dashboard_is_json_and_its_widgets_do_not_overlap(table: dict[str, Any]) -> None:
    for stack in stacks(parse(table)):
        if stack.role == "monitoring":
            text = stack.template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
            taken = set()
            for widget in json.loads(text)["widgets"]:
                cells = {
                    (x, y)
                    for x in range(widget["x"], widget["x"] + widget["width"])
                    for y in range(widget["y"], widget["y"] + widget["height"])
                }
                assert not cells & taken
                assert max(x for x, _ in cells) < 24
                taken |= cells
