"""Which pipeline runs in a state directory: one at a time, and where to reach it.

A lock of the operating system decides, never the file that tells about it: the lock goes when its process goes, however
it ends, so what a killed pipeline leaves behind is simply taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.local.state_dir import StateDir


_TRIES = 10
_PAUSE_S = 0.03


@dataclass(frozen=True, slots=True)
class DevState:
    """A running pipeline. ``pid`` is that of ``kstream dev``; ``endpoint_url`` is the embedded Kinesis."""

    pid: int
    endpoint_url: str
    ingest_url: str
    streams: tuple[str, ...]


@contextmanager
def only_one(state_dir: StateDir) -> Iterator[None]:
    """Holds the state directory for one pipeline. Raises ``ConfigurationError`` if another holds it."""
    state_dir.make()
    try:
        lock = state_dir.dev_lock.open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write into the state directory {state_dir.path}: {error.strerror}; name another with --state-dir"
        ) from error
    with lock:
        if not _take_soon(lock):
            lock.seek(0)
            raise ConfigurationError(
                f"a kstream dev runs in {state_dir.path} already (process {lock.read().strip() or 'unknown'}): "
                "stop it, or name another directory with --state-dir"
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            state_dir.dev_file.unlink(missing_ok=True)
            # The lock's file stays: removing it would let a second process lock another file of the same name.
            lock.truncate(0)


def announce(state_dir: StateDir, state: DevState) -> None:
    """Tells the other commands where the pipeline is. Whole or not at all: written beside, then renamed."""
    part = state_dir.dev_file.with_suffix(".part")
    part.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    part.replace(state_dir.dev_file)


def running(state_dir: StateDir) -> DevState | None:
    """The pipeline that runs in this state directory, if one does and has told where it is."""
    try:
        with state_dir.dev_lock.open() as lock:
            # Shared, so that two who look at once do not take each other for the pipeline.
            if _take(lock, fcntl.LOCK_SH):
                return None
        told = json.loads(state_dir.dev_file.read_bytes())
        return DevState(told["pid"], told["endpoint_url"], told["ingest_url"], tuple(told["streams"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _take_soon(lock: IO[str]) -> bool:
    """Tries for a moment, because whoever looks for a running pipeline holds the lock for that moment."""
    for _ in range(_TRIES):
        if _take(lock, fcntl.LOCK_EX):
            return True
        time.sleep(_PAUSE_S)
    return False


def _take(lock: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
