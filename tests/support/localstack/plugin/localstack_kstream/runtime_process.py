"""The process of a sandbox: started with a Runtime API of its own, watched, and killed with all its children."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .runtime_api import Kind, RuntimeApi, Signal

if TYPE_CHECKING:
    from .sandbox import Function

_RUNTIME = Path(__file__).with_name("runtime.py")


class RuntimeProcess:
    def __init__(self, function: Function, directory: Path, log: Path) -> None:
        """Start it in the function's code. ``directory`` is its home; ``log`` takes what it writes."""
        self.api = RuntimeApi()
        theirs, self._lifeline = os.pipe()
        temporary = directory / "tmp"
        temporary.mkdir(exist_ok=True)
        # As in Lambda the function's own code comes first, so that what it brings along hides what is provided.
        import_path = [str(function.code), function.environment.get("PYTHONPATH", ""), *map(str, function.import_path)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [function.python, "-P", _RUNTIME, function.handler, str(theirs)],
                cwd=function.code,
                env={
                    "HOME": str(directory),
                    "PATH": os.defpath,
                    "PYTHONUNBUFFERED": "1",
                    "TMPDIR": str(temporary),
                    **function.environment,
                    "AWS_LAMBDA_RUNTIME_API": self.api.address,
                    "PYTHONPATH": os.pathsep.join(filter(None, import_path)),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs,),
                start_new_session=True,  # so that one signal reaches its children too
            )
        os.close(theirs)
        self._ending = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name=f"watch-{self._process.pid}").start()

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def next(self, within_s: float, *, answer_to: str | None = None) -> Signal | None:
        """What it tells next, or, with ``answer_to``, its answer to that request; None when the time is over."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                told = self.api.signals.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if answer_to is None or told.kind in (Kind.ENDED, Kind.STOPPED) or told.request_id == answer_to:
                return told

    def peak_memory_mb(self) -> int:
        """The most memory that it has had so far; 0 if it has ended."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024
        return 0

    def end(self) -> str:
        """Kill it and its children, and say how it ended."""
        with self._ending:
            if self._lifeline >= 0:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                os.close(self._lifeline)
                self._lifeline = -1
                self.api.close()
        code = self._process.wait()
        return f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def stop(self) -> None:
        """End it; whoever waits for what it tells learns that it was stopped."""
        self.api.signals.put(Signal(Kind.STOPPED))
        self.end()

    def _watch(self) -> None:
        # Not wait(), which would give the process's id away while `end` still needs it. It may have done so already.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self._ended.set()
        self.api.signals.put(Signal(Kind.ENDED))
