"""What is printed while a live table stands on the terminal."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import IO, TYPE_CHECKING, Self

from rich.ansi import AnsiDecoder
from rich.file_proxy import FileProxy
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

_ROOM = 65_536


class PrintedLines:
    """A context manager: within it, what goes to standard output and error is gathered in its order until ``draw``.

    A line by itself would draw the whole table anew below it, so that of a handler that prints much the terminal saw
    little but tables. To be entered before the ``Live``, which then leaves both streams alone. What has not been drawn at
    the end is drawn then; whoever prints more than fits draws it himself, so that memory is bounded. It is
    thread-safe.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._decoder = AnsiDecoder()
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._size = 0
        self._streams: list[_Stream] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        file = self._console.file
        coding = getattr(file, "encoding", None) or "utf-8", getattr(file, "errors", None) or "strict"
        self._streams = [_Stream(self, self._console, before, coding) for before in (sys.stdout, sys.stderr)]
        out, err = self._streams
        self._stack.enter_context(redirect_stdout(out))
        self._stack.enter_context(redirect_stderr(err))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self.draw(begun=True)

    def take(self, stream: _Stream, text: str) -> None:
        with self._lock:
            ended, newline, rest = text.rpartition("\n")
            if newline:
                stream.begun.append(ended)
                self._end(stream)
            if rest:
                stream.begun.append(rest)
            self._size += len(text)
            if self._size >= _ROOM:
                self.draw()
            if self._size >= _ROOM:  # a line that does not end, as of a handler that prints a dot for each record
                self.draw(begun=True)

    def draw(self, *, begun: bool = False) -> None:
        """Draws the lines so far at once; with ``begun``, also those that lack their end."""
        with self._lock:
            for stream in self._streams if begun else ():
                if stream.begun:
                    self._end(stream)
            lines, self._lines = self._lines, []
            self._size = sum(len(part) for stream in self._streams for part in stream.begun)
            if lines:
                decoded = [self._decoder.decode_line(line) for text in lines for line in text.split("\n")]
                self._console.print(Text("\n").join(decoded))

    def _end(self, stream: _Stream) -> None:
        self._lines.append("".join(stream.begun))
        stream.begun.clear()


class _Stream(FileProxy):
    """In place of standard output or error. ``begun``: what a line that has no end yet consists of."""

    def __init__(self, printed: PrintedLines, console: Console, before: IO[str], coding: tuple[str, str]) -> None:
        super().__init__(console, before)
        self.begun: list[str] = []
        self._printed = printed
        self._coding = coding
        self._process = os.getpid()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if os.getpid() != self._process:  # a fork has nobody to draw for it
            return self.rich_proxied_file.write(text)
        text.encode(*self._coding)  # what cannot be written is told to whoever prints it
        self._printed.take(self, text)
        return len(text)

    def flush(self) -> None:
        if os.getpid() != self._process:
            self.rich_proxied_file.flush()
