"""LocalStack without Docker as processes: on loopback alone, one for all that share it, and none left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from tests.support.localstack import LocalStack, shared_localstack
from tests.support.localstack.functions import zipped
from tests.support.processes import exists, family_of, listeners, udp_addresses, within_a_minute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kinesis import KinesisClient

ROOT = Path(__file__).parents[2]


def make_function(functions: Any, name: str, source: str, **settings: object) -> None:
    functions.create_function(
        FunctionName=name,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.handler",
        Code={"ZipFile": zipped(source)},
        Timeout=900,
        **settings,
    )
    assert within_a_minute(lambda: functions.get_function(FunctionName=name)["Configuration"]["State"] == "Active")


def keep_busy(endpoint_url: str) -> None:
    """Make it start all that it can: a Kinesis, and a function that is in the middle of an endless invocation."""
    kinesis: KinesisClient = boto3.client("kinesis", endpoint_url=endpoint_url)
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    functions = boto3.client("lambda", endpoint_url=endpoint_url)
    make_function(functions, "endless", ENDLESS)
    functions.invoke(FunctionName="endless", InvocationType="Event")


def busy_family(pid: int) -> set[int]:
    """LocalStack, its Kinesis, the function's process, and the process that this has started."""
    found: set[int] = set()

    def whole() -> bool:
        nonlocal found
        found = family_of(pid)
        return len(found) == 4

    assert within_a_minute(whole), found
    return found


ENDLESS = """
import subprocess, sys

def handler(event, context):
    subprocess.run([sys.executable, "-c", "while True: pass"])
"""


def test_a_function_finds_lambdas_packages_and_its_layers_and_nothing_of_ours() -> None:
    """So a package that was forgotten in a zip is missed, as it would be in AWS."""
    with LocalStack() as localstack:
        functions = boto3.client("lambda", endpoint_url=localstack.endpoint_url)
        layer = functions.publish_layer_version(
            LayerName="shared", Content={"ZipFile": zipped("WORD = 'from the layer'", "python/shared.py")}
        )["LayerVersionArn"]
        make_function(functions, "layered", LAYERED, Layers=[layer])

        answer = json.loads(functions.invoke(FunctionName="layered")["Payload"].read())

    assert answer == ["from the layer", ["boto3", "shared"]]


LAYERED = """
import importlib.util

from shared import WORD

def handler(event, context):
    names = ["boto3", "shared", "kstream", "tenacity", "moto", "localstack", "pydantic", "pip"]
    return [WORD, [name for name in names if importlib.util.find_spec(name)]]
"""


@pytest.fixture
def starter() -> Iterator[subprocess.Popen[str]]:
    """Another process that has started a LocalStack, whose process id and endpoint it has said."""
    with subprocess.Popen([sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


STARTER = """
import time
from tests.support.localstack import LocalStack

localstack = LocalStack().start()
print(localstack.pid, localstack.endpoint_url, flush=True)
time.sleep(600)
"""


def test_it_and_all_that_it_starts_listen_on_loopback_and_end_with_it() -> None:
    with LocalStack() as localstack:
        keep_busy(localstack.endpoint_url)
        family = busy_family(localstack.pid)

        assert {address for pid in family for address, _ in listeners(pid)} == {"127.0.0.1"}
        assert {address for pid in family for address in udp_addresses(pid)} == set()

    assert within_a_minute(lambda: not any(map(exists, family)))


def test_nothing_is_left_when_its_starter_is_killed(starter: subprocess.Popen[str]) -> None:
    assert starter.stdout is not None
    pid, endpoint_url = starter.stdout.readline().split()
    keep_busy(endpoint_url)
    family = busy_family(int(pid)) | family_of(starter.pid)
    directory = Path(f"/proc/{pid}/cwd").readlink()

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    assert within_a_minute(lambda: not any(map(exists, family)))
    assert within_a_minute(lambda: not directory.exists())


def test_what_it_started_ends_when_it_is_killed_itself() -> None:
    with LocalStack() as localstack:
        keep_busy(localstack.endpoint_url)
        family = busy_family(localstack.pid)

        localstack._process.kill()  # type: ignore[union-attr]

        assert within_a_minute(lambda: not any(map(exists, family)))


def test_a_port_that_is_taken_is_an_error() -> None:
    with LocalStack() as localstack, pytest.raises(RuntimeError, match="did not start"):
        LocalStack(int(localstack.endpoint_url.rpartition(":")[2])).start()


def test_processes_share_one_until_the_last_has_ended_however_it_ended(tmp_path: Path) -> None:
    user = [sys.executable, "-c", USER, str(tmp_path)]
    with (
        subprocess.Popen(user, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen(user, cwd=ROOT, stdout=subprocess.PIPE, text=True) as second,
    ):
        assert first.stdout is not None
        assert second.stdout is not None
        endpoint_url = first.stdout.readline().strip()
        assert second.stdout.readline().strip() == endpoint_url
        with shared_localstack(tmp_path) as ours:
            assert ours == endpoint_url
            for process in (first, second):  # one of which started it
                process.kill()
                process.wait()
            assert answers(ours)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{endpoint_url}/_localstack/health", timeout=60, trust_env=False)

    killed = subprocess.Popen(user, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    again = killed.stdout.readline().strip()
    killed.kill()
    killed.wait()
    killed.stdout.close()

    assert within_a_minute(lambda: not answers(again))


def answers(endpoint_url: str) -> bool:
    try:
        return httpx.get(f"{endpoint_url}/_localstack/health", timeout=60, trust_env=False).is_success
    except httpx.TransportError:
        return False


USER = """
import sys, time
from pathlib import Path
from tests.support.localstack import shared_localstack

with shared_localstack(Path(sys.argv[1])) as endpoint_url:
    print(endpoint_url, flush=True)
    time.sleep(600)
"""
