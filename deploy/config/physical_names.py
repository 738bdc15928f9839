"""What AWS will call everything: no two alike, and none that a service refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deploy import naming
from deploy.config import names
from deploy.config.fields import Complaint

if TYPE_CHECKING:
    from deploy.config.pipeline import Pipeline

_BUCKET_ROOM = 63 - len("-123456789012-ap-southeast-1-")


def complaints(pipeline: Pipeline) -> Iterator[Complaint]:
    for kind in ("streams", "buckets", "tables", "consumers"):
        yield from _alike(kind, getattr(pipeline, kind))
    if pipeline.ingest is not None:
        yield from _alike("ingest.producers", pipeline.ingest.producers)
    yield from _twice((f"streams.{key}", pipeline.stream_name(key)) for key in pipeline.streams)
    yield from _twice(_tables(pipeline))
    yield from _readers(pipeline)
    yield from _buckets(pipeline)


def _twice(called: Iterable[tuple[str, str]]) -> Iterator[Complaint]:
    seen: dict[str, str] = {}
    for path, name in called:
        if name in seen:
            yield path, f"is called {name!r}, and so is {seen[name]}: rename one, or give another physical_name"
        seen.setdefault(name, path)


def _tables(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    for name, consumer in pipeline.consumers.items():
        if consumer.ledger == "dynamodb":
            yield f"the ledger of consumers.{name}", naming.ledger_name(pipeline, name)
    for key in pipeline.tables:
        yield f"tables.{key}", naming.table_name(pipeline, key)


def _readers(pipeline: Pipeline) -> Iterator[Complaint]:
    """Names of enhanced fan-out consumers are those of one stream."""
    for name, consumer in pipeline.consumers.items():
        function = naming.function_name(pipeline, name)
        stream = pipeline.streams.get(consumer.stream or "")
        if stream is not None and consumer.fan_out and function in stream.fan_out:
            yield (
                f"streams.{consumer.stream}.fan_out",
                f"has {function!r}, as which consumer {name} reads: rename it",
            )


def _buckets(pipeline: Pipeline) -> Iterator[Complaint]:
    """Of the default names only the account and the region may be unknown here."""
    taken: dict[str, str] = {}
    where = f"-{pipeline.account or '[0-9]{12}'}-{pipeline.region or names.REGION.pattern}"
    for key, bucket in pipeline.buckets.items():
        own = f"{pipeline.prefix}-{key}"
        if bucket.physical_name is not None:
            pattern = re.escape(bucket.physical_name)
        elif len(own) > _BUCKET_ROOM + 1:
            yield (
                f"buckets.{key}",
                f"with {pipeline.prefix!r} this makes a name above S3's 63 characters: shorten it, or give physical_name",
            )
            continue
        elif not names.BUCKET.fits(f"{own}-123456789012-eu-west-1"):
            yield f"buckets.{key}", f"would be called {own}-..., which S3 keeps for itself: give physical_name"
            continue
        else:
            pattern = re.escape(own) + where
        for other, its in taken.items():
            if pattern == its or (bucket.physical_name and re.fullmatch(its, bucket.physical_name)):
                yield f"buckets.{key}", f"is called as buckets.{other} is: give another physical_name"
        taken[key] = pattern


def _alike(kind: str, keys: Iterable[str]) -> Iterator[Complaint]:
    """Names become logical ids, which have no hyphens."""
    seen: dict[str, str] = {}
    for name in keys:
        plain = "".join(part[:1].upper() + part[1:] for part in name.split("-"))
        if plain in seen:
            yield f"{kind}.{name}", f"and {seen[plain]!r} differ in hyphens alone: rename one"
        seen[plain] = name
