"""The command line, ``kstream``. Its libraries come with the extra ``local`` and are imported when it runs."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDED = ("typer", "rich", "boto3", "httpx", "uvicorn", "watchfiles")


def main() -> None:
    """Runs the command that ``sys.argv`` names, and exits."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(f"kstream: the command line needs {', '.join(missing)}: pip install 'kstream[local]'")
    from kstream.cli.app import build

    build(terminal=sys.stdout.isatty())(prog_name="kstream")
