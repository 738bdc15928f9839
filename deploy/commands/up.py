"""``python -m deploy up``: every stack as its template says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape

from deploy.commands import OK, showing
from deploy.commands.session import begin
from deploy.stack.errors import named
from deploy.stack.skipped import skipped
from deploy.stack.state import state_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from deploy.stack.skipped import Skipped


def up(options: argparse.Namespace) -> int:
    """Can be run again at any time: what is there already is compared and left."""
    session = begin(options)
    done: dict[str, str] = {}
    left_out: list[Skipped] = []
    outputs: dict[str, Mapping[str, str]] = {}
    with showing.reporter(as_json=options.json) as reporter:
        reporter.step(session.pipeline.prefix, f"to the account {session.account.id} in {session.account.region}")
        deployment = session.deployment(reporter, session.packaged(send=True))
        for stack in session.stacks:
            what = deployment.bring_up(stack, replace_failed=options.replace_failed, accept_loss=options.accept_loss)
            done[stack.name] = what
            reporter.step(stack.name, what)
            with named(f"the stack {stack.name}"):
                left_out += skipped(session.account, stack)
                outputs[stack.name] = state_of(session.account, stack.name).outputs
    strangers = sorted(session.strangers())
    url = _api(outputs.get(f"{session.pipeline.prefix}-ingest", {}), options.endpoint_url)
    if options.json:
        showing.say(
            {
                "result": done,
                "outputs": outputs,
                "ingestUrl": url,
                "skipped": [asdict(one) for one in left_out],
                "notInTheFile": strangers,
            }
        )
        return OK
    to = showing.console()
    if left_out:
        to.print(f"[yellow]{len(left_out)} skipped[/yellow] by what stands in for AWS here:")
    for one in left_out:
        to.print(f"  {escape(str(one))}")
    for name in strangers:
        to.print(f"[yellow]{escape(name)}[/yellow] is of this pipeline and not in its file any more: see `plan`")
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
