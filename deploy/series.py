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
    """Of this consumer's series; None if it sends none: only what reads Kinesis is run by ``on_lambda``."""
    consumer = pipeline.consumers[name]
    if not consumer.metrics or consumer.kind is not SourceKind.KINESIS:
        return None
    arn = consumer.stream_arn
    stream = pipeline.stream_name(consumer.stream) if consumer.stream else str(arn).rpartition("/")[2]
    return dict(zip(DIMENSIONS, (pipeline.prefix, stream, name), strict=True))
