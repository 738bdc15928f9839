"""Rules about what reaches a consumer, and what is lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.config import SourceKind
from deploy.lint.finding import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.config import Consumer
    from deploy.lint.finding import Subject

_HOUR = 3600
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Of one invocation (Lambda quotas)."""
# Base64 makes three bytes four, and each record's envelope takes about half a kilobyte.
_ENVELOPE_BYTES = 512


def _streams(subject: Subject) -> Iterator[tuple[str, Consumer]]:
    for name, consumer in subject.pipeline.consumers.items():
        if consumer.kind is not SourceKind.SQS:
            yield name, consumer


def age_above_retention(subject: Subject) -> Iterator[Remark]:
    for name, consumer in _streams(subject):
        age, kept = consumer.mapping.maximum_record_age, subject.pipeline.retention_hours(consumer)
        if kept is not None and age > kept * _HOUR:
            yield Remark(
                name,
                f"consumers.{name}.mapping.maximum_record_age",
                f"is {age:,} s, and the stream keeps records for {kept * _HOUR:,} s: what fails for longer is gone "
                "before it is given up, and nobody is told. Keep records for longer, or give up sooner",
            )


def batch_above_payload(subject: Subject) -> Iterator[Remark]:
    """A record that is too large for an invocation can never be delivered; a full batch of large ones is only smaller."""
    for name, consumer in _streams(subject):
        if consumer.stream is None:
            continue
        size = subject.pipeline.streams[consumer.stream].record_size_kib * 1024
        if _delivered(size) > MAX_PAYLOAD_BYTES:
            yield Remark(
                name,
                f"streams.{consumer.stream}.record_size_kib",
                f"allows records of {size // 1024:,} KiB, of which Lambda's 6 MB hold none: such a record blocks its shard "
                "until it is given up. Allow at most 4,500 KiB, or put large payloads into S3",
            )
        elif (consumer.mapping.batch_size or 100) > 1 and _delivered(size) * 2 > MAX_PAYLOAD_BYTES:
            yield Remark(
                name,
                f"consumers.{name}.mapping.batch_size",
                f"is {consumer.mapping.batch_size or 100}, but two records of {size // 1024:,} KiB are above Lambda's 6 MB: "
                "batches of large records hold one. Take batch_size = 1 if the code counts on full batches",
            )


def _delivered(size: int) -> int:
    return -(-size // 3) * 4 + _ENVELOPE_BYTES


def window_with_factor(subject: Subject) -> Iterator[Remark]:
    for stack, properties in _mappings(subject):
        factor = properties.get("ParallelizationFactor", 1)
        if properties.get("TumblingWindowInSeconds") and factor > 1:
            yield Remark(
                stack,
                f"consumers.{stack}.mapping.tumbling_window",
                f"with parallelization_factor = {factor}: AWS refuses it",
            )


def factor_with_aggregation(subject: Subject) -> Iterator[Remark]:
    for name, consumer in _streams(subject):
        if consumer.stream and subject.pipeline.streams[consumer.stream].aggregated:
            factor = consumer.mapping.parallelization_factor
            if factor > 1:
                yield Remark(
                    name,
                    f"consumers.{name}.mapping.parallelization_factor",
                    f"is {factor}, and the stream holds aggregates: AWS sorts by their outer key, so records of one user "
                    "key may overtake each other. Take 1, or accept that order is not kept",
                )


def no_partial_answers(subject: Subject) -> Iterator[Remark]:
    for name, properties in _mappings(subject):
        if "ReportBatchItemFailures" not in properties.get("FunctionResponseTypes", ()):
            yield Remark(
                name,
                f"consumers.{name}.mapping",
                "has no ReportBatchItemFailures: a partial failure would count as success, and its records be lost",
            )


def endless_retries(subject: Subject) -> Iterator[Remark]:
    for name, consumer in _streams(subject):
        mapping = consumer.mapping
        if mapping.maximum_retry_attempts == -1 and mapping.maximum_record_age == -1:
            yield Remark(
                name,
                f"consumers.{name}.mapping.maximum_retry_attempts",
                "is -1 without a maximum_record_age: one failing batch stops its shard until its records expire, and they "
                "are lost then. Give either an end",
            )


def given_up_silently(subject: Subject) -> Iterator[Remark]:
    for name, consumer in _streams(subject):
        mapping = consumer.mapping
        ends = mapping.maximum_retry_attempts != -1 or mapping.maximum_record_age != -1
        if mapping.on_failure == "none" and ends:
            yield Remark(
                name,
                f"consumers.{name}.mapping.on_failure",
                "is 'none', and retries end: what AWS gives up is lost without a trace. Take 'queue'",
            )


def from_latest(subject: Subject) -> Iterator[Remark]:
    for name, consumer in _streams(subject):
        if consumer.mapping.starting_position == "LATEST":
            yield Remark(
                name,
                f"consumers.{name}.mapping.starting_position",
                "is LATEST: what is put before the mapping has started to poll, some minutes, is never delivered. "
                "Take TRIM_HORIZON",
            )


def _mappings(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """The mappings of the templates, with the name of their consumer."""
    for stack in subject.stacks:
        for resource in stack.template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                yield stack.role.removeprefix("consumer-"), resource["Properties"]
