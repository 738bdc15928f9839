"""From the configuration to its stacks. Nothing here calls AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import function, ingest_api, monitoring, network, stream
from deploy.naming import stack_name
from deploy.template import MOST_RESOURCES, UPLOAD_LIMIT
from kstream import ConfigurationError

if TYPE_CHECKING:
    from deploy.config import Consumer, Pipeline
    from deploy.stacks import Stack


class TemplateTooLarge(ConfigurationError):
    """CloudFormation would not take a template of this size."""


def stacks(pipeline: Pipeline) -> tuple[Stack, ...]:
    """All stacks, each after those that it needs. Raises ``TemplateTooLarge``."""
    found = [stack for stack in (network.stack(pipeline), stream.stack(pipeline)) if stack is not None]
    there = {stack.name for stack in found}

    def named(*roles: str) -> tuple[str, ...]:
        return tuple(name for name in (stack_name(pipeline, role) for role in roles) if name in there)

    consumers = [
        function.stack(pipeline, name, named(*_needs(pipeline, consumer)))
        for name, consumer in pipeline.consumers.items()
    ]
    private = pipeline.ingest is not None and pipeline.ingest.private
    api = ingest_api.stack(pipeline, named("stream", *(["network"] if private else [])))
    found += [*consumers, *([api] if api is not None else [])]
    counted = [
        f"consumer-{name}" for name, consumer in pipeline.consumers.items() if consumer.mapping.event_count_metrics
    ]
    there = {stack.name for stack in found}
    watched = monitoring.stack(pipeline, named(*counted))
    if watched is not None:
        found.append(watched)
    for stack in found:
        _check(stack)
    return tuple(found)


def _needs(pipeline: Pipeline, consumer: Consumer) -> list[str]:
    kind = consumer.dead_letters.partition(":")[0]
    data = (
        consumer.stream
        or kind in ("bucket", "stream")
        or any(use.bucket or use.table or use.stream for use in consumer.uses)
    )
    return [*(["network"] if pipeline.in_vpc(consumer) else []), *(["stream"] if data else [])]


def _check(stack: Stack) -> None:
    if stack.size > UPLOAD_LIMIT:
        raise TemplateTooLarge(
            f"the template of {stack.name} has {stack.size:,} bytes, and CloudFormation takes {UPLOAD_LIMIT:,}: "
            "divide the pipeline into two"
        )
    if len(stack.template["Resources"]) > MOST_RESOURCES:
        raise TemplateTooLarge(
            f"{stack.name} has {len(stack.template['Resources'])} resources, and CloudFormation takes {MOST_RESOURCES}: "
            "divide the pipeline into two"
        )
