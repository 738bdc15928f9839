"""Rule about what an account may have before anybody has asked for more.

What nobody can have raised is refused elsewhere: by the configuration, or as ``PolicyTooLarge`` and its like.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deploy.lint.finding import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.lint.finding import Subject

_AUTHORIZERS = 10
"""Of a REST API (API Gateway developer guide, "Quotas for configuring and running a REST API")."""
_READERS = 20
"""Registered with an on-demand stream, unless the account has the Advantage mode (Kinesis, RegisterStreamConsumer)."""
_RULES = 60
"""Of a security group, inbound (VPC User Guide, "Amazon VPC quotas")."""
_RESERVED = 1000 - 100
"""Invocations at a time of an account and region, but for those that must stay unreserved (Lambda quotas)."""


def above_default(subject: Subject) -> Iterator[Remark]:
    yield from _authorizers(subject)
    yield from _readers(subject)
    yield from _ingress(subject)
    yield from _reserved(subject)


def _authorizers(subject: Subject) -> Iterator[Remark]:
    for stack in subject.stacks:
        for resource in stack.template["Resources"].values():
            if resource["Type"] != "AWS::ApiGateway::RestApi":
                continue
            schemes = resource["Properties"]["Body"]["components"]["securitySchemes"].values()
            number = sum("x-amazon-apigateway-authorizer" in scheme for scheme in schemes)
            if number > _AUTHORIZERS:
                yield Remark(
                    "ingest",
                    "ingest.streams",
                    f"have {number} different authorizers, and an API may have {_AUTHORIZERS} unless AWS has raised "
                    "it: let streams share an issuer, a user pool or a function",
                )


def _readers(subject: Subject) -> Iterator[Remark]:
    for key in subject.pipeline.streams:
        number = len(subject.pipeline.readers(key))
        if number > _READERS:
            yield Remark(
                key,
                f"streams.{key}.fan_out",
                f"with the consumers that read with fan_out = true the stream has {number} registered readers, and may have "
                f"{_READERS} unless the account has Kinesis's On-demand Advantage mode",
            )


def _ingress(subject: Subject) -> Iterator[Remark]:
    """Each way into a security group of somebody else's takes one of its rules."""
    pipeline = subject.pipeline
    ways = Counter(reach.security_group for consumer in pipeline.consumers.values() for reach in consumer.reaches)
    for group, number in ways.items():
        if number > _RULES:
            yield Remark(
                group,
                "consumers",
                f"have {number} reaches into {group}, and a security group may have {_RULES} rules unless the account has "
                "more: let some consumers reach it by fewer ports",
            )


def _reserved(subject: Subject) -> Iterator[Remark]:
    every = sum(consumer.reserved_concurrency or 0 for consumer in subject.pipeline.consumers.values())
    if every > _RESERVED:
        yield Remark(
            "reserved_concurrency",
            "consumers",
            f"reserve {every:,} invocations at a time, and an account may reserve {_RESERVED:,} unless it has more: lower "
            "reserved_concurrency, or leave it out where it bounds nothing",
        )
