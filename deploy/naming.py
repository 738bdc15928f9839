"""What everything is called: the names and ARNs that several stacks must agree on.

They are made of the configuration alone, so that a policy in one stack can name what another one makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.template import arn, global_arn, sub

if TYPE_CHECKING:
    from deploy.config import Pipeline
    from deploy.template import Json, Text

OWNER_TAG = "kstream:pipeline"
"""On everything that outlives its stack: whose it is, by the pipeline's prefix. Another key than that of the stack's own
tag, which CloudFormation hands on to resources: no tag stands there twice."""


def owner_tags(pipeline: Pipeline) -> list[dict[str, str]]:
    return [{"Key": OWNER_TAG, "Value": pipeline.prefix}]


def stack_name(pipeline: Pipeline, role: str) -> str:
    return f"{pipeline.prefix}-{role}"


def function_name(pipeline: Pipeline, consumer: str) -> str:
    return f"{pipeline.prefix}-{consumer}"


def layer_name(pipeline: Pipeline, consumer: str) -> str:
    return f"{pipeline.prefix}-{consumer}-dependencies"


def ledger_name(pipeline: Pipeline, consumer: str) -> str:
    return f"{pipeline.prefix}-{consumer}-ledger"


def dead_letters_name(pipeline: Pipeline, consumer: str) -> str:
    return f"{pipeline.prefix}-{consumer}-dead-letters"


def on_failure_name(pipeline: Pipeline, consumer: str) -> str:
    return f"{pipeline.prefix}-{consumer}-on-failure"


def stream_arn(pipeline: Pipeline, stream: str) -> Json:
    return arn("kinesis", f"stream/{pipeline.stream_name(stream)}")


def bucket_name(pipeline: Pipeline, bucket: str) -> Text:
    name = pipeline.buckets[bucket].physical_name
    return name or sub(f"{pipeline.prefix}-{bucket}-${{AWS::AccountId}}-${{AWS::Region}}")


def bucket_arn(pipeline: Pipeline, bucket: str, keys: str = "") -> Json:
    """``keys``: what follows the bucket, like ``/flights/*``."""
    name = pipeline.buckets[bucket].physical_name
    return global_arn("s3", (name or f"{pipeline.prefix}-{bucket}-${{AWS::AccountId}}-${{AWS::Region}}") + keys)


def table_name(pipeline: Pipeline, table: str) -> str:
    return pipeline.tables[table].physical_name or f"{pipeline.prefix}-{table}"


def source_arn(pipeline: Pipeline, consumer: str) -> Text:
    """Of what feeds the consumer."""
    settings = pipeline.consumers[consumer]
    if settings.stream:
        return stream_arn(pipeline, settings.stream)
    return str(settings.stream_arn or settings.table_stream_arn or settings.queue_arn)
