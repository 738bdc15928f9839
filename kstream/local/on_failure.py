"""An on-failure destination in a file: what the event source mapping gave up, one JSON object a line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from kstream.core.errors import KstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class OnFailureFile:
    """Appends AWS's on-failure messages to the file at ``path``, made when first needed.

    A message is on the disk when the call returns; a ``KstreamError`` means that it is not. Several processes may
    append. Readable by its owner alone. Thread-safe.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def __call__(self, message: Mapping[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            raise KstreamError(
                f"cannot append to the on-failure file {self._path}: {error.strerror}; it must be a file that this "
                "process may write to, on a disk with room"
            ) from error

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = os.fstat(descriptor).st_size
            if os.write(descriptor, line) != len(line):
                # Half a line would spoil the next one as well.
                os.ftruncate(descriptor, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
