"""A redrive while it runs: a progress bar on a terminal, a line for each item in a pipe, objects for a script."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from kstream.cli.dead_letters_format import position_of, printable
from kstream.redrive.redriving import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from kstream.cli.output import Output
    from kstream.redrive.redriving import Report

_STYLES = {Verdict.FAILED: "red", Verdict.UNKNOWN: "yellow"}


class RedriveView:
    """Shown from entering to leaving. ``total``: how many items there are, if that is known."""

    def __init__(self, output: Output, destination: str, total: int | None, *, dry_run: bool) -> None:
        self._output = output
        self._dry_run = dry_run
        self._counts: Counter[Verdict] = Counter()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=output.console,
            disable=not output.terminal or output.json,
            transient=True,
        )
        self._task = self._bar.add_task(f"to {destination}", total=total, counts="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def add(self, report: Report) -> None:
        item, verdict = report.item, report.verdict
        self._counts[verdict] += 1
        self._bar.update(self._task, advance=1, counts=_counted(self._counts))
        if self._output.json:
            self._output.emit({"id": item.id, "key": item.key, "verdict": verdict.value, "detail": report.detail})
        elif not self._output.terminal or self._dry_run or verdict in _STYLES:
            text = f"{_words(verdict)} {item.id} {printable(position_of(item))}: {printable(report.detail)}"
            self._output.say(text, style=_STYLES.get(verdict, ""))

    def tell(self, counts: Mapping[Verdict, int], missing: Sequence[str], ended: str) -> None:
        """The end of it, once the bar is gone. ``ended``: why before all was done; "" if it was."""
        if self._output.json:
            numbers = {verdict.value: counts.get(verdict, 0) for verdict in Verdict}
            self._output.emit({"final": True, **numbers, "missing": list(missing), "ended": ended or None})
            return
        for key in missing:
            self._output.say(f"there is no {printable(key)}", style="red")
        text = _counted(counts) or "nothing to redrive"
        self._output.say(f"{text}{'; ' if ended else ''}{ended}", style="bold")


def _counted(counts: Mapping[Verdict, int]) -> str:
    return ", ".join(f"{counts[verdict]:,} {_words(verdict)}" for verdict in Verdict if counts.get(verdict))


def _words(verdict: Verdict) -> str:
    match verdict:
        case Verdict.WOULD:
            return "would be redriven"
        case Verdict.ALREADY:
            return "redriven before"
        case _:
            return verdict.value
