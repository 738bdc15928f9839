"""Rules about what a consumer remembers, where poison records go, and what should not lie in the open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.config import SourceKind
from deploy.lint.finding import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.lint.finding import Subject

_SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
_REFERENCE = re.compile(r"ARN|NAME|ID|URL|PATH|_REF$", re.IGNORECASE)

_READS_PER_SECOND = 5


def ledger_forgets(subject: Subject) -> Iterator[Remark]:
    for name, consumer in subject.pipeline.consumers.items():
        kept = subject.pipeline.retention_hours(consumer)
        if consumer.ledger == "none" or consumer.kind is SourceKind.SQS or kept is None:
            continue
        age = max(0, consumer.mapping.maximum_record_age) / 3600
        if consumer.ledger_ttl_hours < kept + age:
            yield Remark(
                name,
                f"consumers.{name}.ledger_ttl_hours",
                f"is {consumer.ledger_ttl_hours}, and a record may come back after {kept + age:,.0f} hours (retention and "
                "maximum age): it would be processed twice. Name the ledger in the code with a longer ttl=, and say it here",
            )


def no_dead_letters(subject: Subject) -> Iterator[Remark]:
    for name, consumer in subject.pipeline.consumers.items():
        if consumer.dead_letters == "none" and consumer.kind is not SourceKind.SQS:
            yield Remark(
                name,
                f"consumers.{name}.dead_letters",
                "is 'none': a record that can never succeed holds up those behind it until AWS gives it up, "
                "with its payload lost",
            )


def secret_in_environment(subject: Subject) -> Iterator[Remark]:
    for name, consumer in subject.pipeline.consumers.items():
        for variable, value in consumer.environment.items():
            if _SECRET.search(variable) and not _REFERENCE.search(variable) and not value.startswith("arn:"):
                yield Remark(
                    name,
                    f"consumers.{name}.environment.{variable}",
                    "looks like a secret: whoever may look at the function or its template reads it. Keep it in Secrets "
                    "Manager, give the code its ARN, and grant secretsmanager:GetSecretValue with uses",
                )


def too_many_readers(subject: Subject) -> Iterator[Remark]:
    for key in subject.pipeline.streams:
        readers = [
            name
            for name, consumer in subject.pipeline.consumers.items()
            if consumer.stream == key and not consumer.fan_out
        ]
        if len(readers) > _READS_PER_SECOND:
            yield Remark(
                key,
                f"streams.{key}",
                f"has {len(readers)} readers that share its {_READS_PER_SECOND} reads a second and shard: each waits for "
                "the others. Give fan_out = true to those in a hurry",
            )
