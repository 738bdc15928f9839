"""Runs LocalStack, and ends it when the process that started it is gone.

The arguments are the starter's process id. Standard input is a pipe from the starter: whichever way that ends, even
killed, the pipe closes; should a forked child of the starter still hold it, the changed parent id tells.
"""

from __future__ import annotations

import os
import runpy
import select
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

_LOOK_EVERY_S = 0.5
_GRACE_S = 15.0


def _end_with(starter: int) -> None:
    while os.getppid() == starter:
        closed, _, _ = select.select([sys.stdin.fileno()], [], [], _LOOK_EVERY_S)
        if closed:  # nothing is ever written to it
            break
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    _clean_up()
    os._exit(1)


def _clean_up() -> None:
    """Remove the directory that we run in: the starter, who made it, cannot any more."""
    shutil.rmtree(Path.cwd(), ignore_errors=True)


if __name__ == "__main__":
    starter = int(sys.argv.pop(1))
    os.environ["STARTER"] = str(os.getpid())  # kinesis-local ends with the process of this id
    threading.Thread(target=_end_with, args=(starter,), daemon=True, name="end-with-starter").start()
    try:
        runpy.run_module("localstack.runtime.main", run_name="__main__", alter_sys=True)
    finally:
        if os.getppid() != starter:
            _clean_up()
