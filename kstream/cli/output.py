"""Where a command's words go.

Words for people go to standard output, or to standard error where that is taken by records or by JSON for a script. On
a terminal they have colour; in a pipe they are plain lines, flushed one by one.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping


class Output:
    """``json``: objects for a script are wanted. ``data``: standard output carries records."""

    def __init__(self, *, json: bool = False, data: bool = False) -> None:
        self.json = json
        self._objects = sys.stdout
        self.console = Console(stderr=json or data, highlight=False, soft_wrap=True, emoji=False, markup=False)

    @property
    def terminal(self) -> bool:
        """Whether a person watches: then there are live views."""
        return self.console.is_terminal

    def say(self, text: str = "", *, style: str = "") -> None:
        """A line, or several, for people."""
        self.console.print(text, style=style or None)
        self.console.file.flush()

    def pair(self, label: str, text: str) -> None:
        """A label and what it stands for, under each other when several follow."""
        self.line(Text.assemble((f"{label:<14}", "bold cyan"), text))

    def line(self, text: Text) -> None:
        """A line of data, never wrapped: as it is in a pipe, with its styles on a terminal."""
        if self.terminal:
            self.console.print(text)
        else:
            self.console.file.write(text.plain + "\n")
        self.console.file.flush()

    def emit(self, value: Mapping[str, Any]) -> None:
        """An object for a script: a line of what was standard output at first."""
        self._objects.write(json.dumps(value, separators=(",", ":")) + "\n")
        self._objects.flush()


def log_to_stderr() -> None:
    """Warnings and errors of kstream, of the user's code and of what it uses, as lines; tracebacks included."""
    handler = _CurrentStderr()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)


class _CurrentStderr(logging.Handler):
    """To what ``sys.stderr`` is at the time: a live view puts itself in between, so that lines appear above it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            self.handleError(record)
