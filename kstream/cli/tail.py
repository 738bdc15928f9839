"""``kstream tail``: the records of a stream."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from kstream.cli import options  # noqa: TC001 - typer reads the annotations
from kstream.cli.failures import told_plainly
from kstream.local.state_dir import StateDir


def tail(
    stream: options.Stream = None,
    endpoint_url: options.EndpointUrl = None,
    region: options.Region = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="PLACE", help="trim, latest, a time, or how long ago (10m, 2h).")
    ] = "latest",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many records.")] = None,
    no_follow: Annotated[bool, typer.Option("--no-follow", help="End at the stream's end.")] = False,
    state_dir: options.StateDirectory = Path(".kstream"),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Print the records of a stream, de-aggregated, as they arrive.

    A line holds the time of arrival, the shard, the position, the partition key and the payload. Reading takes nothing
    away and leaves no checkpoint; it shares the shards' read limits with their consumers.
    """
    with told_plainly(debug=debug):
        from kstream.aws.clients import client
        from kstream.aws.shards import KinesisReader
        from kstream.cli.connection import connection
        from kstream.cli.output import Output, log_to_stderr
        from kstream.cli.tail_format import as_json, as_text
        from kstream.cli.tailing import Tailing
        from kstream.cli.times import starting_position
        from kstream.clock import SystemClock

        log_to_stderr()
        start = starting_position(from_)
        where = connection(StateDir(state_dir), stream=stream, endpoint_url=endpoint_url, region=region)
        output, words = Output(json=json), Output(data=True)
        reader = KinesisReader(client("kinesis", endpoint_url=where.endpoint_url, region=where.region))
        tailing = Tailing(reader, where.stream, start, SystemClock(), follow=not no_follow)
        if words.terminal:
            words.say(f"{where}, from {from_}{'' if no_follow else '; Ctrl-C ends'}", style="dim")
        for seen in islice(tailing.records(), limit):
            if json:
                output.emit(as_json(seen))
            else:
                output.line(as_text(seen, shorten=output.terminal))
