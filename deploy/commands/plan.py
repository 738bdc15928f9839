"""``python -m deploy plan``: what ``up`` would change, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import CHANGES, OK, showing
from deploy.commands.session import begin
from deploy.cost import CHECKED, REGION, basis, costs
from deploy.stack.errors import named
from deploy.stack.leaving import of_account

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from deploy.cost import Cost
    from deploy.stack.changes import Change
    from deploy.stack.leaving import Leaving

_ENDPOINT = "VPC endpoint "


def plan(options: argparse.Namespace) -> int:
    """Changes nothing. What depends on the outputs of a stack that will change is compared by what they are now."""
    session = begin(options)
    deployment = session.deployment(showing.Quiet(), session.packaged(send=False))
    planned = {stack.name: deployment.planned(stack, adopt=options.adopt) for stack in session.stacks}
    with named("what the file does not name any more"):
        going = of_account(deployment, session.strangers())
    changed = bool(going) or any(planned.values())
    endpoints = [cost for cost in costs(session.pipeline) if cost.what.startswith(_ENDPOINT)]
    if options.json:
        showing.say(
            {
                "account": session.account.id,
                "region": session.account.region,
                "changes": changed,
                "stacks": [
                    {"name": name, "changes": [asdict(change) for change in changes]}
                    for name, changes in planned.items()
                ],
                "endpoints": [asdict(cost) for cost in endpoints],
                "prices": {"region": REGION, "compared": CHECKED},
                "removed": [{"name": one.name, "holds": [asdict(held) for held in one.held]} for one in going],
            }
        )
    else:
        to = showing.console()
        for name, changes in planned.items():
            _show(to, name, changes)
        _show_endpoints(to, endpoints)
        if any(cost.monthly for cost in endpoints):
            to.print(f"[dim]{basis()}[/dim]")
        for one in going:
            _show_going(to, one)
        if not changed:
            to.print(f"[green]No changes[/green] in {session.account.id}, {session.account.region}.")
    return CHANGES if changed else OK


def _show(to: Console, stack: str, changes: tuple[Change, ...]) -> None:
    to.print(f"[bold]{escape(stack)}[/bold]  {showing.counted(len(changes), 'change') if changes else 'no change'}")
    for change in changes:
        because = f" [dim]({', '.join(map(escape, change.because))})[/dim]" if change.because else ""
        perhaps = "" if change.certain else " [red]perhaps; only doing it will show[/red]"
        to.print(f"  {showing.mark(change.action)} {change.logical_id} [dim]{change.kind}[/dim]{because}{perhaps}")
        if change.loses_data:
            to.print("      [bold red]DATA LOSS: what it holds is deleted; `up` wants --accept-loss[/bold red]")
        if change.leaves_data:
            to.print("      [red]what it holds stays where it is, and is not part of the pipeline any more[/red]")


def _show_going(to: Console, stack: Leaving) -> None:
    to.print(f"[bold]{escape(stack.name)}[/bold]  {showing.mark('remove')}: the file does not name it any more")
    for one in stack.held:
        if one.kept:
            to.print(f"  [yellow]{escape(str(one))} stays where it is[/yellow]")
        elif one.holds:
            wants = f"`up` wants --delete-data {one.name}"
            to.print(f"  [bold red]DATA LOSS: {escape(str(one))} is deleted; {escape(wants)}[/bold red]")


def _show_endpoints(to: Console, endpoints: list[Cost]) -> None:
    for cost in endpoints:
        price = "free" if not cost.monthly else f"about {cost.monthly:,.2f} USD a month"
        to.print(f"{escape(cost.what)}: {price} [dim]for {escape(cost.why)}[/dim]")
