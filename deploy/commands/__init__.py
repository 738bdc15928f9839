"""The commands that talk to AWS: ``plan``, ``up``, ``status``, ``down``.

Exit codes: 0 when all is well, 1 for every error, and of ``plan`` 2 when there are changes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_THEN = {
    "EnvironmentTooLarge": "lint",
    "NoRoutes": "lint",
    "PackageError": "package",
    "PolicyTooLarge": "lint",
    "TemplateTooLarge": "plan",
    "WheelsNotFound": "package",
}
"""The next command, once its remedy is done, for errors of what asks nobody."""

OK, FAILED, CHANGES, INTERRUPTED = 0, 1, 2, 130


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    """Adds them to the subparsers of ``python -m deploy``."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--region", metavar="NAME", help="where pipeline.toml names none")
    where.add_argument("--wait", type=_minutes, default=60.0, metavar="MINUTES", help="at most, for a stack (60)")

    def command(name: str, run: Callable[[argparse.Namespace], int], meaning: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, parents=[*parents, where], help=meaning)
        made.set_defaults(run=lambda options: _with_errors(run, options), usage_error=FAILED)
        return made

    plan = command("plan", _plan, "what would change; exits with 2 if anything would")
    up = command("up", _up, "create or update every stack, in order")
    up.add_argument("--replace-failed", action="store_true", help="delete and create anew what was never created")
    up.add_argument("--accept-loss", action="store_true", help="even where a change takes data away")
    for taking in (plan, up):
        taking.add_argument(
            "--adopt", action="store_true", help="take over what stands already under the names of the file"
        )
    command("status", _status, "the stacks, their drift and outputs")
    down = command("down", _down, "delete every stack, and leave the data")
    for taking in (up, down):
        taking.add_argument(
            "--delete-data", action="extend", nargs="+", default=[], metavar="NAME",
            help="these streams, buckets, ... too, of the stacks that go",
        )  # fmt: skip


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0
    if not 0 < minutes <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes above 0 and up to a day")
    return minutes


def _with_errors(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    from deploy.commands import showing
    from deploy.stack.errors import DeployError, WrongRegion
    from kstream import ConfigurationError

    try:
        return run(options)
    except ConfigurationError as error:
        then = error.then if isinstance(error, DeployError) else _THEN.get(type(error).__name__)
        without = "region" if isinstance(error, WrongRegion) else None
        showing.error(error, then and showing.command(then, options, without=without), as_json=options.json)
        return FAILED
    except KeyboardInterrupt:
        showing.interrupted(showing.command(_same(options), options), as_json=options.json)
        return INTERRUPTED


def _same(options: argparse.Namespace) -> str:
    """What was called, but for where."""
    words = [options.command]
    words += [f"--{flag}" for flag in ("adopt", "replace-failed", "accept-loss") if _given(options, flag)]
    if _given(options, "delete-data"):
        words += ["--delete-data", *options.delete_data]
    return " ".join(words)


def _given(options: argparse.Namespace, flag: str) -> bool:
    return bool(getattr(options, flag.replace("-", "_"), False))


# Imported when it runs: the others of this program need no boto3.
def _plan(options: argparse.Namespace) -> int:
    from deploy.commands.plan import plan

    return plan(options)


def _up(options: argparse.Namespace) -> int:
    from deploy.commands.up import up

    return up(options)


def _status(options: argparse.Namespace) -> int:
    from deploy.commands.status import status

    return status(options)


def _down(options: argparse.Namespace) -> int:
    from deploy.commands.down import down

    return down(options)
