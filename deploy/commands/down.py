"""``python -m deploy down``: the stacks go, the data stays unless it is named."""

from __future__ import annotations

from dataclasses import asdict
from itertools import filterfalse
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import OK, showing
from deploy.commands.session import begin
from deploy.stack.deletion import take_down
from deploy.stack.errors import named
from deploy.stack.leaving import of_account, of_file, require_named, unmarked

if TYPE_CHECKING:
    import argparse


def down(options: argparse.Namespace) -> int:
    session = begin(options)
    with showing.reporter(as_json=options.json) as reporter:
        deployment = session.deployment(reporter)
        strangers = session.strangers()
        with named("what the pipeline holds"):
            # The last goes first. A network that the file does not name any more may still have its consumers in it.
            below = of_account(deployment, filter(session.stood_on, strangers))
            above = of_account(deployment, filterfalse(session.stood_on, strangers))
            leaving = [*below, *of_file(deployment, session.stacks), *above]
            require_named(leaving, options.delete_data)
        taken = take_down(deployment, leaving, options.delete_data, own_bucket=session.own_bucket)
    if options.json:
        showing.say({"result": asdict(taken), "notInTheFile": [state.name for state in strangers]})
        return OK
    to = showing.console()
    to.print(f"{showing.counted(len(taken.stacks), 'stack')} deleted" if taken.stacks else "There was no stack")
    for name in taken.deleted:
        to.print(f"  deleted  {escape(name)}")
    for one in taken.left:
        to.print(f"  [yellow]left[/yellow]  {escape(str(one))}")
    for one in taken.not_ours:
        to.print(f"  [yellow]not ours[/yellow]  {escape(str(one))}: {escape(unmarked())}")
    for name in taken.stays:
        to.print(f"  [yellow]stays[/yellow]  {escape(name)}, as its template says")
    if taken.left:
        names = " ".join(one.name for one in taken.left)
        to.print(
            f"To delete the data too: [bold]{escape(showing.command(f'down --delete-data {names}', options))}[/bold]"
        )
    return OK
