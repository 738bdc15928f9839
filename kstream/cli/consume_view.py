"""A consumer's counts while it runs: a live table on a terminal, a line now and then in a pipe, objects for a script."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from types import TracebackType

    from kstream.cli.output import Output
    from kstream.cli.tally import Counts, Tally
    from kstream.core.ports import Clock

_LINE_EVERY_S = 2.0
_RATE_OVER_S = 1.0


class ConsumeView:
    """Shows ``tally`` from entering to leaving, and its end always. Leaving is quick."""

    def __init__(self, tally: Tally, output: Output, clock: Clock) -> None:
        self._tally = tally
        self._output = output
        self._rate = Rate(clock)
        self._ended = threading.Event()
        self._told: Counts | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._output.terminal and not self._output.json:
            live = Live(get_renderable=self._table, console=self._output.console, refresh_per_second=4)
            self._stack.enter_context(live)
        else:
            thread = threading.Thread(target=self._lines, name="consume-view", daemon=True)
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

    def _lines(self) -> None:
        while not self._ended.wait(_LINE_EVERY_S):
            counts = self._tally.counts
            rate = self._rate.of(counts.processed)
            if counts == self._told or not counts.batches:
                continue
            self._told = counts
            if self._output.json:
                self._output.emit({**counts.to_json(), "perSecond": round(rate, 1), "final": False})
            else:
                self._output.say(line(counts, rate))

    def _table(self) -> Table:
        counts = self._tally.counts
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        cells = (
            ("received", f"{counts.received:,}", ""),
            ("processed", f"{counts.processed:,}", "green"),
            ("per second", f"{self._rate.of(counts.processed):,.0f}", ""),
            ("retried", f"{counts.retried:,}", "yellow" if counts.retried else "dim"),
            ("failed", f"{counts.failed:,}", "yellow" if counts.failed else "dim"),
            ("dead-lettered", f"{counts.dead_lettered:,}", "red" if counts.dead_lettered else "dim"),
            ("discarded", f"{counts.discarded:,}", "red" if counts.discarded else "dim"),
            ("iterator age", age(counts.iterator_age), ""),
        )
        for name, _, style in cells:
            table.add_column(name, justify="right", style=style, no_wrap=True)
        table.add_row(*(value for _, value, _ in cells))
        return table


class Rate:
    """How many a second, over the last second or so. Not thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._count = 0
        self._rate = 0.0

    def of(self, count: int) -> float:
        now = self._clock.monotonic()
        if now - self._since >= _RATE_OVER_S:
            self._rate = (count - self._count) / (now - self._since)
            self._since, self._count = now, count
        return self._rate


def line(counts: Counts, rate: float) -> str:
    """The counts as one line of text."""
    return (
        f"received {counts.received:,}  processed {counts.processed:,}  per second {rate:,.0f}  "
        f"retried {counts.retried:,}  failed {counts.failed:,}  dead-lettered {counts.dead_lettered:,}  "
        f"discarded {counts.discarded:,}  iterator age {age(counts.iterator_age)}"
    )


def age(seconds: float | None) -> str:
    """A span of time in the unit that fits it."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
