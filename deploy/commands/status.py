"""``python -m deploy status``: the stacks as they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from deploy.commands import FAILED, OK, showing
from deploy.commands.addresses import ingest_url
from deploy.commands.session import begin
from deploy.naming import stack_name
from deploy.output import whole
from deploy.stack import polling
from deploy.stack.drift import drift
from deploy.stack.errors import named
from deploy.stack.following import Patience
from deploy.stack.state import Phase, state_of

if TYPE_CHECKING:
    import argparse

    from deploy.stack.state import State

_COLOURS = {Phase.READY: "green", Phase.FAILED: "red", Phase.BUSY: "yellow", Phase.BEGUN: "yellow", Phase.ABSENT: "dim"}


def status(options: argparse.Namespace) -> int:
    """Drift is asked for where it can be told: an emulator does not. Exits with 1 if a stack is in a state from which it is
    not updated."""
    session = begin(options)
    mine = {stack.name: stack for stack in session.stacks}
    names = [*mine, *(state.name for state in session.strangers())]
    rows: list[dict[str, Any]] = []
    table = Table(*map(whole, ("stack", "state", "drift")), box=None, pad_edge=False)
    said: list[str] = []
    idle: list[str] = []
    url: str | None = None
    failed = False
    for name in names:
        with named(f"the stack {name}"):
            state = state_of(session.account, name)
            found = drift(session.account, state, Patience(limit=session.wait_s))
            polled = polling.told(session.account, mine[name], state) if name in mine else []
        rows.append(
            {
                "name": name,
                "status": state.status or None,
                "phase": state.phase.value,
                "reason": state.reason or None,
                "drift": found,
                "polling": [asdict(one) for one in polled],
                "outputs": dict(state.outputs),
            }
        )
        table.add_row(escape(name), _shown(state), escape(found))
        failed |= state.phase is Phase.FAILED
        outputs = dict(state.outputs)
        if name == stack_name(session.pipeline, "ingest"):
            url = ingest_url(outputs, options.endpoint_url)
            outputs.pop("Url", None)
        idle += [f"{name}  {one}" for one in polled if one.differs]
        said += [f"{name}  {output}: {value}" for output, value in sorted(outputs.items())]
    if options.json:
        showing.say({"account": session.account.id, "region": session.account.region, "ingestUrl": url, "stacks": rows})
    else:
        to = showing.console()
        to.print(f"{session.pipeline.prefix} in {session.account.id}, {session.account.region}")
        to.print(table)
        for line in said:
            to.print(f"[dim]{escape(line)}[/dim]")
        for line in idle:
            to.print(f"[yellow]{escape(line)}[/yellow]")
        if idle:
            to.print(f"Next: [bold]{escape(showing.command('up', options))}[/bold]")
        if url:
            to.print(f"Ingest API: [bold]{escape(url)}[/bold]")
    return FAILED if failed else OK


def _shown(state: State) -> str:
    return f"[{_COLOURS[state.phase]}]{state.status or state.phase.value}[/]"
