"""What stands there costs money whether records come or not: about how much a month, and why it is there.

List prices of one region in US dollars; others differ by up to a half, and contracts and free tiers are left out. What is
paid by use (requests, gigabytes, invocations) is named without a number, because this file cannot know it.

Amazon's own pages make their prices while they are shown, so what they say was compared, in November 2026, with public
pages that repeat it:

====================================  ====================================================================================
interface endpoints, 0.01             aws.amazon.com/privatelink/pricing; awsnegotiations.com/privatelink-cost-analysis.html
                                      (May 2026)
shards 0.015, fan-out 0.015,          aws.amazon.com/kinesis/data-streams/pricing; c3x.dev/resources/aws/aws_kinesis_stream
retention above a day 0.02
on-demand streams, 0.04               the same; the bill of September 2026 in a public repository: 432 stream hours, 17.28
alarms 0.10 (a metric of theirs),     aws.amazon.com/cloudwatch/pricing (free tier);
composite 0.50, dashboards 3.00,      c3x.dev/resources/aws/aws_cloudwatch_metric_alarm
own metrics 0.30
web ACLs 5.00, their rules 1.00       aws.amazon.com/waf/pricing, of all regions; c3x.dev/blog/aws-waf-cost-explained
====================================  ====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import alarms, endpoints, series
from kstream import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.config import Pipeline

REGION = "us-east-1"
CHECKED = "November 2026"

HOURS = 730
ENDPOINT_ZONE_HOUR = 0.01
ON_DEMAND_STREAM_HOUR = 0.04
SHARD_HOUR = 0.015
FAN_OUT_SHARD_HOUR = 0.015
EXTENDED_RETENTION_SHARD_HOUR = 0.02
ALARM_MONTH = 0.10
COMPOSITE_ALARM_MONTH = 0.50
DASHBOARD_MONTH = 3.00
METRIC_MONTH = 0.30
WEB_ACL_MONTH = 5.00
WEB_ACL_RULE_MONTH = 1.00

EVENT_COUNTS = 7
"""Series that a mapping's ``EventCount`` makes at most (Lambda developer guide, "Event source mapping metrics")."""


_DAY, _WEEK = 24, 7 * 24


@dataclass(frozen=True, slots=True)
class Cost:
    """``monthly`` in US dollars, at rest; None for what is paid by use alone."""

    what: str
    monthly: float | None
    why: str


def costs(pipeline: Pipeline) -> list[Cost]:
    """Everything that is paid for."""
    return [*_endpoints(pipeline), *_streams(pipeline), *_api(pipeline), *_monitoring(pipeline), *_by_use(pipeline)]


def basis() -> str:
    """What the numbers are, for people."""
    return f"About, by list prices of {REGION}, compared in {CHECKED}; what is paid by use comes on top."


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
            if stream.retention_hours > _DAY:
                yield Cost(f"Stream {name}, kept for longer", None, f"GB; retention_hours = {stream.retention_hours}")
        else:
            monthly = stream.shards * HOURS * SHARD_HOUR
            yield Cost(f"Stream {name} ({stream.shards} shards)", monthly, "and each million put payload units")
            if stream.retention_hours > _DAY:
                monthly = stream.shards * HOURS * EXTENDED_RETENTION_SHARD_HOUR
                yield Cost(f"Stream {name}, kept up to a week", monthly, f"retention_hours = {stream.retention_hours}")
            if stream.retention_hours > _WEEK:
                yield Cost(f"Stream {name}, kept for longer", None, "GB that are older than a week")
        yield from _fan_out(pipeline, key)
    yield from _fan_out_elsewhere(pipeline)


def _fan_out(pipeline: Pipeline, key: str) -> Iterator[Cost]:
    stream = pipeline.streams[key]
    for name in pipeline.readers(key):
        what = f"Enhanced fan-out of {pipeline.stream_name(key)} to {name}"
        # An on-demand stream's shards are not known, and it has another price, by gigabyte alone.
        monthly = stream.shards * HOURS * FAN_OUT_SHARD_HOUR if stream.shards else None
        yield Cost(what, monthly, "and each GB read")


def _fan_out_elsewhere(pipeline: Pipeline) -> Iterator[Cost]:
    for name, consumer in pipeline.consumers.items():
        if consumer.stream_arn and consumer.fan_out:
            stream = consumer.stream_arn.rpartition("/")[2]
            yield Cost(f"Enhanced fan-out of {stream} to {name}", None, "each hour of its shards, and each GB read")


def _api(pipeline: Pipeline) -> Iterator[Cost]:
    if pipeline.ingest is not None and pipeline.ingest.web_acl:
        yield Cost("Web ACL of the ingest API", WEB_ACL_MONTH + WEB_ACL_RULE_MONTH, "and each million requests")
    if pipeline.ingest is not None:
        # Counts, errors of two kinds, two latencies (API Gateway, "Amazon API Gateway dimensions and metrics").
        methods = 2 * len(pipeline.ingest.streams) + 1
        most = f"up to {5 * methods * METRIC_MONTH:,.2f} a month, by the hours in use"
        why = f"5 series of each of {methods} methods: {most}"
        yield Cost("Detailed metrics of the ingest API", None, why)


def _monitoring(pipeline: Pipeline) -> Iterator[Cost]:
    if not pipeline.monitoring.enabled:
        return
    made = alarms.of(pipeline)
    watched = sum(1 if alarm.ratio_of is None else 2 for alarm in made)
    yield Cost(f"{len(made)} alarms", watched * ALARM_MONTH, f"over {watched} metrics; the first ten are free")
    if any(alarm.pages for alarm in made):
        yield Cost("Composite alarm", COMPOSITE_ALARM_MONTH, "pipeline at risk")
    yield Cost("Dashboard", DASHBOARD_MONTH, "the first three of an account are free")


def _by_use(pipeline: Pipeline) -> Iterator[Cost]:
    sending = [name for name in pipeline.consumers if series.dimensions_of(pipeline, name)]
    if sending:
        each = len(metrics.ALL) * METRIC_MONTH
        most = f"up to {each * len(sending):,.2f} a month, by the hours in use"
        why = f"{len(metrics.ALL)} series of each of {len(sending)} consumers: {most}"
        yield Cost("kstream's own metrics", None, why)
    for name, consumer in pipeline.consumers.items():
        if consumer.mapping.event_count_metrics:
            most = f"up to {EVENT_COUNTS * METRIC_MONTH:,.2f} a month, by the hours in use"
            yield Cost(f"Event counts of the mapping of {name}", None, f"up to {EVENT_COUNTS} series: {most}")
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
