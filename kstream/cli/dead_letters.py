"""``kstream dead-letters``: look at what was given up, and redrive it."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kstream.cli import options  # noqa: TC001 - typer reads the annotations
from kstream.cli.failures import FAILED, INTERRUPTED, told_plainly
from kstream.cli.plain_help import PlainCommand
from kstream.local.state_dir import StateDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.cli.dead_letters_where import Where
    from kstream.redrive.selection import Selection

_HELP = """Look at dead letters, and redrive them.

SOURCE is dir:PATH (or just a directory), sqs:URL, s3:BUCKET/PREFIX, kinesis:STREAM or jsonl:FILE; by default what the
consumers of this directory left in .kstream/dead-letters. Messages of Lambda's on-failure destinations are read as well.
"""
_SOURCE = "SOURCE"
_FIRST = "SOURCE|KEY"
_FILTERS = "Which ones"

Consumer = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only of this consumer, or of this function.", rich_help_panel=_FILTERS),
]
Reason = Annotated[
    str | None, typer.Option(help="Only with this text in the reason.", rich_help_panel=_FILTERS, metavar="TEXT")
]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only given up since then: a time, or how long ago (10m, 2h, 1d).",
        rich_help_panel=_FILTERS,
    ),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="AWS' address, for an emulator; by default that of the kstream dev that runs here, else AWS.",
    ),
]


class WhenUnknown(StrEnum):
    """What becomes of a record that may have been put already."""

    leave = "leave"
    again = "again"
    sent = "sent"


def list_(
    source: Annotated[str | None, typer.Argument(metavar=_SOURCE, show_default=False)] = None,
    consumer: Consumer = None,
    reason: Reason = None,
    since: Since = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="Also what was redriven, where it cannot be deleted.", rich_help_panel=_FILTERS),
    ] = False,
    endpoint_url: EndpointUrl = None,
    region: options.Region = None,
    state_dir: options.StateDirectory = Path(".kstream"),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List what lies in a source: nothing is taken away.

    To look into an SQS queue is to receive from it: the messages are hidden from others until the listing ends, count as
    received once more (mind a maxReceiveCount), and SQS may leave some out. What is neither a dead letter nor an
    on-failure message is listed too, with the reason.
    """
    with told_plainly(debug=debug):
        from kstream.cli.dead_letters_looking import list_items
        from kstream.cli.output import Output, log_to_stderr

        log_to_stderr()
        where = _where(state_dir, endpoint_url, region)
        selection = _selection((), consumer, reason, since)
        list_items(where, source, selection, Output(json=json), redriven_too=all_)


def show(
    first: Annotated[str, typer.Argument(metavar=_FIRST, show_default=False)],
    key: Annotated[str | None, typer.Argument(metavar="KEY", show_default=False)] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The payload's bytes and nothing else; of other items, their text.")
    ] = False,
    endpoint_url: EndpointUrl = None,
    region: options.Region = None,
    state_dir: options.StateDirectory = Path(".kstream"),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show one of them whole. KEY is its id in the list or the beginning of it, its full key, or its name in the source.

    The records that an on-failure message names are fetched from their stream while they are there.
    """
    with told_plainly(debug=debug):
        from kstream.cli.dead_letters_looking import show_item
        from kstream.cli.output import Output, log_to_stderr
        from kstream.core.errors import ConfigurationError

        log_to_stderr()
        source, names = _source_and_keys(first, [key] if key else [])
        if len(names) != 1:
            raise ConfigurationError(
                "give one KEY: an id from kstream dead-letters list, after its SOURCE if it has one"
            )
        if raw and json:
            raise ConfigurationError("--raw writes bytes and --json an object: give one of them")
        show_item(_where(state_dir, endpoint_url, region), source, names[0], Output(json=json), raw=raw)


def redrive(
    first: Annotated[str | None, typer.Argument(metavar=_FIRST, show_default=False)] = None,
    keys: Annotated[list[str] | None, typer.Argument(metavar="KEYS", show_default=False)] = None,
    to_consumer: Annotated[
        str | None, typer.Option(metavar="PATH[:NAME]", help="Replay through this consumer, run here.")
    ] = None,
    to_stream: Annotated[
        str | None, typer.Option(metavar="STREAM", help="Put back into this stream, with partition and hash key.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run the consumer under another name, as in consume.")
    ] = None,
    any_consumer: Annotated[
        bool, typer.Option("--any-consumer", help="Replay letters of other consumers as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.")] = None,
    unknown: Annotated[
        WhenUnknown,
        typer.Option(
            help="A record that an interrupted run may have put already: leave it, put it again, or take it as put."
        ),
    ] = WhenUnknown.leave,
    accept_gone: Annotated[
        bool, typer.Option("--accept-gone", help="A message is done although records that it names are gone.")
    ] = False,
    consumer: Consumer = None,
    reason: Reason = None,
    since: Since = None,
    endpoint_url: EndpointUrl = None,
    region: options.Region = None,
    state_dir: options.StateDirectory = Path(".kstream"),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Redrive them: through the consumer, or back into a stream. What succeeds is deleted from its source.

    Run it again after any interruption: what was done is not done again. What fails again stays as it is. Exit code 0:
    all were redriven; 1: some were not, and which.
    """
    with told_plainly(debug=debug), ExitStack() as stack:
        from kstream.cli.dead_letters_redriving import Destined, redrive_items
        from kstream.cli.output import Output, log_to_stderr
        from kstream.cli.standard_output import for_objects_alone, watched
        from kstream.core.errors import ConfigurationError
        from kstream.redrive.redriving import Wishes

        log_to_stderr()
        if (to_consumer is None) == (to_stream is None):
            raise ConfigurationError("say where to: either --to-consumer PATH or --to-stream STREAM")
        if to_stream is not None and (name or any_consumer):
            raise ConfigurationError("--name and --any-consumer go with --to-consumer")
        source, names = _source_and_keys(first, keys or [])
        reader = stack.enter_context(watched())
        output = Output(json=json)
        if json:
            stack.enter_context(for_objects_alone())
        summary = redrive_items(
            _where(state_dir, endpoint_url, region),
            source,
            Destined(to_consumer, to_stream, name, any_consumer),
            _selection(names, consumer, reason, since),
            Wishes(limit=limit, dry_run=dry_run, unknown=unknown.value, accept_gone=accept_gone),
            output,
            reader,
        )
        if summary.interrupted:
            raise typer.Exit(INTERRUPTED)
        if summary.not_redriven or reader.gone:
            raise typer.Exit(FAILED)


def dead_letters(*, terminal: bool, epilog: str) -> typer.Typer:
    """The group of commands; the arguments as in ``app.build``."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode="rich" if terminal else None, help=_HELP, epilog=epilog)
    for command, called in ((list_, "list"), (show, "show"), (redrive, "redrive")):
        group.command(called, cls=PlainCommand, epilog=epilog)(command)
    return group


def _where(state_dir: Path, endpoint_url: str | None, region: str | None) -> Where:
    from kstream.cli.dead_letters_where import Where
    from kstream.local.dev_state import running

    state = StateDir(state_dir)
    dev = None if endpoint_url or region else running(state)
    return Where(state, dev.endpoint_url if dev else endpoint_url, region)


def _source_and_keys(first: str | None, keys: list[str]) -> tuple[str | None, list[str]]:
    from kstream.redrive.opening import names_source

    if first is None:
        return None, keys
    return (first, keys) if names_source(first) else (None, [first, *keys])


def _selection(keys: Sequence[str], consumer: str | None, reason: str | None, since: str | None) -> Selection:
    from kstream.cli.times import moment
    from kstream.core.errors import ConfigurationError
    from kstream.redrive.selection import Selection

    time = None if since is None else moment(since)
    if since is not None and time is None:
        raise ConfigurationError(f"--since {since}: give a time such as 2026-01-31T12:00, or 10m for ten minutes ago")
    return Selection(frozenset(keys), consumer, reason, time)
