"""The mappings: every knob, for each of the three sources."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.config import parse
from deploy.synthesis import stacks

TABLE_STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders/stream/2026-01-31T12:00:00.000"


def mapping(**consumer: Any) -> dict[str, Any]:
    """The mapping's properties."""
    given = {"handler": "app.lambda_handler", **consumer}
    table = {"name": "shop", "streams": {"orders": {}}, "consumers": {"totals": given}}
    (stack,) = (stack for stack in stacks(parse(table)) if stack.role == "consumer-totals")
    found: dict[str, Any] = stack.template["Resources"]["Mapping"]["Properties"]
    return found


def test_by_default_retries_end_and_what_is_given_up_is_told() -> None:
    found = mapping(stream="orders")

    assert found["EventSourceArn"]["Fn::Sub"].endswith(":stream/orders")
    assert found["BatchSize"] == 100
    assert found["MaximumRetryAttempts"] == 10
    assert found["BisectBatchOnFunctionError"] is True
    assert found["StartingPosition"] == "TRIM_HORIZON"
    assert found["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["OnFailure", "Arn"]}
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize(
    ("knob", "value", "rendered"),
    [
        ("batch_size", 7, {"BatchSize": 7}),
        ("batching_window", 9, {"MaximumBatchingWindowInSeconds": 9}),
        ("parallelization_factor", 3, {"ParallelizationFactor": 3}),
        ("starting_position", "LATEST", {"StartingPosition": "LATEST"}),
        ("maximum_retry_attempts", -1, {"MaximumRetryAttempts": -1}),
        ("maximum_record_age", 3600, {"MaximumRecordAgeInSeconds": 3600}),
        ("bisect_on_error", False, {"BisectBatchOnFunctionError": False}),
        ("tumbling_window", 60, {"TumblingWindowInSeconds": 60}),
        (
            "filters",
            [{"eventName": ["INSERT"]}],
            {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}},
        ),
        ("event_count_metrics", True, {"MetricsConfig": {"Metrics": ["EventCount"]}}),
        ("enabled", False, {"Enabled": False}),
        (
            "on_failure",
            "arn:aws:s3:::failed",
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}},
        ),
    ],
)
@pytest.mark.parametrize("source", [{"stream": "orders"}, {"table_stream_arn": TABLE_STREAM}])
def test_each_knob_of_a_stream_is_rendered(
    source: dict[str, str], knob: str, value: object, rendered: dict[str, Any]
) -> None:
    found = mapping(**source, mapping={knob: value})

    assert {name: found[name] for name in rendered} == rendered


def test_a_time_to_start_from_is_seconds_since_1970() -> None:
    from datetime import UTC, datetime

    found = mapping(stream="orders", mapping={"starting_position": datetime(2026, 1, 31, 12, tzinfo=UTC)})

    assert found["StartingPosition"] == "AT_TIMESTAMP"
    assert found["StartingPositionTimestamp"] == 1769860800


def test_a_queue_has_its_own_knobs_and_no_others() -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:jobs"
    found = mapping(queue_arn=queue, mapping={"batch_size": 50, "batching_window": 1, "maximum_concurrency": 4})

    assert found == {
        "FunctionName": {"Ref": "Function"},
        "EventSourceArn": queue,
        "Enabled": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BatchSize": 50,
        "MaximumBatchingWindowInSeconds": 1,
        "ScalingConfig": {"MaximumConcurrency": 4},
    }


def test_with_fan_out_it_reads_as_a_registered_consumer() -> None:
    assert mapping(stream="orders", fan_out=True)["EventSourceArn"] == {"Ref": "FanOut"}


def test_the_knobs_that_only_aws_turns_are_part_of_the_one_description() -> None:
    from kstream import ConfigurationError, EventSourceMapping

    rules = EventSourceMapping(
        on_failure="arn:aws:sqs:eu-west-1:123456789012:q", filters=("{}",), event_count_metrics=True
    )
    assert (rules.filters, rules.event_count_metrics) == (("{}",), True)
    with pytest.raises(ConfigurationError, match="filters is 6"):
        EventSourceMapping(filters=("{}",) * 6)


def test_readers_from_elsewhere_are_registered_one_after_the_other() -> None:
    """Kinesis refuses a sixth while five are being registered."""
    (stream,) = (one for one in stacks(parse({"name": "shop", "streams": {"orders": {"fan_out": list("abcdef")}}}))
                 if one.role == "stream")  # fmt: skip
    readers = [
        (name, one.get("DependsOn", []))
        for name, one in stream.template["Resources"].items()
        if one["Type"] == "AWS::Kinesis::StreamConsumer"
    ]
    names = [name for name, _ in readers]
    assert [after for _, after in readers] == [[], *([name] for name in names[:-1])]
    assert len(names) == 6
