"""The whole configuration, and what its tables must have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.config import names
from deploy.config.consumers import Consumer
from deploy.config.fields import Complaint, Table, setting
from deploy.config.ingest import Ingest
from deploy.config.monitoring import Monitoring
from deploy.config.network import Network
from deploy.config.problems import nearest
from deploy.config.streams import Bucket, DataTable, Stream

_BUCKET_ROOM = 63 - len("-123456789012-ap-southeast-1-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Table):
    """``pipeline.toml``, read for one environment. ``environment`` is the name after ``--env``."""

    name: str = setting(doc="The beginning of every name", pattern=rf"(?=.{{1,20}}$){names.PIPELINE}", example="orders")
    region: str | None = setting(None, doc="The region that it belongs to", pattern=names.REGION, example="eu-west-1")
    account: str | None = setting(
        None, doc="The account that it belongs to", pattern=names.ACCOUNT, example="123456789012"
    )
    artifact_bucket: str | None = setting(None, doc="An existing bucket for function packages", pattern=names.BUCKET)
    lock: str = setting("requirements/function.lock", doc="The locked dependencies of the functions")
    tracing_lock: str = setting(
        "requirements/function-xray.lock", doc="What tracing needs besides: X-Ray's SDK, for functions that trace"
    )
    tags: Mapping[str, str] = setting(
        factory=dict, doc="Tags of everything", high=40, names=r"(?!aws:)[\w .:/=+@-]{1,128}"
    )
    streams: Mapping[str, Stream] = setting(factory=dict, doc="Kinesis streams", names=names.KEY, high=20)
    buckets: Mapping[str, Bucket] = setting(factory=dict, doc="S3 buckets", names=names.KEY, high=20)
    tables: Mapping[str, DataTable] = setting(factory=dict, doc="DynamoDB tables", names=names.KEY, high=20)
    consumers: Mapping[str, Consumer] = setting(
        factory=dict, doc="Functions that read", names=rf"(?=.{{1,24}}$){names.KEY}", high=40
    )
    network: Network | None = setting(None, doc="The network of the functions, if they need one")
    ingest: Ingest | None = setting(None, doc="The ingest API, if there is one")
    monitoring: Monitoring = setting(factory=Monitoring, doc="Alarms and the dashboard")
    accept: Mapping[str, str] = setting(
        factory=dict, doc="Findings of lint that are meant so, each with its reason: 'KS008' or 'KS008:orders'"
    )
    environment: str | None = None

    def complaints(self) -> Iterator[Complaint]:
        if not self.streams and not self.consumers:
            yield "streams", "is missing: a pipeline has at least a stream or a consumer"
        for kind in ("streams", "buckets", "tables", "consumers"):
            yield from _alike(kind, getattr(self, kind))
        for name, consumer in self.consumers.items():
            for below, message in self._consumer_complaints(consumer):
                yield f"consumers.{name}.{below}", message
        yield from self._ingest_complaints()
        yield from self._name_complaints()

    def _consumer_complaints(self, consumer: Consumer) -> Iterator[Complaint]:
        yield from self._unknown("stream", self.streams, consumer.stream)
        kind, _, where = consumer.dead_letters.partition(":")
        if kind == "bucket":
            yield from self._unknown("dead_letters", self.buckets, where.partition("/")[0])
        if kind == "stream":
            yield from self._unknown("dead_letters", self.streams, where)
            if where == consumer.stream:
                yield "dead_letters", "is the stream that it reads: each dead letter would be read again, for ever"
        for number, use in enumerate(consumer.uses):
            yield from self._unknown(f"uses[{number}].bucket", self.buckets, use.bucket)
            yield from self._unknown(f"uses[{number}].table", self.tables, use.table)
            yield from self._unknown(f"uses[{number}].stream", self.streams, use.stream)
        if self.network is None and (consumer.vpc or consumer.reaches):
            yield "vpc" if consumer.vpc else "reaches", "needs a [network]"
        elif consumer.reaches and consumer.vpc is False:
            yield "reaches", "needs vpc = true"

    def _unknown(self, at: str, tables: Mapping[str, object], name: str | None) -> Iterator[Complaint]:
        if name is not None and name not in tables:
            known = f"this file has {', '.join(tables)}" if tables else "this file has none"
            yield at, f"is {name!r}, which this file does not define{nearest(name, tables) or ';'} {known}"

    def _ingest_complaints(self) -> Iterator[Complaint]:
        if self.ingest is None:
            return
        for name in self.ingest.streams:
            yield from self._unknown(f"ingest.streams.{name}", self.streams, name)
        if self.ingest.private and self.network is None:
            yield "ingest.private", "needs a [network], from which it can be called"

    def _name_complaints(self) -> Iterator[Complaint]:
        counted = Counter(self.stream_name(key) for key in self.streams)
        for name in (name for name, count in counted.items() if count > 1):
            yield "streams", f"two streams are called {name!r}"
        for key, bucket in self.buckets.items():
            if bucket.physical_name is None and len(self.prefix) + len(key) > _BUCKET_ROOM:
                yield (
                    f"buckets.{key}",
                    f"with {self.prefix!r} this makes a name above S3's 63 characters: shorten it, or give physical_name",
                )

    @property
    def prefix(self) -> str:
        """How the names of stacks and resources begin."""
        return f"{self.name}-{self.environment}" if self.environment else self.name

    def stream_name(self, key: str) -> str:
        """What producers call a stream of this file."""
        return self.streams[key].physical_name or (f"{key}-{self.environment}" if self.environment else key)

    def in_vpc(self, consumer: Consumer) -> bool:
        return self.network is not None and consumer.vpc is not False

    def retention_hours(self, consumer: Consumer) -> int | None:
        """How long the source keeps records; None where this file cannot know. DynamoDB streams: 24 hours."""
        if consumer.stream:
            return self.streams[consumer.stream].retention_hours
        return 24 if consumer.table_stream_arn else None


def _alike(kind: str, tables: Mapping[str, object]) -> Iterator[Complaint]:
    """Names become logical ids, which have no hyphens."""
    seen: dict[str, str] = {}
    for name in tables:
        plain = "".join(part[:1].upper() + part[1:] for part in name.split("-"))
        if plain in seen:
            yield f"{kind}.{name}", f"and {seen[plain]!r} differ in hyphens alone: rename one"
        seen[plain] = name
