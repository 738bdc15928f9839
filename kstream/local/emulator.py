"""The embedded Kinesis: MiniStack, a process of ours on 127.0.0.1 that speaks Kinesis, DynamoDB, SQS, SNS and S3.

Why this emulator, and what it cannot do: docs/decisions/0001-embedded-kinesis.md. Two things to know when using it:
records never expire, and it loses the parent shard when a stream is resharded.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kstream.core.errors import ConfigurationError, EmulatorError
from kstream.local.emulator_environment import EMULATOR_VERSION, install, interpreter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

__all__ = ["EMULATOR_VERSION", "Emulator", "install"]

_CHILD = Path(__file__).with_name("emulator_child.py")
_HOST = "127.0.0.1"
_START_WITHIN_S = 60.0
# Saving half a million records takes seconds; a slow disk may take many.
_STOP_WITHIN_S = 75.0
_LOCK_WITHIN_S = 15.0
_SERVICES = "kinesis,dynamodb,dynamodbstreams,sqs,sns,s3,sts,iam,kms,secretsmanager,monitoring,logs"
# How MiniStack and its server log that state was or will be lost, after which they carry on as if nothing were.
_LOST_STATE = (
    "Persistence: failed",
    "Persistence: error",
    "Failed to restore persisted state",
    "refusing to load",
    "without Lifespan support",
)


class Emulator:
    """One emulator process: start it, use ``endpoint_url``, stop it. Also a context manager that does both.

    ``port`` is a TCP port of 127.0.0.1, or 0 for a free one. With ``state_dir``, everything in it is saved there by
    ``stop`` and found again by the next ``start`` with the same directory; without, it is gone. It is saved only at
    the end: if the emulator itself is killed, what came in since the start is lost. ``account_id`` (12 digits) and
    ``region`` are what its resource names carry for credentials that do not say otherwise: an access key id of 12
    digits is taken as an account of its own, and a client's region is the region.

    The process ends with ours, however ours ends. It reads nothing of our environment, and listens on its port alone.

    Not thread-safe: start and stop it from one thread. Many clients may use it at once.
    """

    def __init__(
        self,
        port: int = 0,
        state_dir: Path | None = None,
        *,
        region: str = "us-east-1",
        account_id: str = "000000000000",
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``progress`` gets a line when the emulator has to be installed first, which takes a while."""
        if not 0 <= port <= 65535:
            raise ConfigurationError(f"port {port} is not a TCP port: give one from 1 to 65535, or 0 for a free one")
        self.region = region
        self.account_id = account_id
        self._wanted_port = port
        self._state_dir = state_dir
        self._progress = progress
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path()

    @property
    def endpoint_url(self) -> str:
        """What to give an AWS client as its endpoint. Known once started."""
        if not self._port:
            raise EmulatorError("The embedded Kinesis has not been started: call start() first")
        return f"http://{_HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The id of its process; None when there is none."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether its process is there. It may have ended by itself; ``stop`` cleans up then too."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it, and return when it answers. Installs it first if it has to.

        Raises ``ConfigurationError`` if the port is taken or the state directory is another's, and ``EmulatorError``
        if it cannot be installed, ends, stays silent, or cannot read its state (which is then left as it is).
        """
        if self._process:
            raise EmulatorError("The embedded Kinesis has already been started: stop() it first")
        python = interpreter(install(self._progress))
        # Several tries for a free port only: another process may take it between our looking and its listening.
        for last in (False, False, True) if self._wanted_port == 0 else (True,):
            self._port = _usable_port(self._wanted_port)
            identity = f"{EMULATOR_VERSION}+{secrets.token_hex(8)}"
            self._spawn(python, identity)
            try:
                self._wait_until_ready(identity)
            except EmulatorError as error:
                self._end(save=False)
                if last or "already in use" not in str(error).lower():
                    raise
            except BaseException:
                self._end(save=False)
                raise
            else:
                break
        return self

    def stop(self) -> None:
        """End it and wait until it has ended, its state saved. Does nothing if it is not there.

        Raises ``EmulatorError`` if there was state to save and it was not.
        """
        self._end(save=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, python: Path, identity: str) -> None:
        lock = _lock(self._state_dir) if self._state_dir else None
        self._directory = Path(tempfile.mkdtemp(prefix="kstream-emulator-"))
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and file
                    [str(python), "-P", str(_CHILD), str(os.getpid())],
                    stdin=subprocess.PIPE,  # closes when we are gone: see emulator_child
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                    env=self._environment(identity),
                    pass_fds=(lock.fileno(),) if lock else (),
                    start_new_session=True,  # a Ctrl-C in the terminal is ours to handle
                )
        finally:
            if lock:
                lock.close()  # the emulator holds it now, until it has saved

    def _environment(self, identity: str) -> dict[str, str]:
        environment = {
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),  # it writes a file with its process id there
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": "WARNING",
            "BIND_HOST": _HOST,
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_HOST": _HOST,
            "MINISTACK_REGION": self.region,
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "MINISTACK_VERSION": identity,
            "SERVICES": _SERVICES,
            "LAMBDA_EXECUTOR": "local",
            # Two listeners of its own, on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It removes the containers of every other MiniStack when it finds a Docker daemon.
            "DOCKER_HOST": f"unix://{self._directory}/no-docker",
        }
        if self._state_dir:
            state_dir = self._state_dir.resolve()
            environment |= {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(state_dir),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(state_dir / "s3"),
            }
        return environment

    @property
    def _log(self) -> Path:
        return self._directory / "emulator.log"

    def _wait_until_ready(self, identity: str) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_WITHIN_S
        while not _answers(self._port, identity):
            if self._process.poll() is not None:
                code = self._process.returncode
                raise EmulatorError(f"The embedded Kinesis ended with code {code} while starting:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise EmulatorError(f"The embedded Kinesis was silent for {_START_WITHIN_S:.0f} s:\n{self._log_tail()}")
            time.sleep(0.02)
        if self._state_dir and (lost := self._lost_state()):
            raise EmulatorError(
                f"The embedded Kinesis cannot read its state in {self._state_dir} (left as it is; move it away to "
                f"start with none): {lost}"
            )

    def _end(self, *, save: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        ended_by_itself = process.poll() is not None
        saved = _terminate(process) if save else _kill(process)
        lost = self._lost_state()
        tail = self._log_tail()
        shutil.rmtree(self._directory, ignore_errors=True)
        if not (save and self._state_dir):
            return
        if ended_by_itself:
            raise EmulatorError(
                f"The embedded Kinesis had ended by itself with code {process.returncode}; what came in since its "
                f"start may be missing from {self._state_dir}:\n{tail}"
            )
        if lost or not saved:
            reason = lost or f"it took longer than {_STOP_WITHIN_S:.0f} s"
            raise EmulatorError(f"The embedded Kinesis did not save its state in {self._state_dir}: {reason}")

    def _lost_state(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return next((line for line in lines if any(sign in line for sign in _LOST_STATE)), "")

    def _log_tail(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-12:]
        return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"


def _usable_port(wanted: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted))
        except OSError as error:
            raise ConfigurationError(
                f"Port {wanted} of {_HOST} cannot be used ({error.strerror}): end what listens there, give another "
                "port, or 0 for a free one"
            ) from error
        port: int = probe.getsockname()[1]
        return port


def _lock(state_dir: Path) -> TextIO:
    """Take the state directory for one emulator; wait for one that is still saving its state there."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "emulator.lock").open("w")
    except OSError as error:
        raise ConfigurationError(
            f"The embedded Kinesis cannot keep its state in {state_dir}: {error.strerror}"
        ) from error
    deadline = time.monotonic() + _LOCK_WITHIN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise ConfigurationError(
                    f"Another emulator uses the state directory {state_dir}: stop it, or give another directory"
                ) from None
            time.sleep(0.05)
        else:
            return lock


def _answers(port: int, identity: str) -> bool:
    """Whether the emulator that answers there is ours: another one may have taken the port."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/_ministack/health")
        health = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(health, dict) and health.get("version") == identity


def _terminate(process: subprocess.Popen[bytes]) -> bool:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        _kill(process)
        return False
    _close(process)
    return True


def _kill(process: subprocess.Popen[bytes]) -> bool:
    process.kill()
    process.wait()
    _close(process)
    return False


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
