"""Standard output while a consumer runs, whose handler prints what it likes."""

from __future__ import annotations

import io
import sys
import threading
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed import ReadableBuffer


class Reader:
    """Whoever reads what is printed: there, until a write finds its pipe broken, as after ``| head``. Thread-safe."""

    def __init__(self) -> None:
        self._gone = threading.Event()
        self._tell: Callable[[], None] = lambda: None

    @property
    def gone(self) -> bool:
        return self._gone.is_set()

    def when_gone(self, tell: Callable[[], None]) -> None:
        """``tell`` is called at each write from then on; at once if the reader is gone already."""
        self._tell = tell
        if self.gone:
            tell()

    def leaves(self) -> None:
        self._gone.set()
        self._tell()


@contextmanager
def watched() -> Iterator[Reader]:
    """Within it, a broken pipe is no error of whoever prints: what is printed goes nowhere, and the reader is gone.

    A handler that prints would otherwise fail, and with it every record, for what is no fault of theirs. Each line comes
    out as it is printed, in a pipe as well. A standard output that is no file is left as it is.
    """
    reader, before = Reader(), sys.stdout
    binary = getattr(before, "buffer", None)
    raw = getattr(binary, "raw", binary)  # PYTHONUNBUFFERED leaves the buffer out
    if not isinstance(before, io.TextIOWrapper) or not isinstance(raw, io.FileIO):
        yield reader
        return
    before.flush()
    watching = io.TextIOWrapper(
        io.BufferedWriter(_Pipe(raw.fileno(), reader)),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=True,
    )
    with redirect_stdout(watching):
        try:
            yield reader
        finally:
            watching.flush()


@contextmanager
def for_objects_alone() -> Iterator[None]:
    """Within it, what is printed goes to standard error; metrics, which are objects, stay where they were."""
    from kstream.telemetry.lines_out import metrics_out

    with metrics_out().kept_on(sys.stdout), redirect_stdout(sys.stderr):
        yield


class _Pipe(io.FileIO):
    def __init__(self, descriptor: int, reader: Reader) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._reader = reader

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            self._reader.leaves()
            return memoryview(data).nbytes
