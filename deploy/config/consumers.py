"""Consumers: their functions, what feeds them, and what their code may reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from deploy.config import filters, names
from deploy.config.fields import Complaint, Shape, Table, setting
from deploy.config.mapping import Delivery

RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
RESERVED_VARIABLES = {
    "KSTREAM_LEDGER": "is set by deploy; say it with ledger",
    "KSTREAM_DEAD_LETTERS": "is set by deploy; say it with dead_letters",
    "KSTREAM_METRICS": "is set by deploy; say it with metrics",
    "KSTREAM_TRACING": "is set by deploy; say it with tracing",
    "KSTREAM_SERVICE": "is set by deploy: the pipeline's name, by which its alarms find the metrics",
    "KSTREAM_CONSUMER": "is set by deploy: the consumer's name in this file, by which its alarms find the metrics",
    "KSTREAM_NAMESPACE": "would hide the metrics from the alarms, which look into kstream's own namespace",
}
"""What is not for ``environment``, and why."""


class SourceKind(StrEnum):
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    SQS = "sqs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Table):
    """Something that the consumer's code calls, beyond what kstream calls for it."""

    actions: tuple[str, ...] = setting(
        doc="IAM actions by name", pattern=names.ACTION, low=1, example='["s3:PutObject"]'
    )
    bucket: str | None = setting(None, doc="A bucket of this file, by its name", pattern=names.KEY)
    prefix: str = setting("", doc="Only keys of the bucket that begin so", pattern=names.PREFIX)
    table: str | None = setting(None, doc="A table of this file, by its name", pattern=names.KEY)
    stream: str | None = setting(None, doc="A stream of this file, by its name", pattern=names.KEY)
    arns: tuple[str, ...] = setting((), doc="ARNs without wildcards, but for a last /*", pattern=names.ARN)
    variable: str | None = setting(
        None, doc="Tell the code the name of the bucket, table or stream in this variable", pattern=names.VARIABLE
    )

    def complaints(self) -> Iterator[Complaint]:
        if sum(map(bool, (self.bucket, self.table, self.stream, self.arns))) != 1:
            yield "", "names exactly one of bucket, table, stream and arns"
        if self.variable and self.arns:
            yield "variable", "goes with bucket, table or stream; give an ARN's resource in environment"
        if self.prefix and not self.bucket:
            yield "prefix", "goes with bucket"
        services = self.services
        if len(services) > 1:
            told = " and ".join(sorted(services))
            yield (
                "actions",
                f"has actions of {told}, and each would be allowed on every ARN: divide it, one service each",
            )
            return
        for kind, service in (("bucket", "s3"), ("table", "dynamodb"), ("stream", "kinesis")):
            if getattr(self, kind) and services != {service}:
                yield "actions", f"has actions of {', '.join(sorted(services))}; a {kind} takes {service}:..."

    @property
    def services(self) -> frozenset[str]:
        """By IAM's name. One, in a valid configuration."""
        return frozenset(action.partition(":")[0] for action in self.actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach(Table):
    """Something in the network that the consumer's code connects to: a database, a proxy."""

    security_group: str = setting(
        doc="Its security group", pattern=names.SECURITY_GROUP, example="sg-0123456789abcdef0"
    )
    port: int = setting(doc="Its TCP port", low=1, high=65535)
    why: str = setting(
        doc="What is there",
        pattern=Shape(
            r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,200}",
            "1 to 200 of what EC2 takes, letters, digits, blanks and ._-:/()#,@[]+=&;{}!$*",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer(Table):
    """A Lambda function and its event source mapping."""

    handler: str = setting(
        doc="The module and the function in it",
        pattern=names.HANDLER,
        example="consumers.archive.consumer.lambda_handler",
    )
    stream: str | None = setting(None, doc="The stream of this file that it reads", pattern=names.KEY)
    stream_arn: str | None = setting(None, doc="A stream elsewhere that it reads", pattern=names.STREAM_ARN)
    table_stream_arn: str | None = setting(None, doc="A DynamoDB stream that it reads", pattern=names.TABLE_STREAM_ARN)
    queue_arn: str | None = setting(None, doc="An SQS queue that it reads", pattern=names.QUEUE_ARN)
    fan_out: bool = setting(False, doc="Read with enhanced fan-out: 2 MB/s a shard of its own, at a price")
    description: str = setting("", doc="What it does", pattern=Shape(r".{0,256}", "up to 256 characters"))
    include: tuple[str, ...] = setting(
        (), doc="Files and folders of its code; by default the package or module that the handler stands in"
    )
    lock: str | None = setting(None, doc="Its locked dependencies, if not the pipeline's")
    runtime: str = setting("python3.13", doc="Lambda's Python", choices=RUNTIMES)
    architecture: str = setting("arm64", doc="The processor", choices=("arm64", "x86_64"))
    memory_mb: int = setting(256, doc="Memory, and with it processor time", low=128, high=10_240)
    timeout_seconds: int = setting(60, doc="The longest that a batch may take", low=1, high=900)
    reserved_concurrency: int | None = setting(None, doc="Invocations at a time, kept and at most", low=1, high=10_000)
    dependencies: str = setting(
        "zip",
        doc="Where kstream and the locked dependencies go: into the function's zip, or into a layer beside it",
        choices=("zip", "layer"),
    )
    environment: Mapping[str, str] = setting(
        factory=dict, doc="Environment variables; never secrets", names=names.VARIABLE, high=100
    )
    log_retention_days: int = setting(30, doc="How long log lines stay", choices=names.LOG_DAYS)
    tracing: bool = setting(True, doc="X-Ray's active tracing, and kstream's own spans in it")
    metrics: bool = setting(True, doc="kstream's own metrics: custom ones of CloudWatch, which are billed each")
    ledger: str = setting("dynamodb", doc="Where it remembers what is done", choices=("dynamodb", "none"))
    ledger_ttl_hours: int = setting(
        192, doc="The ttl= of its ledger; 192 is kstream's own, and what KSTREAM_LEDGER gives", low=1, high=24 * 400
    )
    dead_letters: str = setting(
        "queue",
        doc="Where poison records go: 'queue', 'none', 'bucket:NAME', 'bucket:NAME/PREFIX' or 'stream:NAME' of this file",
        pattern=Shape(
            rf"queue|none|bucket:{names.KEY_PATTERN}(/{names.PREFIX_PATTERN})?|stream:{names.KEY_PATTERN}",
            f"one of these, with names as this file has them, and a prefix of {names.PREFIX.words}",
        ),
    )
    vpc: bool | None = setting(None, doc="In the network of this file; by default if there is one")
    reaches: tuple[Reach, ...] = setting((), doc="What it connects to in the network", high=50)
    uses: tuple[Use, ...] = setting((), doc="What its own code calls in AWS", high=50)
    mapping: Delivery = setting(factory=Delivery, doc="How records are delivered to it")

    def complaints(self) -> Iterator[Complaint]:
        given = [name for name in ("stream", "stream_arn", "table_stream_arn", "queue_arn") if getattr(self, name)]
        if len(given) != 1:
            has = f"has {' and '.join(given)}" if given else "has no source"
            yield "", f"{has}; give exactly one of stream, stream_arn, table_stream_arn and queue_arn"
            return
        for variable, why in RESERVED_VARIABLES.items():
            if variable in self.environment:
                yield f"environment.{variable}", why
        yield from self._variable_complaints()
        reached = [(reach.security_group, reach.port) for reach in self.reaches]
        for number, reach in enumerate(reached):
            if reach in reached[:number]:
                yield f"reaches[{number}]", f"is {reach[0]}, port {reach[1]}, which stands there already: each once"
        if self.fan_out and self.kind is not SourceKind.KINESIS:
            yield "fan_out", "is for Kinesis streams"
        yield from self._delivery_complaints()

    def _variable_complaints(self) -> Iterator[Complaint]:
        told = {f"uses[{number}].variable": use.variable for number, use in enumerate(self.uses) if use.variable}
        given = {**{f"environment.{name}": name for name in self.environment}, **told}
        seen = set(RESERVED_VARIABLES)
        for path, name in given.items():
            if name.startswith("AWS_") or name in ("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"):
                yield path, f"sets {name}, a variable that Lambda keeps for itself (AWS_..., LAMBDA_...)"
            elif path in told and name in seen:
                yield path, f"is {name}: two settings give the same environment variable"
            seen.add(name)

    def idle(self) -> Iterator[Complaint]:
        if self.ledger == "none":
            yield "ledger_ttl_hours", "ledger is 'none'"

    def _delivery_complaints(self) -> Iterator[Complaint]:
        mapping = self.mapping
        for number, pattern in enumerate(mapping.filters):
            for at, why in filters.unknown_fields(pattern, self.kind):
                yield f"mapping.filters[{number}].{at}", why
        if self.kind is not SourceKind.SQS and mapping.maximum_concurrency is not None:
            yield "mapping.maximum_concurrency", "is for queues; a stream has parallelization_factor"
        if self.kind is SourceKind.DYNAMODB and mapping.starting_position not in ("TRIM_HORIZON", "LATEST"):
            yield "mapping.starting_position", "cannot be a time: DynamoDB streams know TRIM_HORIZON and LATEST"
        if self.kind is SourceKind.SQS:
            yield from self._queue_complaints()

    def _queue_complaints(self) -> Iterator[Complaint]:
        mapping, plain = self.mapping, Delivery()
        for name in (
            "parallelization_factor", "starting_position", "maximum_retry_attempts", "maximum_record_age",
            "bisect_on_error", "tumbling_window", "on_failure",
        ):  # fmt: skip
            if getattr(mapping, name) != getattr(plain, name):
                yield f"mapping.{name}", "is for streams; a queue has its own redrive policy and visibility timeout"
        size = mapping.batch_size or 10
        if size > 10 and str(self.queue_arn).endswith(".fifo"):
            yield "mapping.batch_size", f"is {size}; a FIFO queue allows 1 to 10"
        elif size > 10 and mapping.batching_window < 1:
            yield "mapping.batching_window", "is 0; batches of more than 10 from a queue need at least 1 second"
        if mapping.batching_window and str(self.queue_arn).endswith(".fifo"):
            yield "mapping.batching_window", "is not for FIFO queues"

    @property
    def kind(self) -> SourceKind:
        if self.queue_arn:
            return SourceKind.SQS
        return SourceKind.DYNAMODB if self.table_stream_arn else SourceKind.KINESIS

    @property
    def has_on_failure_queue(self) -> bool:
        """Whether it gets a queue for what AWS gives up. A source that is a queue has a redrive policy instead."""
        return self.kind is not SourceKind.SQS and self.mapping.on_failure == "queue"
