"""What stands there costs money whether records come or not: about how much a month, and why it is there.

Amazon's list prices for us-east-1 in 2025, in US dollars; other regions differ by up to a half. What is paid by use
(requests, gigabytes, invocations) is named without a number, because this file cannot know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import alarms, endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.config import Pipeline

HOURS = 730
ENDPOINT_ZONE_HOUR = 0.01
ON_DEMAND_STREAM_HOUR = 0.04
SHARD_HOUR = 0.015
FAN_OUT_SHARD_HOUR = 0.015
EXTENDED_RETENTION_SHARD_HOUR = 0.02
ALARM_MONTH = 0.10
COMPOSITE_ALARM_MONTH = 0.50
DASHBOARD_MONTH = 3.00
WEB_ACL_MONTH = 5.00
WEB_ACL_RULE_MONTH = 1.00


@dataclass(frozen=True, slots=True)
class Cost:
    """``monthly`` in US dollars, at rest; None for what is paid by use alone."""

    what: str
    monthly: float | None
    why: str


def costs(pipeline: Pipeline) -> list[Cost]:
    """Everything that is paid for."""
    return [*_endpoints(pipeline), *_streams(pipeline), *_api(pipeline), *_monitoring(pipeline), *_by_use(pipeline)]


def total(found: list[Cost]) -> float:
    return sum(cost.monthly or 0 for cost in found)


def _endpoints(pipeline: Pipeline) -> Iterator[Cost]:
    for need in endpoints.needs(pipeline):
        zones = pipeline.network.zone_count if pipeline.network else 0
        monthly = 0.0 if need.gateway else zones * HOURS * ENDPOINT_ZONE_HOUR
        kind = "gateway" if need.gateway else f"interface, {zones} zones"
        yield Cost(f"VPC endpoint {need.service} ({kind})", monthly, "; ".join(need.reasons))


def _streams(pipeline: Pipeline) -> Iterator[Cost]:
    for key, stream in pipeline.streams.items():
        name = pipeline.stream_name(key)
        if stream.shards is None:
            yield Cost(f"Stream {name} (on-demand)", HOURS * ON_DEMAND_STREAM_HOUR, "and each GB in and out")
        else:
            monthly = stream.shards * HOURS * SHARD_HOUR
            yield Cost(f"Stream {name} ({stream.shards} shards)", monthly, "and each million put payload units")
            if stream.retention_hours > 24:
                monthly = stream.shards * HOURS * EXTENDED_RETENTION_SHARD_HOUR
                yield Cost(f"Stream {name}, kept up to a week", monthly, f"retention_hours = {stream.retention_hours}")
        yield from _fan_out(pipeline, key)


def _fan_out(pipeline: Pipeline, key: str) -> Iterator[Cost]:
    stream = pipeline.streams[key]
    names = [name for name, consumer in pipeline.consumers.items() if consumer.stream == key and consumer.fan_out]
    for name in [*stream.fan_out, *names]:
        what = f"Enhanced fan-out of {pipeline.stream_name(key)} to {name}"
        # An on-demand stream's shards are not known, and it has another price, by gigabyte alone.
        monthly = stream.shards * HOURS * FAN_OUT_SHARD_HOUR if stream.shards else None
        yield Cost(what, monthly, "and each GB read")


def _api(pipeline: Pipeline) -> Iterator[Cost]:
    if pipeline.ingest is not None and pipeline.ingest.web_acl:
        yield Cost("Web ACL of the ingest API", WEB_ACL_MONTH + WEB_ACL_RULE_MONTH, "and each million requests")


def _monitoring(pipeline: Pipeline) -> Iterator[Cost]:
    if not pipeline.monitoring.enabled:
        return
    made = alarms.of(pipeline)
    metrics = sum(1 if alarm.ratio_of is None else 2 for alarm in made)
    yield Cost(f"{len(made)} alarms", metrics * ALARM_MONTH, f"over {metrics} metrics; the first ten are free")
    if any(alarm.pages for alarm in made):
        yield Cost("Composite alarm", COMPOSITE_ALARM_MONTH, "pipeline at risk")
    yield Cost("Dashboard", DASHBOARD_MONTH, "the first three of an account are free")


def _by_use(pipeline: Pipeline) -> Iterator[Cost]:
    if pipeline.consumers:
        yield Cost("Lambda, queues, logs, traces", None, "invocations and their duration, requests, GB of lines")
    if any(consumer.ledger == "dynamodb" for consumer in pipeline.consumers.values()) or pipeline.tables:
        yield Cost("DynamoDB tables (on demand)", None, "each read and write, GB stored, point-in-time recovery")
    if pipeline.ingest is not None:
        yield Cost("Ingest API", None, "each million requests")
    if pipeline.buckets:
        yield Cost("S3 buckets", None, "GB stored, requests")
    if pipeline.network is not None and pipeline.network.vpc_id is None:
        yield Cost("Flow log", None, "GB of lines")
