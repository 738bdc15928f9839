"""The application: its commands and its front page."""

from __future__ import annotations

from typing import Annotated

import typer

from kstream.cli.consume import consume
from kstream.cli.dead_letters import dead_letters
from kstream.cli.dev import dev
from kstream.cli.misplaced_option import DevCommand
from kstream.cli.plain_help import PlainCommand
from kstream.cli.produce import produce
from kstream.cli.tail import tail

_HELP = """Kinesis stream processing on this machine.

Start with `kstream dev consumers/yours.py`: an embedded Kinesis, an HTTP API to put records, and your consumer, reloaded
whenever its file changes.
"""
_EPILOG = "Exit codes: 0 fine; 1 something failed while running; 2 wrong usage or configuration; 130 Ctrl-C."


def build(*, terminal: bool = False) -> typer.Typer:
    """The application. ``terminal``: someone looks at it, so help comes with colours and boxes."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if terminal else None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
        help=_HELP,
        epilog=_EPILOG,
    )
    app.callback()(_front)
    app.command(cls=DevCommand, epilog=_EPILOG)(dev)
    for command in (consume, produce, tail):
        app.command(cls=PlainCommand, epilog=_EPILOG)(command)
    app.add_typer(dead_letters(terminal=terminal, epilog=_EPILOG), name="dead-letters")
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from kstream import __version__

        typer.echo(f"kstream {__version__}")
        raise typer.Exit


def _front(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass
