"""``python -m deploy down``: the stacks go, the data stays unless it is named."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import OK, showing
from deploy.commands.session import begin
from deploy.stack.deletion import take_down

if TYPE_CHECKING:
    import argparse


def down(options: argparse.Namespace) -> int:
    session = begin(options)
    with showing.reporter(as_json=options.json) as reporter:
        deployment = session.deployment(reporter, {})
        taken = take_down(deployment, session.stacks, options.delete_data, own_bucket=session.own_bucket)
    strangers = sorted(session.strangers())
    if options.json:
        showing.say({"result": asdict(taken), "notInTheFile": strangers})
        return OK
    to = showing.console()
    to.print(f"{len(taken.stacks)} stacks deleted" if taken.stacks else "There was no stack")
    for name in taken.deleted:
        to.print(f"  deleted  {escape(name)}")
    for one in taken.left:
        to.print(f"  [yellow]left[/yellow]  {escape(str(one))}")
    for name in taken.stays:
        to.print(f"  [yellow]stays[/yellow]  {escape(name)}, as its template says")
    for name in strangers:
        to.print(f"  [yellow]left[/yellow]  the stack {escape(name)}, which the file does not name any more")
    if taken.left:
        names = " ".join(one.name for one in taken.left)
        to.print(
            f"To delete the data too: [bold]{escape(showing.command(f'down --delete-data {names}', options))}[/bold]"
        )
    return OK
