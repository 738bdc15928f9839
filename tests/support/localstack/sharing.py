"""One LocalStack for all processes of a test run: the first that needs it starts it, the last one ends it.

It belongs to a keeper, a process of its own, because whoever came first may leave first. All they share is a directory:

- ``users`` is locked by each process that uses LocalStack. The keeper ends when nobody holds it. The system gives the
  locks back however a process ends, so nothing has to be counted and nothing stays behind.
- ``turn`` is held while one comes or goes.
- ``keeper.json`` says where LocalStack answers. The keeper writes it when it is ready.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.support.localstack.server import LocalStack
from tests.support.processes import exists

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[3]
_END_WITHIN_S = 60.0
# Kept, because a process object that is dropped while its process runs warns of it.
_STARTED: list[subprocess.Popen[bytes]] = []


@contextmanager
def shared_localstack(directory: Path) -> Iterator[str]:
    """The endpoint URL of the LocalStack of ``directory``, for as long as the block runs.

    Once at a time in a process: a lock on ``users`` is the process's, so that a forked child does not hold it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "turn").open("w") as turn, (directory / "users").open("a+") as users:
        with _turn(turn):
            fcntl.lockf(users, fcntl.LOCK_SH)  # waits for a keeper that is about to end
            keeper = _running(directory) or _started(directory)
        try:
            yield keeper.endpoint_url
        finally:
            with _turn(turn):
                last = _alone(users)
                fcntl.lockf(users, fcntl.LOCK_UN)
                if last:
                    keeper.end()


def keep(directory: Path) -> None:
    """What the keeper does: run LocalStack, tell the users where it is, and return when nobody uses it any more."""
    with (directory / "users").open("a+") as users, LocalStack() as localstack:
        _Keeper(os.getpid(), localstack.endpoint_url).write(directory)
        while localstack.alive and not _alone(users):
            time.sleep(0.2)
        (directory / "keeper.json").unlink()


@dataclass(frozen=True, slots=True)
class _Keeper:
    pid: int
    endpoint_url: str

    def write(self, directory: Path) -> None:
        new = directory / "keeper.json.new"
        new.write_text(json.dumps(asdict(self)))
        new.rename(directory / "keeper.json")

    def end(self) -> None:
        """Wait until it has ended: it does so because nobody else uses LocalStack."""
        deadline = time.monotonic() + _END_WITHIN_S
        while exists(self.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if exists(self.pid):
            os.kill(self.pid, signal.SIGKILL)  # what it started ends with it
        for process in _STARTED:
            process.poll()


def _running(directory: Path) -> _Keeper | None:
    try:
        keeper = _Keeper(**json.loads((directory / "keeper.json").read_text()))
    except FileNotFoundError:
        return None
    return keeper if exists(keeper.pid) else None  # one that was killed leaves its file behind


def _started(directory: Path) -> _Keeper:
    log = directory / "keeper.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.localstack", "--keep", directory],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while (keeper := _running(directory)) is None:
        if process.poll() is not None:
            raise RuntimeError(f"LocalStack could not be started:\n{log.read_text('utf-8', 'replace')[-4000:]}")
        time.sleep(0.05)
    _STARTED.append(process)
    return keeper


@contextmanager
def _turn(turn: IO[str]) -> Iterator[None]:
    fcntl.flock(turn, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(turn, fcntl.LOCK_UN)


def _alone(users: IO[str]) -> bool:
    """Whether no other process uses it. If so, none can begin to until ``users`` is closed."""
    try:
        fcntl.lockf(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
