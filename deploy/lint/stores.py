"""Rules about what a consumer remembers, where poison records go, and what should not lie in the open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.config import SourceKind
from deploy.lint.finding import Remark
from deploy.series import dimensions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.config import Pipeline
    from deploy.lint.finding import Subject

_SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
# A name that ends in one of these says where something is, and not what it is.
_REFERENCES = frozenset({"ARN", "FILE", "ID", "NAME", "PATH", "REF", "URI", "URL"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

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
            words = _WORD.findall(variable) or [""]
            refers = words[-1].upper() in _REFERENCES or value.startswith("arn:")
            if _SECRET.search(variable) and not refers:
                yield Remark(
                    name,
                    f"consumers.{name}.environment.{variable}",
                    "looks like a secret: whoever may look at the function or its template reads it. Keep it in Secrets "
                    "Manager, give the code its ARN, and grant secretsmanager:GetSecretValue with uses",
                )


def set_aside_unseen(subject: Subject) -> Iterator[Remark]:
    """Of an own queue the depth is watched; elsewhere, only what is counted."""
    pipeline = subject.pipeline
    if not pipeline.monitoring.enabled:
        return
    for name, consumer in pipeline.consumers.items():
        counted = consumer.mapping.event_count_metrics
        if consumer.mapping.on_failure.startswith("arn:") and not counted and consumer.kind is not SourceKind.SQS:
            yield Remark(
                name,
                f"consumers.{name}.mapping.on_failure",
                "is another's, so its depth is not watched here: no alarm says that AWS gave records up. Take 'queue', or "
                "event_count_metrics = true",
            )
        if consumer.dead_letters.startswith(("bucket:", "stream:")) and dimensions_of(pipeline, name) is None:
            yield Remark(
                name,
                f"consumers.{name}.dead_letters",
                "is no queue, and the consumer sends no metrics: no alarm says that poison was set aside. Take 'queue', or "
                "metrics = true",
            )


def shared_names(subject: Subject) -> Iterator[Remark]:
    """In one account, and for streams and tables in one region, a name is one thing, whichever environment names it."""
    pipeline = subject.pipeline
    for kind in ("streams", "buckets", "tables"):
        for key, one in getattr(pipeline, kind).items():
            if one.physical_name is None:
                continue
            sharing = [
                f"[env.{other.environment}]" if other.environment else "the file without --env"
                for other in pipeline.others
                if not _apart(pipeline, other, regional=kind != "buckets")
                and one.physical_name in [its.physical_name for its in getattr(other, kind).values()]
            ]
            if sharing:
                yield Remark(
                    key,
                    f"{kind}.{key}.physical_name",
                    f"is {one.physical_name!r} in {' and '.join(sharing)} too: the second that is brought up fails. Give "
                    "each [env.NAME] a name, or an account, of its own",
                )


def _apart(one: Pipeline, other: Pipeline, *, regional: bool) -> bool:
    return (one.account != other.account and None not in (one.account, other.account)) or (
        regional and one.region != other.region and None not in (one.region, other.region)
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
