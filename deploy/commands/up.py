"""``python -m deploy up``: every stack as its template says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import filterfalse
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import OK, showing
from deploy.commands.addresses import ingest_url
from deploy.commands.session import begin
from deploy.stack.deletion import take_down
from deploy.stack.errors import named
from deploy.stack.leaving import of_account, require_named
from deploy.stack.skipped import skipped
from deploy.stack.state import state_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from deploy.commands.session import Session
    from deploy.stack.deletion import Taken
    from deploy.stack.deployment import Brought, Deployment
    from deploy.stack.holdings import Held
    from deploy.stack.skipped import Skipped
    from deploy.stacks import Stack


@dataclass(slots=True)
class _Done:
    """What ``up`` tells at its end. ``left``: what holds data and is in no stack of the pipeline any more."""

    result: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    left: list[Held] = field(default_factory=list)

    def take(self, taken: Taken) -> None:
        self.removed += taken.stacks
        self.deleted += taken.deleted
        self.left += [*taken.left, *taken.not_ours]

    def bring(self, stack: str, brought: Brought) -> None:
        if brought.what != "unchanged" or stack not in self.result:
            self.result[stack] = brought.what
        self.left += brought.left


def up(options: argparse.Namespace) -> int:
    """Can be run again at any time: what is there already is compared and left. What the file does not name any more goes,
    but not with data in it that nobody has named."""
    session = begin(options)
    done = _Done()
    with showing.reporter(as_json=options.json) as reporter:
        reporter.step(session.pipeline.prefix, f"to the account {session.account.id} in {session.account.region}")
        strangers = session.strangers()
        looking = session.deployment(reporter)
        with named("what the file does not name any more"):
            # What stands on the network goes before the network changes, the network when nothing is in it any more.
            above = of_account(looking, filterfalse(session.stood_on, strangers))
            below = of_account(looking, filter(session.stood_on, strangers))
            require_named([*above, *below], options.delete_data, "up")
        if options.adopt:
            looking.require_adoptable(session.stacks)
        deployment = session.deployment(reporter, session.packaged(send=True))
        done.take(take_down(deployment, above, options.delete_data, command="up"))
        _bring_up(session, deployment, options, done)
        done.take(take_down(deployment, below, options.delete_data, command="up"))
    url = ingest_url(done.outputs.get(f"{session.pipeline.prefix}-ingest", {}), options.endpoint_url)
    if options.json:
        showing.say({**asdict(done), "ingestUrl": url})
    else:
        _tell(done, url)
    return OK


def _bring_up(session: Session, deployment: Deployment, options: argparse.Namespace, done: _Done) -> None:
    def bring_up(stack: Stack) -> None:
        brought = deployment.bring_up(
            stack, replace_failed=options.replace_failed, accept_loss=options.accept_loss, adopt=options.adopt
        )
        done.bring(stack.name, brought)
        deployment.reporter.step(stack.name, brought.what)

    shrinking: list[Stack] = []
    for stack in session.stacks:
        wide = deployment.widened(stack) if stack.role == "network" else None
        if wide is not None:
            shrinking.append(stack)
        bring_up(wide or stack)
        with named(f"the stack {stack.name}"):
            done.skipped += skipped(session.account, stack)
            done.outputs[stack.name] = state_of(session.account, stack.name).outputs
    # The functions have left what goes now.
    for stack in shrinking:
        bring_up(stack)


def _tell(done: _Done, url: str | None) -> None:
    to = showing.console()
    if done.skipped:
        to.print(f"[yellow]{len(done.skipped)} skipped[/yellow] by what stands in for AWS here:")
    for one in done.skipped:
        to.print(f"  {escape(str(one))}")
    for name in done.deleted:
        to.print(f"deleted, as you said: {escape(name)}")
    for held in done.left:
        to.print(f"[yellow]left[/yellow] without a stack: {escape(str(held))}")
    if url:
        to.print(f"Ingest API: [bold]{escape(url)}[/bold]")
