"""``python -m deploy up``: every stack as its template says."""

from __future__ import annotations

from dataclasses import asdict
from itertools import filterfalse
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import OK, showing
from deploy.commands.session import begin
from deploy.stack.deletion import of_account, require_named, take_down
from deploy.stack.errors import named
from deploy.stack.skipped import skipped
from deploy.stack.state import state_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from deploy.stack.skipped import Skipped


def up(options: argparse.Namespace) -> int:
    """Can be run again at any time: what is there already is compared and left. What the file does not name any more goes,
    but not with data in it that nobody has named."""
    session = begin(options)
    done: dict[str, str] = {}
    left_out: list[Skipped] = []
    outputs: dict[str, Mapping[str, str]] = {}
    with showing.reporter(as_json=options.json) as reporter:
        reporter.step(session.pipeline.prefix, f"to the account {session.account.id} in {session.account.region}")
        strangers = session.strangers()
        with named("what the file does not name any more"):
            # What stands on the network goes before the network changes, the network when nothing is in it any more.
            above = of_account(session.account, filterfalse(session.stood_on, strangers))
            below = of_account(session.account, filter(session.stood_on, strangers))
            require_named([one for stack in (*above, *below) for one in stack.held], options.delete_data, "up")
        deployment = session.deployment(reporter, session.packaged(send=True))
        removed = [take_down(deployment, above, options.delete_data)]
        for stack in session.stacks:
            what = deployment.bring_up(
                stack, replace_failed=options.replace_failed, accept_loss=options.accept_loss, adopt=options.adopt
            )
            done[stack.name] = what
            reporter.step(stack.name, what)
            with named(f"the stack {stack.name}"):
                left_out += skipped(session.account, stack)
                outputs[stack.name] = state_of(session.account, stack.name).outputs
        removed.append(take_down(deployment, below, options.delete_data))
    url = _api(outputs.get(f"{session.pipeline.prefix}-ingest", {}), options.endpoint_url)
    if options.json:
        showing.say(
            {
                "result": done,
                "outputs": outputs,
                "ingestUrl": url,
                "skipped": [asdict(one) for one in left_out],
                "removed": [name for taken in removed for name in taken.stacks],
                "left": [asdict(one) for taken in removed for one in taken.left],
            }
        )
        return OK
    to = showing.console()
    if left_out:
        to.print(f"[yellow]{len(left_out)} skipped[/yellow] by what stands in for AWS here:")
    for one in left_out:
        to.print(f"  {escape(str(one))}")
    for held in (held for taken in removed for held in taken.left):
        to.print(f"[yellow]left[/yellow] without a stack: {escape(str(held))}")
    if url:
        to.print(f"Ingest API: [bold]{escape(url)}[/bold]")
    return OK


def _api(outputs: Mapping[str, str], endpoint_url: str | None) -> str | None:
    """Where the ingest API is called. The host in its own output is AWS's, or one that nobody resolves."""
    if "Url" not in outputs:
        return None
    if endpoint_url is None:
        return outputs["Url"]
    stage = outputs["Url"].rpartition("/")[2]
    return f"{endpoint_url.rstrip('/')}/restapis/{outputs['ApiId']}/{stage}/_user_request_"
