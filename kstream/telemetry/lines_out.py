"""Lines to standard output that hold nobody up: whoever puts one waits a moment for it, and no longer."""

from __future__ import annotations

import io
import logging
import os
import select
import sys
import threading
from collections import deque
from contextlib import contextmanager
from functools import cache
from stat import S_ISREG
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE_S = 0.1
_ROOM = 4 * 1024 * 1024

_log = logging.getLogger("kstream")


class LinesOut:
    """Writes lines from a thread of its own. Thread-safe; raises nothing.

    Each line stands alone on its line, whatever others left unfinished: where it is not known that theirs has ended, which
    it never is in a pipe, an empty one may stand in front.

    ``put`` waits until its line is out, because in Lambda the process stands still once the invocation has its answer. It
    waits ``patience`` seconds at most, and not at all while a line before is still stuck: a reader that has stopped costs
    that time once. At most ``room`` bytes wait. What finds no room, or cannot be written, is dropped and counted.
    """

    def __init__(
        self, stream: Callable[[], TextIO], *, what: str, patience: float = _PATIENCE_S, room: int = _ROOM
    ) -> None:
        self._stream = stream
        self._what = what
        self._patience = patience
        self._room = room
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._held = 0
        self._put = 0
        self._handled = 0
        self._stuck = False
        self._dropped = 0
        self._tell_at = 1
        self._fault = ""
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """So many lines, since the process began."""
        return self._dropped

    def put(self, line: str) -> None:
        data = line.encode() + b"\n"
        with self._changed:
            if not self._at_work():
                self._drop("no thread could be started")
                self._tell()
                return
            if self._held + len(data) > self._room:
                self._drop("its reader has stopped reading")
                return
            self._lines.append(data)
            self._held += len(data)
            self._put += 1
            mine = self._put
            self._changed.notify_all()
            if not self._stuck:
                self._stuck = not self._changed.wait_for(lambda: self._handled >= mine, self._patience)

    @contextmanager
    def kept_on(self, stream: TextIO) -> Iterator[None]:
        """Within it, lines go to ``stream``: for a program that sends what handlers print elsewhere meanwhile."""
        before, self._stream = self._stream, lambda: stream
        try:
            yield
        finally:
            self._stream = before

    def _at_work(self) -> bool:
        # Also after a fork, which takes no threads along.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="kstream-lines-out", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None
                return False
        return True

    def _drop(self, fault: str) -> None:
        self._dropped += 1
        self._fault = fault

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._lines))
                data = self._lines.popleft()
            fault = self._write(data)
            with self._changed:
                self._held -= len(data)
                self._handled += 1
                self._stuck = self._stuck and bool(self._lines)
                if fault is not None:
                    self._drop(fault)
                self._changed.notify_all()
            self._tell()

    def _tell(self) -> None:
        # From this thread: where standard output is stuck, the log may be so too. And ever more seldom.
        if self._dropped >= self._tell_at:
            self._tell_at = 2 * self._dropped
            _log.warning("%d %s dropped so far: standard output: %s", self._dropped, self._what, self._fault)

    def _write(self, data: bytes) -> str | None:
        """Answers what went wrong, if anything did."""
        try:
            stream = self._stream()
            # What others left in its buffer goes first, or the line would stand in the middle of one of theirs.
            stream.flush()
            try:
                descriptor = stream.fileno()
            except (AttributeError, io.UnsupportedOperation):
                stream.write(("" if _ends_in_memory(stream) else "\n") + data.decode())
                stream.flush()
            else:
                _write_whole(descriptor, data if _ends_in_file(descriptor) else b"\n" + data)
        except Exception as error:  # noqa: BLE001 - standard output may be anything that a user puts there
            return f"{type(error).__name__}: {error}"
        return None


def _write_whole(descriptor: int, data: bytes) -> None:
    # Past the stream's own buffer: its lock, held for as long as the reader rests, would break the interpreter's end.
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def _ends_in_file(descriptor: int) -> bool:
    """Whether the last line is known to have ended: in a file, if it may be read."""
    try:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            return False
        return status.st_size == 0 or os.pread(descriptor, 1, status.st_size - 1) == b"\n"
    except OSError:
        return False


def _ends_in_memory(stream: TextIO) -> bool:
    return isinstance(stream, io.StringIO) and stream.getvalue()[-1:] in ("", "\n")


@cache
def metrics_out() -> LinesOut:
    """The process's one way for metrics to standard output, whatever that is when a line is written."""
    return LinesOut(lambda: sys.stdout, what="document(s) of metrics")
