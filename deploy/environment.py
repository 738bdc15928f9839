"""The environment variables of a consumer's function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import naming, series
from deploy.template import sub
from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.config import Pipeline
    from deploy.template import Text

LIMIT = 4096
"""Bytes of all names and values together (Lambda quotas)."""


class EnvironmentTooLarge(ConfigurationError):
    """Lambda would not take so many, or so long, environment variables."""


def variables(pipeline: Pipeline, name: str, *, ledger: str, dead_letters: str) -> dict[str, Text]:
    """By name. ``ledger`` and ``dead_letters`` are the logical ids of its own table and queue. Raises
    ``EnvironmentTooLarge``."""
    consumer = pipeline.consumers[name]
    found: dict[str, Text] = {
        **consumer.environment,
        "KSTREAM_METRICS": "emf",
        "KSTREAM_SERVICE": pipeline.prefix,
        "KSTREAM_TRACING": "xray" if consumer.tracing else "off",
        **series.variables(pipeline, name),
    }
    for use in consumer.uses:
        if use.variable and use.bucket:
            found[use.variable] = naming.bucket_name(pipeline, use.bucket)
        elif use.variable and use.table:
            found[use.variable] = naming.table_name(pipeline, use.table)
        elif use.variable and use.stream:
            found[use.variable] = pipeline.stream_name(use.stream)
    if consumer.ledger == "dynamodb":
        found["KSTREAM_LEDGER"] = sub(f"dynamodb:${{{ledger}}}")
    kind, _, where = consumer.dead_letters.partition(":")
    if kind == "queue":
        found["KSTREAM_DEAD_LETTERS"] = sub(f"sqs:${{{dead_letters}}}")
    elif kind == "stream":
        found["KSTREAM_DEAD_LETTERS"] = f"kinesis:{pipeline.stream_name(where)}"
    elif kind == "bucket":
        bucket, _, prefix = where.partition("/")
        called = naming.bucket_name(pipeline, bucket)
        at = f"s3:{called if isinstance(called, str) else called['Fn::Sub']}/{prefix}"
        found["KSTREAM_DEAD_LETTERS"] = at if isinstance(called, str) else sub(at)
    _check(pipeline, name, found, ledger=ledger, dead_letters=dead_letters)
    return dict(sorted(found.items()))


def _check(pipeline: Pipeline, name: str, found: Mapping[str, Text], *, ledger: str, dead_letters: str) -> None:
    """What CloudFormation puts in is taken at its longest."""
    region = "ap-southeast-1"
    queue = f"https://sqs.{region}.amazonaws.com.cn/123456789012/{naming.dead_letters_name(pipeline, name)}"
    put_in = {
        "AWS::AccountId": "123456789012",
        "AWS::Region": region,
        ledger: naming.ledger_name(pipeline, name),
        dead_letters: queue,
    }
    size = 0
    for variable, value in found.items():
        text = value if isinstance(value, str) else str(value["Fn::Sub"])
        if not isinstance(value, str):
            for placeholder, longest in put_in.items():
                text = text.replace(f"${{{placeholder}}}", longest)
        size += len(variable.encode()) + len(text.encode())
    if size > LIMIT:
        raise EnvironmentTooLarge(
            f"consumers.{name}.environment: with what deploy adds, its variables have {size:,} bytes, and Lambda takes "
            f"{LIMIT:,}: put what is long into a file of the package"
        )
