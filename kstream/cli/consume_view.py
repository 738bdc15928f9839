"""A consumer's counts while it runs: a live table on a terminal, a line now and then in a pipe, objects for a script."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table

from kstream.cli.printed_lines import PrintedLines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from kstream.cli.output import Output
    from kstream.cli.tally import Counts, Tally
    from kstream.core.ports import Clock

_LINE_EVERY_S = 2.0
_DRAW_EVERY_S = 0.2
_RATE_OVER_S = 1.0
_GAP = 2

Cell = tuple[str, str, str]
"""A name, its value, and the value's style."""


class ConsumeView:
    """Shows ``tally`` from entering to leaving, and its end always. Leaving is quick."""

    def __init__(self, tally: Tally, output: Output, clock: Clock) -> None:
        self._tally = tally
        self._output = output
        self._rate = Rate(clock)
        self._ended = threading.Event()
        self._told: Counts | None = None
        self._printed = PrintedLines(output.console)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._output.terminal and not self._output.json:
            self._stack.enter_context(self._printed)
            live = Live(get_renderable=self._table, console=self._output.console, refresh_per_second=4)
            self._stack.enter_context(live)
            show = self._draw
        else:
            show = self._lines
        thread = threading.Thread(target=show, name="consume-view", daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(self._ended.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        counts = self._tally.counts
        if self._output.json:
            self._output.emit({**counts.to_json(), "final": True})
        elif not self._output.terminal and counts != self._told:
            self._output.say(line(counts, self._rate.of(counts.processed)))

    def show_printed(self) -> None:
        """What was printed and is not shown yet, as before an end at once. Thread-safe."""
        self._printed.draw(begun=True)

    def _draw(self) -> None:
        while not self._ended.wait(_DRAW_EVERY_S):
            self._printed.draw()
        self.show_printed()

    def _lines(self) -> None:
        while not self._ended.wait(_LINE_EVERY_S):
            counts = self._tally.counts
            rate = self._rate.of(counts.processed)
            if counts == self._told or not counts.batches:
                continue
            self._told = counts
            if self._output.json:
                self._output.emit({**counts.to_json(), "perSecond": round(rate or 0, 1), "final": False})
            else:
                self._output.say(line(counts, rate))

    def _table(self) -> Group:
        counts = self._tally.counts
        return table(cells(counts, self._rate.of(counts.processed)), self._output.console.width)


def table(shown: Sequence[Cell], width: int) -> Group:
    """Names above their values, in as many rows as a terminal so wide needs: no number is cut short."""
    rows: list[list[Cell]] = [[]]
    left = width
    for cell in shown:
        needs = max(len(cell[0]), len(cell[1])) + _GAP
        if needs > left and rows[-1]:
            rows.append([])
            left = width
        rows[-1].append(cell)
        left -= needs
    return Group(*map(_row, rows))


def _row(shown: Sequence[Cell]) -> Table:
    row = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim")
    for name, value, style in shown:
        row.add_column(name, justify="right", style="dim" if value == "0" else style, no_wrap=True)
    row.add_row(*(value for _, value, _ in shown))
    return row


class Rate:
    """How many a second, over the last second or so; None until one has passed. Not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._count = 0
        self._rate: float | None = None

    def of(self, count: int) -> float | None:
        now = self._clock.monotonic()
        if now - self._since >= _RATE_OVER_S:
            self._rate = (count - self._count) / (now - self._since)
            self._since, self._count = now, count
        return self._rate


def line(counts: Counts, rate: float | None) -> str:
    """The counts as one line of text."""
    return "  ".join(f"{name} {value}" for name, value, _ in cells(counts, rate))


def cells(counts: Counts, rate: float | None) -> list[Cell]:
    """What is shown. What is rare is left out as long as there is none of it."""
    rare = (
        ("skipped", counts.skipped, ""),
        ("rejected", counts.rejected, "red"),
        ("unfinished", counts.unfinished, "yellow"),
        ("out of time", counts.out_of_time, "yellow"),
        ("ledger failures", counts.ledger_failures, "red"),
        ("dead-letter failures", counts.dead_letter_failures, "red"),
    )
    return [
        ("received", f"{counts.received:,}", ""),
        ("processed", f"{counts.processed:,}", "green"),
        ("per second", "-" if rate is None else f"{rate:,.0f}", ""),
        ("retried", f"{counts.retried:,}", "yellow"),
        ("failed", f"{counts.failed:,}", "yellow"),
        ("dead-lettered", f"{counts.dead_lettered:,}", "red"),
        ("discarded", f"{counts.discarded:,}", "red"),
        *((name, f"{count:,}", style) for name, count, style in rare if count),
        ("age p99", age(counts.record_age_p99), ""),
        ("checkpoint lag", age(counts.checkpoint_lag), ""),
        ("iterator age", age(counts.iterator_age), ""),
    ]


def age(seconds: float | None) -> str:
    """A span of time in the unit that fits it."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
