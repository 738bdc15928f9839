"""The real components that integration tests run against: one of each for a test process, started on first use."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import boto3
import pytest

from kstream.local.emulator import Emulator
from tests.support.kinesis_local import KinesisLocal
from tests.support.localstack import shared_localstack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from tests.support.localstack.clients import Clients


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The embedded Kinesis (with DynamoDB, SQS, SNS and S3), running, without state of former runs."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def kinesis_local() -> Iterator[str]:
    """The endpoint URL of a Kinesis that reshards as the real one does: for tests of parent and child shards."""
    with KinesisLocal() as server:
        yield server.endpoint_url


@pytest.fixture(scope="session")
def localstack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint URL of a LocalStack, one for all processes of the run: names of what a test makes must be its own.

    It is empty at the start, unless it is the one of --localstack-endpoint.
    """
    given: str | None = request.config.getoption("--localstack-endpoint")
    if given:
        yield given.rstrip("/")
        return
    with shared_localstack(_directory_of_the_run(request.config, tmp_path_factory) / "localstack") as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="session")
def localstack_session(localstack: str) -> Clients:
    """Makes boto3 clients for ``localstack``."""
    from localstack_client.session import Session  # type: ignore[import-untyped]

    session: Clients = Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        aws_session_token=None,
        region_name="us-east-1",
        localstack_host=localstack.removeprefix("http://"),
    )
    return session


def _directory_of_the_run(config: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the workers of a run with xdist have in common, and other runs have not."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(config, "workerinput") else base


@pytest.fixture
def stream_name(request: pytest.FixtureRequest) -> str:
    """A name for a stream that no other test uses. The test creates the stream itself, as it needs it."""
    test = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return f"{test[:80]}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def kinesis(emulator: Emulator) -> KinesisClient:
    """A client of the embedded Kinesis."""
    client: KinesisClient = boto3.client("kinesis", endpoint_url=emulator.endpoint_url)
    return client


@pytest.fixture
def stream(kinesis: KinesisClient, stream_name: str) -> Iterator[str]:
    """The name of a new stream of two shards on the embedded Kinesis."""
    kinesis.create_stream(StreamName=stream_name, ShardCount=2)
    yield stream_name
    kinesis.delete_stream(StreamName=stream_name)
