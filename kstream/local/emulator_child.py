"""Run by the emulator's own interpreter: MiniStack, which ends when the process that started it is gone.

It runs as a file, never imported: kstream is not installed where it runs. Its only argument is the starter's process
id, its standard input a pipe from the starter. Whichever way the starter ends, even killed, the pipe closes; should a
forked child of the starter still hold the pipe, the changed parent id tells. Then MiniStack gets the same SIGTERM as
from ``Emulator.stop``, so that it saves its state.

Two of MiniStack's habits are changed before it runs. Its version is pinned by hash, so they are known.
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

_LOOK_EVERY_S = 1.0
# Longer than saving may take: MiniStack gives itself 60 s.
_GRACE_S = 90.0
_EXPIRE_ITERATORS_EVERY_S = 30.0


def _end_with(starter: int) -> None:
    while os.getppid() == starter:
        closed, _, _ = select.select([sys.stdin.fileno()], [], [], _LOOK_EVERY_S)
        if closed:  # nothing is ever written to it
            break
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


def _stop_at_once() -> None:
    """Do not wait for clients to close idle connections, which the server else does for 3 s before it saves."""
    from hypercorn.config import Config  # type: ignore[import-not-found]  # in its environment, not ours

    Config.graceful_timeout = 0.2


def _keep_records() -> None:
    """Never expire a record, and look for expired iterators now and then only.

    MiniStack looks at every record of the stream on every request: with 300,000 of them an empty GetRecords takes
    50 ms. Worse, its iterators count records from the start of the shard, so that each record that expires makes a
    reader skip one.
    """
    from ministack.services import kinesis  # type: ignore[import-not-found]

    expire_iterators = kinesis._expire_iterators  # noqa: SLF001
    last = time.monotonic()

    def now_and_then() -> None:
        nonlocal last
        if time.monotonic() - last > _EXPIRE_ITERATORS_EVERY_S:
            last = time.monotonic()
            expire_iterators()

    def never(_stream: object) -> None:
        pass

    kinesis._expire_iterators = now_and_then  # noqa: SLF001
    kinesis._expire_records = never  # noqa: SLF001


if __name__ == "__main__":
    _stop_at_once()
    _keep_records()
    starter = int(sys.argv.pop(1))
    threading.Thread(target=_end_with, args=(starter,), daemon=True, name="end-with-starter").start()
    try:
        runpy.run_module("ministack", run_name="__main__", alter_sys=True)
    finally:
        if os.getppid() != starter:  # else the starter removes it, when it has read the log
            shutil.rmtree(Path.cwd(), ignore_errors=True)
