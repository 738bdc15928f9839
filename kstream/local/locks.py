"""Locks between processes that never go stale: the operating system drops them when their process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TRIES = 10
_PAUSE_S = 0.03


@contextmanager
def held(path: Path, busy: str) -> Iterator[None]:
    """Holds the lock file at ``path``, with our process id in it.

    Raises ``ConfigurationError`` with the text ``busy`` if another process holds it; ``{pid}`` in it is that process.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}: {error.strerror}; name another directory with --state-dir"
        ) from error
    with lock:
        if not _take_soon(lock):
            lock.seek(0)
            raise ConfigurationError(busy.format(pid=lock.read().strip() or "unknown"))
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield
        finally:
            # The file stays: were it removed, two processes could hold locks on two files of one name.
            lock.truncate(0)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock file now. Holds it itself for a moment to find out."""
    try:
        with path.open() as lock:
            # Shared, so that two who look at once do not take each other for its holder.
            return not _take(lock, fcntl.LOCK_SH)
    except OSError:
        return False


def _take_soon(lock: IO[str]) -> bool:
    """Tries for a moment, because ``is_held`` holds it for that moment."""
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
