"""The ``kstream`` command as a real process, with what it says in a file."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

KSTREAM = [sys.executable, "-m", "kstream.cli"]


def kstream(*arguments: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    done = subprocess.run([*KSTREAM, *arguments], cwd=cwd, input=stdin, capture_output=True, timeout=240, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


class Running:
    """A command that runs from entering to leaving; its standard output and error are ``said``. Killed if need be."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._arguments = arguments
        self._cwd = cwd
        self._said = cwd / "said.txt"

    def __enter__(self) -> Self:
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*KSTREAM, *self._arguments], cwd=self._cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if error is not None:
            error.add_note(f"It said:\n{self.said}")

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until it has said ``text`` so many times. Fails if it ends before, or says nothing of it in a minute."""
        ended = within_a_minute(lambda: self.said.count(text) >= times or self.process.poll() is not None)
        assert ended, f"it never said {text!r}"
        assert self.said.count(text) >= times, f"it ended with {self.process.poll()} without saying {text!r}"

    def interrupt(self) -> int:
        """As Ctrl-C does; answers its exit code."""
        return self.end(signal.SIGINT)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Its exit code, once it has one."""
        return self.process.wait(120)
