"""``make localstack`` where there is no Docker: LocalStack in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from tests.support.localstack.environment import VERSION, install
from tests.support.localstack.server import LocalStack
from tests.support.localstack.sharing import keep


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.localstack", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="of 127.0.0.1, 0 for a free one (default: %(default)s)")
    parser.add_argument("--install", action="store_true", help="install it, and that is all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="for the tests: run while somebody uses DIR")
    arguments = parser.parse_args()
    try:
        if arguments.install:
            install(_say)
        elif arguments.keep:
            keep(arguments.keep)
        else:
            return _run(arguments.port)
    except RuntimeError as error:
        _say(str(error))
        return 1
    return 0


def _run(port: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell that runs us in the background has us ignore Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        with LocalStack(port, log=sys.stderr.buffer, progress=_say) as localstack:
            _say(f"LocalStack {VERSION} answers on {localstack.endpoint_url}. Ctrl-C ends it; nothing is kept.")
            while localstack.alive:
                time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    _say("LocalStack has ended by itself.")
    return 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
