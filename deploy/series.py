"""kstream's own metrics, as a deployed consumer sends them: which series they are in CloudWatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.config import SourceKind
from kstream.metrics import DIMENSIONS

if TYPE_CHECKING:
    from deploy.config import Pipeline


def variables(pipeline: Pipeline, name: str) -> dict[str, str]:
    """What tells the consumer's function how to name its series. Empty where it sends none."""
    dimensions = dimensions_of(pipeline, name)
    if dimensions is None:
        return {"KSTREAM_METRICS": "off"}
    return {"KSTREAM_SERVICE": dimensions["service"], "KSTREAM_CONSUMER": dimensions["consumer"]}


def dimensions_of(pipeline: Pipeline, name: str) -> dict[str, str] | None:
    """Of this consumer's series; None if it sends none. The stream is what it reads: also a table's name, or a queue's."""
    consumer = pipeline.consumers[name]
    if not consumer.metrics:
        return None
    if consumer.stream:
        stream = pipeline.stream_name(consumer.stream)
    elif consumer.kind is SourceKind.SQS:
        stream = str(consumer.queue_arn).rpartition(":")[2]
    else:
        stream = str(consumer.stream_arn or consumer.table_stream_arn).split("/")[1]
    return dict(zip(DIMENSIONS, (pipeline.prefix, stream, name), strict=True))
