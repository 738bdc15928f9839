"""A consumer in a process of its own, so that new code is a new process and nothing of the old is left in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOOK_EVERY_S = 0.05
_SLOW_S = 1.0


class ConsumerProcess:
    """Runs ``kstream`` with ``arguments``: a ``kstream consume``.

    It ends when we do, however we end: its standard input is a pipe from us, which it watches. It shares our standard
    output and error, but not our process group: a Ctrl-C in the terminal is ours to pass on. Use from one thread.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        # -B: two versions of one size saved within one second would share the cached bytecode of the first.
        self._command = [sys.executable, "-B", "-m", "kstream.cli", *arguments, "--end-with-parent"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it. The one before must have ended."""
        assert not self.alive
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603

    def ended(self) -> int | None:
        """Its exit code if it has ended by itself since this was last asked; a signal's number is negative."""
        if self._process is None or self._process.poll() is None:
            return None
        return self._forget()

    def stop(self, *, patience: float, hurry: Callable[[], bool], slow: Callable[[], None] = lambda: None) -> bool:
        """Asks it to finish its batch and end, and waits. Says whether it did so.

        After ``patience`` seconds, or once ``hurry()`` is true, it is killed: its batch will be delivered again.
        ``slow`` is called once if it has not ended within a second.
        """
        if self._process is None:
            return True
        self._process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        told = False
        while self._process.poll() is None:
            waited = time.monotonic() - began
            if waited > _SLOW_S and not told:
                told = True
                slow()
            if hurry() or waited > patience:
                self._process.kill()
                self._process.wait()
                self._forget()
                return False
            time.sleep(_LOOK_EVERY_S)
        self._forget()
        return True

    def _forget(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        if process.stdin:
            process.stdin.close()
        return process.returncode


def end_with_parent(stop: Callable[[], None]) -> None:
    """In the child: calls ``stop`` once the parent is gone. Blocks until then; give it a daemon thread."""
    # Nothing is ever written to the pipe, so what can be read is its end.
    while os.read(0, 1):
        pass
    stop()
