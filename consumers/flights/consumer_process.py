"""The consumer as a process of its own: ``kstream consume``, started, stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from consumers.flights.layout import DIRECTORY

if TYPE_CHECKING:
    from consumers.flights.layout import Layout

_CONSUMER = Path(__file__).with_name("demo_consumer.py")
_STOP_WITHIN_S = 30.0
_TAIL = 15


class ConsumerFailed(Exception):
    """The consumer's process ended when nobody told it to. The message holds the end of its log."""


class ConsumerProcess:
    """Runs from entering to leaving the context, but for what ``restart`` does. Used by one thread."""

    def __init__(self, where: Layout, *, stream: str, endpoint_url: str, batch_size: int) -> None:
        self._command = [
            sys.executable, "-m", "kstream.cli", "consume", str(_CONSUMER), "--stream", stream,
            "--endpoint-url", endpoint_url, "--state-dir", str(where.state), "--batch-size", str(batch_size),
            "--end-with-parent",
        ]  # fmt: skip
        self._environment = os.environ | {DIRECTORY: str(where.path)}
        self._log = where.consumer_log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def check(self) -> None:
        """Raises ``ConsumerFailed`` if it is not running."""
        if self._process is None or self._process.poll() is not None:
            code = self._process.returncode if self._process else "none"
            raise ConsumerFailed(f"the consumer ended by itself, with exit code {code}:\n{self._tail()}")

    def restart(self, how: signal.Signals) -> None:
        """Ends it by this signal, and starts it again."""
        self.stop(how)
        self._start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it by this signal and waits for it. Its exit code; a negative one is the signal that it died by."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(_STOP_WITHIN_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            assert process.stdin is not None
            process.stdin.close()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own command
                self._command,
                stdin=subprocess.PIPE,  # closes when we are gone, and then it ends
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle
            )

    def _tail(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-_TAIL:]
        return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"
