"""The whole configuration, and what its tables must have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from deploy.config import names, physical_names, regions
from deploy.config.consumers import Consumer
from deploy.config.fields import Complaint, Shape, Table, setting
from deploy.config.ingest import Ingest
from deploy.config.monitoring import Monitoring
from deploy.config.network import Network
from deploy.config.problems import nearest
from deploy.config.services import unknown_service
from deploy.config.streams import Bucket, DataTable, Stream

_TAG = Shape(
    r"(?![aA][wW][sS]:|kstream[:-])[\w .:/=+@-]{1,128}",
    "1 to 128 letters, digits, blanks and _.:/=+@-, no aws: or kstream first",
)
_READERS = {"provisioned": 20, "on-demand": 50}
"""Registered readers of a stream at most (Kinesis API Reference, RegisterStreamConsumer). On-demand takes more than 20 only
where the account has the Advantage mode."""
_TAG_VALUE = Shape(r"[\w .:/=+@-]{1,256}", "1 to 256 letters, digits, blanks and _.:/=+@-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Table):
    """``pipeline.toml``, read for one environment. ``environment`` is the name after ``--env``."""

    name: str = setting(doc="The beginning of every name", pattern=names.KEY.up_to(20), example="orders")
    region: str | None = setting(None, doc="The region that it belongs to", pattern=names.REGION, example="eu-west-1")
    account: str | None = setting(
        None, doc="The account that it belongs to", pattern=names.ACCOUNT, example="123456789012"
    )
    artifact_bucket: str | None = setting(None, doc="An existing bucket for function packages", pattern=names.BUCKET)
    lock: str = setting("requirements/function.lock", doc="The locked dependencies of the functions")
    tracing_lock: str | None = setting(
        None,
        doc="What functions that trace need besides, X-Ray's SDK; by default beside lock, with -xray in its name",
    )
    tags: Mapping[str, str] = setting(factory=dict, doc="Tags of everything", high=40, names=_TAG, pattern=_TAG_VALUE)
    streams: Mapping[str, Stream] = setting(factory=dict, doc="Kinesis streams", names=names.KEYS, high=20)
    buckets: Mapping[str, Bucket] = setting(factory=dict, doc="S3 buckets", names=names.KEYS, high=20)
    tables: Mapping[str, DataTable] = setting(factory=dict, doc="DynamoDB tables", names=names.KEYS, high=20)
    consumers: Mapping[str, Consumer] = setting(
        factory=dict, doc="Functions that read", names=names.KEY.up_to(24), high=40
    )
    network: Network | None = setting(None, doc="The network of the functions, if they need one")
    ingest: Ingest | None = setting(None, doc="The ingest API, if there is one")
    monitoring: Monitoring = setting(factory=Monitoring, doc="Alarms and the dashboard")
    accept: Mapping[str, str] = setting(
        factory=dict,
        doc="Findings of lint that are meant so, each with its reason: 'KS008' or 'KS008:orders'",
        pattern=Shape(r"[\s\S]*\S[\s\S]*", "the reason, in words"),
    )
    environment: str | None = None
    others: tuple[Pipeline, ...] = dataclasses.field(default=(), repr=False, compare=False)
    """The other environments of the file; the file without one is among them."""

    def complaints(self) -> Iterator[Complaint]:
        if not self.streams and not self.consumers:
            yield "streams", "is missing: a pipeline has at least a stream or a consumer"
        for name, consumer in self.consumers.items():
            for below, message in self._consumer_complaints(consumer):
                yield f"consumers.{name}.{below}", message
        yield from self._ingest_complaints()
        yield from self._reader_complaints()
        yield from physical_names.complaints(self)
        yield from regions.complaints(self)

    def idle(self) -> Iterator[Complaint]:
        within = [consumer for consumer in self.consumers.values() if self.in_vpc(consumer)]
        if self.network and self.network.xray_endpoint and not any(consumer.tracing for consumer in within):
            yield "network.xray_endpoint", "no consumer in the network traces"

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
            for service in use.services if self.in_vpc(consumer) else ():
                if why := unknown_service(service):
                    yield f"uses[{number}].actions", why
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
        if not self.ingest.private or self.ingest.vpc_endpoint_id:
            return
        if self.network is None:
            yield "ingest.private", "needs a [network], from which it can be called, or a vpc_endpoint_id"
        elif "execute-api" in self.network.existing_endpoints:
            yield (
                "ingest.vpc_endpoint_id",
                "is missing: the VPC has its endpoint of execute-api already (existing_endpoints): name it",
            )

    def _reader_complaints(self) -> Iterator[Complaint]:
        for key, stream in self.streams.items():
            number, most = len(self.readers(key)), _READERS[stream.mode]
            if number > most:
                has = f"with the consumers that read with fan_out = true the stream has {number} registered readers"
                yield f"streams.{key}.fan_out", f"{has}, and Kinesis takes {most} of a stream that is {stream.mode}"

    @property
    def prefix(self) -> str:
        """How the names of stacks and resources begin."""
        return f"{self.name}-{self.environment}" if self.environment else self.name

    def stream_name(self, key: str) -> str:
        """What producers call a stream of this file."""
        return self.streams[key].physical_name or (f"{key}-{self.environment}" if self.environment else key)

    def readers(self, key: str) -> list[str]:
        """Who is registered with a stream of this file: those it names itself, and the consumers with enhanced fan-out."""
        own = [name for name, consumer in self.consumers.items() if consumer.stream == key and consumer.fan_out]
        return [*self.streams[key].fan_out, *own]

    @property
    def locks_of_tracing(self) -> str:
        """``tracing_lock``, or where it is by default: ``x/function-xray.lock`` beside ``x/function.lock``."""
        beside = PurePath(self.lock)
        return self.tracing_lock or beside.with_name(f"{beside.stem}-xray{beside.suffix}").as_posix()

    def in_vpc(self, consumer: Consumer) -> bool:
        return self.network is not None and consumer.vpc is not False

    def retention_hours(self, consumer: Consumer) -> int | None:
        """How long the source keeps records; None where this file cannot know. DynamoDB streams: 24 hours."""
        if consumer.stream:
            return self.streams[consumer.stream].retention_hours
        return 24 if consumer.table_stream_arn else None
