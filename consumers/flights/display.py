"""How the demo shows where it is: bars and numbers on a terminal, plain lines every few seconds in a pipe."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.console import Console

_LINE_EVERY_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Where the pipeline is. ``total`` records are to come; ``processed`` ones are in the sums or in the dead letters.

    ``iterator_age`` in seconds.
    """

    total: int
    put: int = 0
    processed: int = 0
    retried: int = 0
    redelivered: int = 0
    dead_lettered: int = 0
    restarts: int = 0
    iterator_age: float = 0.0

    @property
    def numbers(self) -> str:
        return (
            f"{self.retried:,} retried, {self.redelivered:,} batches redelivered, "
            f"{self.dead_lettered:,} dead-lettered, {self.restarts} restarts, "
            f"iterator age {self.iterator_age:.1f} s"
        )


class Display(Protocol):
    """Used by one thread, from entering to leaving the context."""

    def say(self, text: str) -> None:
        """Something happened that should stay to be read."""
        ...

    def show(self, now: Snapshot) -> None:
        """This is where it is now. May be called as often as one likes."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def display_on(console: Console) -> Display:
    """What suits this console."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console.file)


class PlainDisplay:
    """Lines with the seconds since the start."""

    def __init__(self, file: IO[str], every: float = _LINE_EVERY_S) -> None:
        self._file = file
        self._every = every
        self._began = time.monotonic()
        self._next = self._began

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=self._file, flush=True)

    def show(self, now: Snapshot) -> None:
        if (at := time.monotonic()) < self._next:
            return
        self._next = at + self._every
        self.say(f"{now.put:,} of {now.total:,} put, {now.processed:,} processed; {now.numbers}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class LiveDisplay:
    """Two bars, one for each end of the stream, and the numbers below them."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.text import Text

        self._text = Text
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:>9}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console,
        )  # fmt: skip
        self._put = self._bars.add_task("put", total=None)
        self._processed = self._bars.add_task("processed", total=None)
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)

    def show(self, now: Snapshot) -> None:
        from rich.console import Group

        self._bars.update(self._put, completed=now.put, total=now.total)
        self._bars.update(self._processed, completed=now.processed, total=now.total)
        self._live.update(Group(self._bars, self._text(f"{'':10}{now.numbers}", style="dim")))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
