"""Event source mappings: what Lambda polls for a function, and by which rules."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deploy import naming
from deploy.config import SourceKind
from deploy.template import Resources, att, ref, resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.config import Consumer, Pipeline
    from deploy.template import Json, Text
    from kstream import EventSourceMapping

MAPPING = "Mapping"
FAN_OUT = "FanOut"


def mapping(pipeline: Pipeline, name: str, *, function: str, on_failure: Text | None) -> Resources:
    """The mapping, and the registered consumer of the stream if it reads with one. ``on_failure``: an ARN."""
    consumer = pipeline.consumers[name]
    source: Text = naming.source_arn(pipeline, name)
    resources = Resources()
    if consumer.fan_out:
        resources[FAN_OUT] = resource(
            "AWS::Kinesis::StreamConsumer",
            {"ConsumerName": naming.function_name(pipeline, name), "StreamARN": source},
        )
        source = ref(FAN_OUT)
    properties: dict[str, Any] = {
        "FunctionName": ref(function),
        "EventSourceArn": source,
        "Enabled": consumer.mapping.enabled,
        # Without it AWS does not read the answer, and a partial failure would count as success.
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": _filters([json.dumps(pattern, sort_keys=True) for pattern in consumer.mapping.filters]),
        "MetricsConfig": {"Metrics": ["EventCount"]} if consumer.mapping.event_count_metrics else None,
        **(_queue(consumer) if consumer.kind is SourceKind.SQS else _stream(consumer.mapping.rules(), on_failure)),
    }
    resources[MAPPING] = resource("AWS::Lambda::EventSourceMapping", properties)
    return resources


def _queue(consumer: Consumer) -> dict[str, Any]:
    most = consumer.mapping.maximum_concurrency
    return {
        "BatchSize": consumer.mapping.batch_size or 10,
        "MaximumBatchingWindowInSeconds": consumer.mapping.batching_window or None,
        "ScalingConfig": {"MaximumConcurrency": most} if most else None,
    }


def _stream(rules: EventSourceMapping, on_failure: Text | None) -> dict[str, Any]:
    """Kinesis and DynamoDB streams: the same knobs."""
    start = rules.starting_position
    at = start.timestamp() if isinstance(start, datetime) else None
    return {
        "BatchSize": rules.batch_size,
        "MaximumBatchingWindowInSeconds": int(rules.batching_window),
        "ParallelizationFactor": rules.parallelization_factor,
        "StartingPosition": start if at is None else "AT_TIMESTAMP",
        "StartingPositionTimestamp": at,
        "MaximumRetryAttempts": rules.maximum_retry_attempts,
        "MaximumRecordAgeInSeconds": rules.maximum_record_age,
        "BisectBatchOnFunctionError": rules.bisect_on_error,
        "TumblingWindowInSeconds": rules.tumbling_window or None,
        "DestinationConfig": {"OnFailure": {"Destination": on_failure}} if on_failure is not None else None,
    }


def _filters(patterns: Sequence[str]) -> Json | None:
    return {"Filters": [{"Pattern": pattern} for pattern in patterns]} if patterns else None


def on_failure(pipeline: Pipeline, name: str, queue: str) -> Text | None:
    """The ARN of where AWS tells what it gives up; ``queue`` is the logical id of the consumer's own."""
    consumer = pipeline.consumers[name]
    if consumer.has_on_failure_queue:
        return att(queue, "Arn")
    to = consumer.mapping.on_failure
    return None if consumer.kind is SourceKind.SQS or to in ("none", "queue") else to
