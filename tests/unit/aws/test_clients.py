"""Clients need nothing exported for an emulator on this machine, and never make credentials up for anything else."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kstream.aws import clients
from kstream.aws.clients import client, is_loopback
from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_PROFILE")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    clients._session.cache_clear()
    yield
    clients._session.cache_clear()


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("https://localhost:4566", True),
        ("http://localstack.localhost:1", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("https://kinesis.us-east-1.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_is_loopback(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_an_emulator_on_this_machine_needs_no_credentials() -> None:
    made = client("kinesis", endpoint_url="http://127.0.0.1:4566")
    assert made.meta.region_name == "us-east-1"
    assert made._request_signer._credentials.access_key == "test"


def test_credentials_and_region_of_the_environment_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111122223333")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    made = client("kinesis", endpoint_url="http://127.0.0.1:4566")
    assert made._request_signer._credentials.access_key == "111122223333"
    assert made.meta.region_name == "eu-west-1"
    assert client("kinesis", endpoint_url="http://127.0.0.1:4566", region="eu-west-3").meta.region_name == "eu-west-3"


@pytest.mark.parametrize("endpoint", [None, "http://10.1.2.3:4566", "https://emulator.example.com"])
def test_elsewhere_no_credentials_is_an_error(endpoint: str | None) -> None:
    with pytest.raises(ConfigurationError, match="no AWS credentials for kinesis: set AWS_PROFILE"):
        client("kinesis", endpoint_url=endpoint, region="us-east-1")


def test_no_region_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with pytest.raises(ConfigurationError, match="no AWS region for kinesis: set AWS_DEFAULT_REGION"):
        client("kinesis")


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match="nobody"):
        client("kinesis", region="us-east-1")


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4566", "", "http://"])
def test_what_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError):
        client("kinesis", endpoint_url=endpoint)


def test_without_boto3_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['boto3'] = None\n"
        "from kstream.aws.clients import client\n"
        "from kstream.core.errors import ConfigurationError\n"
        "try: client('kinesis', endpoint_url='http://127.0.0.1:1')\n"
        "except ConfigurationError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "pip install 'kstream[aws]'" in told


def test_importing_the_modules_imports_no_boto3() -> None:
    script = (
        "import sys, kstream.aws.clients, kstream.aws.shards, kstream.runtimes.local, kstream.stores.checkpoints\n"
        "print(sorted({'boto3', 'botocore', 'asyncio', 'tenacity'} & set(sys.modules)))\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


def test_timestamps_are_the_ones_that_botocore_would_give() -> None:
    """Only cheaper to build."""
    clients._session()
    made = client("kinesis", endpoint_url="http://127.0.0.1:4566")
    parse = made._endpoint._response_parser_factory.create_parser("json")._timestamp_parser
    expected = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert parse(1767323045.678) == expected
    assert parse("2026-01-02T03:04:05.678Z") == expected
