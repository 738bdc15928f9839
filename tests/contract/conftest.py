"""Every implementation of each port, behind one face, so that one suite can judge them all."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
from botocore.config import Config

from kstream.aws.dead_letters import KinesisDeadLetters, S3DeadLetters, SQSDeadLetters
from kstream.aws.ledger import DynamoDBLedger
from kstream.core.dead_letter import DeadLetter
from kstream.core.ports import Scope
from kstream.stores.directory import DirectoryDeadLetters
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.stores.postgres import PostgresLedger
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing.clock import VirtualClock
from tests.support.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from kstream.core.ports import DeadLetterSink, Ledger

TTL = timedelta(days=8)
"""How long the ledgers under test remember."""

integration = pytest.mark.integration


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """DynamoDB, SQS, S3 and Kinesis over HTTP."""
    from kstream.local.emulator import Emulator

    with Emulator() as emulator:
        yield emulator.endpoint_url


@pytest.fixture
def aws(endpoint: str) -> Callable[[str], Any]:
    """A client of the emulator for a service, not kstream's own."""

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))

    return client


@pytest.fixture
def clock() -> VirtualClock:
    """Time that a test moves. It stands far ahead, so that no emulator's own clock ever finds an item expired."""
    return VirtualClock(start=4_000_000_000.0)


class OpenLedger(Protocol):
    def __call__(self) -> Ledger: ...


@pytest.fixture(scope="session")
def table(endpoint: str) -> str:
    name = f"ledger-{uuid.uuid4().hex}"
    DynamoDBLedger(name, endpoint_url=endpoint).create_table()
    return name


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A running PostgreSQL."""
    with postgres() as dsn:
        yield dsn


@pytest.fixture(
    params=["memory", "sqlite", *(pytest.param(name, marks=integration) for name in ("postgres", "dynamodb"))]
)
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> Iterator[OpenLedger]:
    """Opens the store under test: each call is another instance over the same store, if it can have several."""
    with ExitStack() as closing:
        if request.param == "memory":
            only = MemoryLedger(ttl=TTL, clock=clock)
            yield lambda: only
        elif request.param == "sqlite":
            yield lambda: closing.enter_context(
                SQLiteLedger(tmp_path / "ledger.db", ttl=TTL, clock=clock, busy_timeout=60)
            )
        elif request.param == "postgres":
            dsn = request.getfixturevalue("postgres_dsn")
            yield lambda: closing.enter_context(PostgresLedger(dsn, ttl=TTL, clock=clock))
        else:
            name, endpoint = request.getfixturevalue("table"), request.getfixturevalue("endpoint")
            yield lambda: DynamoDBLedger(name, ttl=TTL, clock=clock, endpoint_url=endpoint)


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> Ledger:
    return open_ledger()


def new_scope(consumer: str = "totals", shard: str = "shardId-000000000000") -> Scope:
    """A scope that no other test uses."""
    return Scope(consumer, f"arn:aws:kinesis:us-east-1:000000000000:stream/{uuid.uuid4().hex}", shard)


@pytest.fixture
def scope() -> Scope:
    return new_scope()


class Bench(Protocol):
    """A sink, and what lies in it."""

    sink: DeadLetterSink
    limit: int | None
    """The most bytes of payload that it must take; None if there is no limit worth naming."""
    keeps_one_copy: bool
    """Whether the same letter stored twice is one letter."""

    def stored(self) -> list[DeadLetter]: ...


class _Bench:
    def __init__(
        self,
        sink: DeadLetterSink,
        stored: Callable[[], Iterable[DeadLetter]],
        *,
        limit: int | None = None,
        keeps_one_copy: bool = True,
    ) -> None:
        self.sink = sink
        self.limit = limit
        self.keeps_one_copy = keeps_one_copy
        self._stored = stored

    def stored(self) -> list[DeadLetter]:
        return list(self._stored())


_MEGABYTE = 1 << 20


@pytest.fixture(
    params=[
        "memory",
        "directory",
        *(
            pytest.param(name, marks=integration)
            for name in ("s3", "sqs", "sqs-fifo", "sqs+s3", "kinesis", "kinesis+s3")
        ),
    ]
)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Each sink, alone with what this test stores."""
    if request.param == "memory":
        memory = MemoryDeadLetters()
        return _Bench(memory, lambda: memory.letters)
    if request.param == "directory":
        directory = DirectoryDeadLetters(tmp_path / "parked" / "letters")
        return _Bench(directory, lambda: (stored.letter() for stored in directory.letters()))
    return _aws_bench(request.param, request.getfixturevalue("endpoint"), request.getfixturevalue("aws"))


def _aws_bench(name: str, endpoint: str, aws: Callable[[str], Any]) -> Bench:
    unique = f"letters-{uuid.uuid4().hex}"
    medium, _, overflows = name.partition("+")
    overflow = None
    if medium == "s3" or overflows:
        aws("s3").create_bucket(Bucket=unique)
        overflow = S3DeadLetters(unique, endpoint_url=endpoint)
    if medium == "s3":
        assert overflow is not None
        bucket = overflow
        return _Bench(bucket, lambda: (stored.letter() for stored in bucket.letters()))
    limit = None if overflow else _MEGABYTE
    if medium == "kinesis":
        aws("kinesis").create_stream(StreamName=unique, ShardCount=1)
        stream = KinesisDeadLetters(unique, overflow, endpoint_url=endpoint)
        return _Bench(stream, lambda: _in_stream(aws("kinesis"), unique, overflow), limit=limit, keeps_one_copy=False)
    fifo = {"FifoQueue": "true"} if medium == "sqs-fifo" else {}
    url = aws("sqs").create_queue(QueueName=unique + (".fifo" if fifo else ""), Attributes=fifo)["QueueUrl"]
    queue = SQSDeadLetters(url, overflow, endpoint_url=endpoint)
    return _Bench(
        queue, lambda: [stored.letter() for stored in queue.letters(wait=0)], limit=limit, keeps_one_copy=False
    )


def _in_stream(client: Any, stream: str, overflow: S3DeadLetters | None) -> Iterator[DeadLetter]:
    from kstream.aws.claim_check import read_claim_check

    (shard,) = client.list_shards(StreamName=stream)["Shards"]
    at = client.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    for record in client.get_records(ShardIterator=at["ShardIterator"])["Records"]:
        body = record["Data"].decode()
        check = read_claim_check(body)
        if check is not None:
            assert overflow is not None
            body = overflow.text(check.key)
        yield DeadLetter.from_json(body)
