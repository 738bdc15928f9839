"""The alarms, each with its metric's dimensions. One that *pages* says that records are lost, or set aside, or late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy import naming, series
from deploy.config import SourceKind
from deploy.ingest_api import api_name
from deploy.template import logical, ref, resource
from kstream import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.config import Consumer, Pipeline
    from deploy.template import Text

Dimensions = Mapping[str, "Text"]

_MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """In force when the metric is above ``threshold``. ``ratio_of``: the metric is divided by this one, in percent.

    ``period`` is in seconds, of one data point. ``once``: a single one is enough, for what it tells of has happened, and
    the next minute says nothing about it.

    ``subject`` and ``what`` are joined to one name. So no ``what`` is the end of another: ``late`` of ``totals-too`` must
    not be called as ``too-late`` of ``totals``.
    """

    subject: str
    what: str
    why: str
    namespace: str
    metric: str
    dimensions: Dimensions
    statistic: str
    threshold: float
    pages: bool = False
    ratio_of: str | None = None
    period: int = _MINUTE
    once: bool = False

    @property
    def logical_id(self) -> str:
        return logical(self.subject, self.what, "Alarm")

    def name(self, pipeline: Pipeline) -> str:
        return f"{pipeline.prefix}-{self.subject}-{self.what}"

    def resource(self, pipeline: Pipeline) -> dict[str, Any]:
        monitoring = pipeline.monitoring
        return resource(
            "AWS::CloudWatch::Alarm",
            {
                "AlarmName": self.name(pipeline),
                "AlarmDescription": self.why,
                "ActionsEnabled": True,
                "AlarmActions": list(monitoring.warn) or None,
                "OKActions": list(monitoring.warn) or None,
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": self.threshold,
                "EvaluationPeriods": monitoring.periods,
                "DatapointsToAlarm": 1 if self.once else monitoring.datapoints,
                # Nothing to do is no fault: an idle stream has no data points.
                "TreatMissingData": "notBreaching",
                **self._measured(),
            },
        )

    def _measured(self) -> dict[str, Any]:
        if self.ratio_of is None:
            return {**self._metric(self.metric), self._statistic_key: self.statistic, "Period": self.period}
        parts = [
            {
                "Id": name,
                "MetricStat": {"Metric": self._metric(metric), "Stat": self.statistic, "Period": self.period},
                "ReturnData": False,
            }
            for name, metric in (("part", self.metric), ("whole", self.ratio_of))
        ]
        ratio = {"Id": "percent", "Expression": "100 * part / whole", "Label": self.what, "ReturnData": True}
        return {"Metrics": [*parts, ratio]}

    @property
    def _statistic_key(self) -> str:
        return "ExtendedStatistic" if self.statistic.startswith("p") else "Statistic"

    def _metric(self, name: str) -> dict[str, Any]:
        dimensions = [{"Name": key, "Value": value} for key, value in self.dimensions.items()]
        return {"Namespace": self.namespace, "MetricName": name, "Dimensions": dimensions}


def of(pipeline: Pipeline) -> list[Alarm]:
    """All alarms of the pipeline."""
    return [
        *(alarm for key in pipeline.streams for alarm in _stream(pipeline, key)),
        *(alarm for name in pipeline.consumers for alarm in _consumer(pipeline, name)),
        *_ingest(pipeline),
    ]


def mapping_parameter(consumer: str) -> str:
    """The template's parameter with the id of a consumer's event source mapping."""
    return logical(consumer, "MappingId")


def _stream(pipeline: Pipeline, key: str) -> Iterator[Alarm]:
    for metric, what, why in (
        ("WriteProvisionedThroughputExceeded", "writes-throttled", "producers are being refused; more shards?"),
        ("ReadProvisionedThroughputExceeded", "reads-throttled", "consumers wait for each other; fan_out?"),
    ):
        yield Alarm(
            subject=f"stream-{key}",
            what=what,
            why=f"Stream {pipeline.stream_name(key)}: {why}",
            namespace="AWS/Kinesis",
            metric=metric,
            dimensions={"StreamName": pipeline.stream_name(key)},
            statistic="Sum",
            threshold=0,
        )


def _consumer(pipeline: Pipeline, name: str) -> Iterator[Alarm]:
    consumer, monitoring = pipeline.consumers[name], pipeline.monitoring
    function = {"FunctionName": naming.function_name(pipeline, name)}
    batch = {"period": _longest_batch(consumer)}

    def about(what: str, why: str, metric: str, statistic: str, threshold: float, **more: Any) -> Alarm:
        return Alarm(
            subject=name, what=what, why=f"Consumer {name}: {why}", namespace="AWS/Lambda", metric=metric,
            statistic=statistic, threshold=threshold, **{"dimensions": function, **more},
        )  # fmt: skip

    percent = monitoring.error_percent
    yield about("errors", "invocations fail", "Errors", "Sum", percent, ratio_of="Invocations", **batch)
    yield about("throttles", "Lambda refuses invocations; more concurrency?", "Throttles", "Sum", 0)
    nearly = consumer.timeout_seconds * 10 * monitoring.duration_percent
    yield about("duration", "batches come near the timeout; smaller ones?", "Duration", "Maximum", nearly, **batch)
    yield from _age(pipeline, name, function)
    yield from _own(pipeline, name)
    if consumer.has_on_failure_queue:
        queue = naming.on_failure_name(pipeline, name)
        yield _depth(name, "on-failure", "AWS gave records up: look in its on-failure queue", queue)
    if consumer.dead_letters == "queue":
        yield _depth(
            name, "dead-letters", "poison records wait to be looked at", naming.dead_letters_name(pipeline, name)
        )
    if consumer.mapping.event_count_metrics:
        mapping = {"EventSourceMappingUUID": ref(mapping_parameter(name))}
        why = "records were dropped: neither processed nor sent to an on-failure destination"
        yield about("dropped", why, "DroppedEventCount", "Sum", 0, pages=True, once=True, dimensions=mapping)
        if consumer.mapping.on_failure.startswith("arn:"):
            why = "AWS gave records up: look in its on-failure destination"
            delivered = "OnFailureDestinationDeliveredEventCount"
            yield about("given-up", why, delivered, "Sum", 0, pages=True, once=True, dimensions=mapping)


def _own(pipeline: Pipeline, name: str) -> Iterator[Alarm]:
    """What only the consumer itself can know."""
    dimensions = series.dimensions_of(pipeline, name)
    if dimensions is None:
        return
    then = "comes back" if pipeline.consumers[name].kind is SourceKind.SQS else "holds up its shard"
    troubles = [
        (metrics.LEDGER_FAILURES, "ledger", "its ledger refuses reads or writes; records may run again", False),
        (metrics.DEAD_LETTER_FAILURES, "letters-refused", f"poison cannot be set aside, and {then}", True),
        (
            metrics.OUT_OF_TIME,
            "out-of-time",
            "batches do not end in time; a longer timeout, or smaller batches?",
            False,
        ),
    ]
    if pipeline.consumers[name].dead_letters.startswith(("bucket:", "stream:")):
        # A queue of its own has the alarm of its depth.
        troubles.append((metrics.DEAD_LETTERED, "set-aside", "poison records were set aside: look at them", True))
    for metric, what, why, pages in troubles:
        once = metric is metrics.DEAD_LETTERED
        yield Alarm(
            subject=name, what=what, why=f"Consumer {name}: {why}", namespace=metrics.NAMESPACE, metric=metric.name,
            statistic="Sum", threshold=0, dimensions=dimensions, pages=pages, once=once,
            period=_MINUTE if once else _longest_batch(pipeline.consumers[name]),
        )  # fmt: skip


def _age(pipeline: Pipeline, name: str, function: Dimensions) -> Iterator[Alarm]:
    consumer, warn = pipeline.consumers[name], pipeline.monitoring.iterator_age_seconds
    if consumer.kind is SourceKind.SQS:
        yield Alarm(
            subject=name, what="late", why=f"Consumer {name}: its queue is not emptied", namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage", statistic="Maximum", threshold=warn,
            dimensions={"QueueName": str(consumer.queue_arn).rpartition(":")[2]},
        )  # fmt: skip
        return
    for what, why, seconds, pages in (
        ("late", f"more than {warn} s behind", warn, False),
        (
            "overdue",
            "a quarter of the retention behind; older ones are lost",
            _quarter(pipeline, name),
            True,
        ),
    ):
        yield Alarm(
            subject=name, what=what, why=f"Consumer {name}: {why}", namespace="AWS/Lambda", metric="IteratorAge",
            statistic="Maximum", threshold=seconds * 1000, dimensions=function, pages=pages, period=_longest_batch(consumer),
        )  # fmt: skip


def _longest_batch(consumer: Consumer) -> int:
    """Seconds, in whole minutes: a shard has one data point for each batch, and of shorter times most would be empty."""
    longest = max(consumer.timeout_seconds, consumer.mapping.batching_window)
    return -(-longest // _MINUTE) * _MINUTE


def _quarter(pipeline: Pipeline, name: str) -> int:
    """Seconds. A stream of somebody else is taken to keep records for no longer than the least, a day."""
    return (pipeline.retention_hours(pipeline.consumers[name]) or 24) * 3600 // 4


def _depth(name: str, what: str, why: str, queue: str) -> Alarm:
    return Alarm(
        subject=name, what=what, why=f"Consumer {name}: {why}", namespace="AWS/SQS", pages=True,
        metric="ApproximateNumberOfMessagesVisible", statistic="Maximum", threshold=0, dimensions={"QueueName": queue},
    )  # fmt: skip


def _ingest(pipeline: Pipeline) -> Iterator[Alarm]:
    ingest = pipeline.ingest
    if ingest is None:
        return
    api = {"ApiName": api_name(pipeline), "Stage": ingest.stage}
    yield Alarm(
        subject="ingest", what="failures", why="The ingest API answers 5xx: producers cannot put", metric="5XXError",
        namespace="AWS/ApiGateway", statistic="Sum", threshold=pipeline.monitoring.error_percent, dimensions=api, pages=True,
        ratio_of="Count",
    )  # fmt: skip
    yield Alarm(
        subject="ingest", what="latency", why="The ingest API is slow", namespace="AWS/ApiGateway", metric="Latency",
        statistic="p99", threshold=pipeline.monitoring.latency_ms, dimensions=api,
    )  # fmt: skip
