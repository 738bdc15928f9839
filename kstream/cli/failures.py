"""Errors as people can use them: one clear line, the right exit code, the traceback only when asked for."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from kstream.core.errors import ConfigurationError, KstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = 1
WRONG = 2
INTERRUPTED = 130


@contextmanager
def told_plainly(*, debug: bool) -> Iterator[None]:
    """Within it, an error of kstream's becomes a line on stderr and an exit code; with ``debug`` it stays what it is.

    What is none of kstream's errors is a fault of the program: one line too, and where to look.
    """
    if debug:
        yield
        return
    try:
        yield
    except ConfigurationError as error:
        _tell(str(error))
        raise typer.Exit(WRONG) from None
    except KstreamError as error:
        _tell(str(error))
        raise typer.Exit(FAILED) from None
    except (typer.Exit, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - the outermost frame: it ends the program as failed, in one line
        _tell(f"unexpected {type(error).__name__}: {error}; run it again with --debug to see where it comes from")
        raise typer.Exit(FAILED) from None


def _tell(message: str) -> None:
    sys.stdout.flush()
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(message, err=True)
