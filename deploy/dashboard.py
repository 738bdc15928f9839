"""One dashboard, in the records' order: ingest, streams, consumers, dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy import naming, series
from deploy.config import SourceKind
from deploy.ingest_api import api_name
from deploy.template import compact, sub
from kstream import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.config import Pipeline
    from deploy.template import Json

_WIDTH, _HEIGHT, _COLUMNS = 8, 6, 24

_TROUBLES = (metrics.LEDGER_FAILURES, metrics.DEAD_LETTER_FAILURES, metrics.OUT_OF_TIME)

Metric = list[Any]


def body(pipeline: Pipeline) -> Json:
    """The dashboard as text for CloudWatch."""
    rows: list[tuple[str, list[dict[str, Any]]]] = []
    if pipeline.ingest is not None:
        rows.append(("Ingest", _ingest(pipeline, pipeline.ingest.stage)))
    rows += [(f"Stream {pipeline.stream_name(key)}", _stream(pipeline, key)) for key in pipeline.streams]
    rows += [(f"Consumer {name}", _consumer(pipeline, name)) for name in pipeline.consumers]
    widgets: list[dict[str, Any]] = []
    y = 0
    for title, row in rows:
        widgets.append(
            {"type": "text", "x": 0, "y": y, "width": _COLUMNS, "height": 1, "properties": {"markdown": f"## {title}"}}
        )
        y += 1
        for number, widget in enumerate(row):
            widgets.append({**widget, "x": number * _WIDTH % _COLUMNS, "y": y + number * _WIDTH // _COLUMNS * _HEIGHT})
        y += -(-len(row) * _WIDTH // _COLUMNS) * _HEIGHT
    return sub(compact({"widgets": widgets}))


def _ingest(pipeline: Pipeline, stage: str) -> list[dict[str, Any]]:
    api = ["ApiName", api_name(pipeline), "Stage", stage]
    return [
        _graph("Requests", [["AWS/ApiGateway", "Count", *api]]),
        _graph("Refused and failed", [["AWS/ApiGateway", "4XXError", *api], ["AWS/ApiGateway", "5XXError", *api]]),
        _graph(
            "Latency, p50 and p99", [["AWS/ApiGateway", "Latency", *api, {"stat": stat}] for stat in ("p50", "p99")]
        ),
    ]


def _stream(pipeline: Pipeline, key: str) -> list[dict[str, Any]]:
    of = ["StreamName", pipeline.stream_name(key)]
    throttled = ("WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded")
    return [
        _graph("Records in and out", [["AWS/Kinesis", m, *of] for m in ("IncomingRecords", "GetRecords.Records")]),
        _graph("Bytes in and out", [["AWS/Kinesis", m, *of] for m in ("IncomingBytes", "GetRecords.Bytes")]),
        _graph("Throttled", [["AWS/Kinesis", metric, *of] for metric in throttled]),
    ]


def _consumer(pipeline: Pipeline, name: str) -> list[dict[str, Any]]:
    consumer = pipeline.consumers[name]
    of = ["FunctionName", naming.function_name(pipeline, name)]
    waiting: list[Metric] = []
    if consumer.dead_letters == "queue":
        waiting.append(_depth(naming.dead_letters_name(pipeline, name)))
    if consumer.has_on_failure_queue:
        waiting.append(_depth(naming.on_failure_name(pipeline, name)))
    widgets = [
        _graph("Invocations", [["AWS/Lambda", metric, *of] for metric in ("Invocations", "Errors", "Throttles")]),
        _graph("Duration", [["AWS/Lambda", "Duration", *of, {"stat": stat}] for stat in ("p50", "Maximum")]),
    ]
    if consumer.kind is not SourceKind.SQS:
        widgets.append(_graph("Iterator age", [["AWS/Lambda", "IteratorAge", *of, {"stat": "Maximum"}]]))
    if waiting:
        widgets.append(_graph("Dead letters and on failure", waiting))
    return [*widgets, *_own(series.dimensions_of(pipeline, name))]


def _own(dimensions: dict[str, str] | None) -> list[dict[str, Any]]:
    """What the consumer says of itself."""
    if dimensions is None:
        return []
    of = [part for pair in dimensions.items() for part in pair]

    def graph(title: str, shown: Sequence[metrics.Metric], *stats: str) -> dict[str, Any]:
        lines = [
            [metrics.NAMESPACE, metric.name, *of, {"stat": stat}] for metric in shown for stat in stats or ("Sum",)
        ]
        return _graph(title, lines)

    return [
        graph("Records", [metric for metric in metrics.COUNTS if metric not in _TROUBLES]),
        graph("Troubles", _TROUBLES),
        graph("Record age and checkpoint lag", (metrics.RECORD_AGE, metrics.CHECKPOINT_LAG), "p99", "Maximum"),
        graph("Batch duration", (metrics.BATCH_DURATION,), "p50", "p99", "Maximum"),
    ]


def _depth(queue: str) -> Metric:
    return ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, {"stat": "Maximum"}]


def _graph(title: str, metrics: list[Metric]) -> dict[str, Any]:
    properties = {"title": title, "metrics": metrics, "region": "${AWS::Region}", "stat": "Sum", "period": 60}
    return {"type": "metric", "width": _WIDTH, "height": _HEIGHT, "properties": properties}
