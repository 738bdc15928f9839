"""What the live commands say: lines to a pipe, colours and a spinner on a terminal, JSON lines to programs."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from deploy.config import InvalidConfiguration

if TYPE_CHECKING:
    import argparse
    from types import TracebackType
    from typing import Self

    from deploy.stack.following import Event, Reporter
    from kstream import ConfigurationError

ALONE = ("synth", "lint", "cost", "package")
"""Those that ask nobody, and so are told no place."""
OURS = ("plan", "up", "status", "down", *ALONE)
_MARKS = {
    "create": "[green]+",
    "adopt": "[green]⤵",
    "modify": "[yellow]~",
    "replace": "[bold red]±",
    "remove": "[red]-",
}


def console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, soft_wrap=True, highlight=False)


def say(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class Lines:
    """A ``Reporter`` for people: a line for each thing that happens and, on a terminal, below them what is under way."""

    def __init__(self) -> None:
        self._console = console()
        self._busy: dict[str, None] = {}
        self._spinner = self._console.status("") if self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._spinner is not None:
            self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def step(self, stack: str, what: str) -> None:
        self._busy.clear()
        self._console.print(f"[bold]{escape(stack)}[/bold]  {escape(what)}")
        self._show()

    def event(self, event: Event) -> None:
        if event.status.endswith("_IN_PROGRESS"):
            self._busy[event.resource] = None
        else:
            self._busy.pop(event.resource, None)
            colour = "red" if event.failed or "ROLLBACK" in event.status else "green"
            why = f"  {escape(event.reason)}" if event.reason else ""
            self._console.print(f"  [{colour}]{event.status}[/] {escape(event.resource)} [dim]{event.kind}[/dim]{why}")
        self._show()

    def _show(self) -> None:
        if self._spinner is not None:
            self._spinner.update(f"[dim]{escape(', '.join(self._busy))}[/dim]")


class JsonLines:
    """A ``Reporter`` for programs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, stack: str, what: str) -> None:
        say({"stack": stack, "step": what})

    def event(self, event: Event) -> None:
        say({"event": asdict(event)})


class Quiet:
    """A ``Reporter`` for commands that only look."""

    def step(self, stack: str, what: str) -> None: ...

    def event(self, event: Event) -> None: ...


def reporter(*, as_json: bool) -> Lines | JsonLines:
    return JsonLines() if as_json else Lines()


def counted(number: int, what: str) -> str:
    """``1 change``, ``2 changes``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def mark(action: str) -> str:
    """A sign and a colour for what happens to a resource."""
    return f"{_MARKS[action]} {action}[/]"


def command(then: str, options: argparse.Namespace, *, without: str | None = None) -> str:
    """The next command, with the options that say where: ``up`` becomes ``python -m deploy up --env prod``. ``without``: the
    option that was the mistake."""
    if then.split()[0] not in OURS:
        return then
    words = ["python", "-m", "deploy", *then.split()]
    if str(options.config) != "pipeline.toml":
        words += ["--config", str(options.config)]
    for name in ("env",) if words[3] in ALONE else ("env", "region", "endpoint_url"):
        option = f"--{name.replace('_', '-')}"
        # The next command may name the region itself.
        if name != without and getattr(options, name) and option not in words:
            words += [option, getattr(options, name)]
    return shlex.join(words)


def error(error: ConfigurationError, then: str | None, *, as_json: bool) -> None:
    """``then`` is the next command to run."""
    if isinstance(error, InvalidConfiguration):
        from deploy import output

        if as_json:
            say(output.problems_json(error))
        else:
            output.show_problems(console(stderr=True), error)
        return
    if as_json:
        say({"error": type(error).__name__, "message": str(error), "next": then})
        return
    to = console(stderr=True)
    to.print(f"[red]{type(error).__name__}:[/red] {escape(str(error))}")
    if then:
        to.print(f"Next: [bold]{escape(then)}[/bold]")


def interrupted(then: str, *, as_json: bool, alone: bool = False) -> None:
    """``alone``: of a command that asks nobody."""
    message = "interrupted"
    if not alone:
        message += ". CloudFormation goes on with what it has begun; the same command takes it up again"
    if as_json:
        say({"error": "Interrupted", "message": message, "next": then})
    else:
        console(stderr=True).print(f"{message}\nNext: [bold]{escape(then)}[/bold]")


if TYPE_CHECKING:
    _ARE_REPORTERS: tuple[type[Reporter], ...] = (Lines, JsonLines, Quiet)
