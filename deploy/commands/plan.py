"""``python -m deploy plan``: what ``up`` would change, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import CHANGES, OK, showing
from deploy.commands.session import begin
from deploy.cost import costs

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from deploy.cost import Cost
    from deploy.stack.changes import Change

_ENDPOINT = "VPC endpoint "


def plan(options: argparse.Namespace) -> int:
    """Changes nothing. What depends on the outputs of a stack that will change is compared by what they are now."""
    session = begin(options)
    deployment = session.deployment(showing.Quiet(), session.packaged(send=False))
    planned = {stack.name: deployment.planned(stack) for stack in session.stacks}
    strangers = sorted(session.strangers())
    endpoints = [cost for cost in costs(session.pipeline) if cost.what.startswith(_ENDPOINT)]
    if options.json:
        showing.say(
            {
                "account": session.account.id,
                "region": session.account.region,
                "changes": any(planned.values()),
                "stacks": [
                    {"name": name, "changes": [asdict(change) for change in changes]}
                    for name, changes in planned.items()
                ],
                "endpoints": [asdict(cost) for cost in endpoints],
                "notInTheFile": strangers,
            }
        )
    else:
        to = showing.console()
        for name, changes in planned.items():
            _show(to, name, changes)
        _show_endpoints(to, endpoints)
        for name in strangers:
            to.print(
                f"[yellow]{escape(name)}[/yellow] is of this pipeline and not in its file any more. If it is to go: "
                f"aws cloudformation delete-stack --stack-name {escape(name)}"
            )
        if not any(planned.values()):
            to.print(f"[green]No changes[/green] in {session.account.id}, {session.account.region}.")
    return CHANGES if any(planned.values()) else OK


def _show(to: Console, stack: str, changes: tuple[Change, ...]) -> None:
    to.print(f"[bold]{escape(stack)}[/bold]  {'no change' if not changes else f'{len(changes)} changes'}")
    for change in changes:
        because = f" [dim]({', '.join(map(escape, change.because))})[/dim]" if change.because else ""
        perhaps = "" if change.certain else " [red]perhaps; only doing it will show[/red]"
        to.print(f"  {showing.mark(change.action)} {change.logical_id} [dim]{change.kind}[/dim]{because}{perhaps}")
        if change.loses_data:
            to.print("      [bold red]DATA LOSS: what it holds is deleted; `up` wants --accept-loss[/bold red]")
        if change.leaves_data:
            to.print("      [red]what it holds stays where it is, and is not part of the pipeline any more[/red]")


def _show_endpoints(to: Console, endpoints: list[Cost]) -> None:
    for cost in endpoints:
        price = "free" if not cost.monthly else f"about {cost.monthly:,.2f} USD a month"
        to.print(f"{escape(cost.what)}: {price} [dim]for {escape(cost.why)}[/dim]")
