"""What must lie in the pipeline's own region, because the services look nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.config.fields import Complaint

if TYPE_CHECKING:
    from deploy.config.pipeline import Pipeline


def complaints(pipeline: Pipeline) -> Iterator[Complaint]:
    """Nothing where the file does not say which region that is."""
    if pipeline.region is None:
        return
    for path, arn, why in _local(pipeline):
        region = arn.split(":")[3] if arn.startswith("arn:") else ""
        if region not in ("", pipeline.region):
            yield path, f"is in {region}, and the pipeline in {pipeline.region}: {why}"


def _local(pipeline: Pipeline) -> Iterator[tuple[str, str, str]]:
    for key, stream in pipeline.streams.items():
        yield f"streams.{key}.kms_key", stream.kms_key, "Kinesis takes keys of its own region alone"
    for name, consumer in pipeline.consumers.items():
        for source in ("stream_arn", "table_stream_arn", "queue_arn"):
            why = "Lambda polls sources of its own region alone"
            yield f"consumers.{name}.{source}", getattr(consumer, source) or "", why
        why = "Lambda tells queues and topics of its own region alone"
        yield f"consumers.{name}.mapping.on_failure", consumer.mapping.on_failure, why
    for kind in ("warn", "page"):
        for number, topic in enumerate(getattr(pipeline.monitoring, kind)):
            yield f"monitoring.{kind}[{number}]", topic, "CloudWatch tells topics of its own region alone"
