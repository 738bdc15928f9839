"""One execution environment of a Lambda function: a process with a runtime in it, and the Runtime API that it asks.

The process may end by itself, or be killed when an invocation takes too long. The next invocation then makes a new one,
as Lambda does.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .runtime_api import Invocation, Kind
from .runtime_process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .runtime_api import Signal

_MOST_BYTES = 6 * 1024 * 1024  # of an answer: Lambda's quota for synchronous invocations
_INIT_WITHIN_S = 60.0  # Lambda gives ten seconds; a machine that runs tests may be slow


@dataclass(frozen=True, slots=True)
class Function:
    """What runs in a sandbox. ``environment`` is all that it sees of any environment."""

    python: Path
    handler: str
    code: Path
    timeout_s: int
    memory_mb: int
    version: str = "$LATEST"
    environment: Mapping[str, str] = field(default_factory=dict)
    import_path: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation came to. ``body`` is JSON: what the handler returned or, if it failed, the error."""

    body: bytes
    failed: bool
    log: str


class InitError(Exception):
    """The runtime did not come to its first invocation; ``body`` says why, as Lambda's JSON."""

    def __init__(self, body: bytes, log: str) -> None:
        super().__init__(f"{body.decode(errors='replace')}\n{log}")
        self.body = body


class SandboxStoppedError(Exception):
    """The sandbox was stopped during an invocation."""


class Sandbox:
    """One invocation at a time; ``stop`` may come at any time from any thread."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._directory = Path(tempfile.mkdtemp(prefix="sandbox-"))
        self._log = self._directory / "log"
        self._read = 0
        self._process: RuntimeProcess | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Return when the runtime asks for its first invocation. Raises ``InitError``."""
        with self._lock:
            if self._stopped:
                raise SandboxStoppedError("The sandbox was stopped before it started")
            process = self._process = RuntimeProcess(self._function, self._directory, self._log)
        signal = process.next(_INIT_WITHIN_S)
        if signal is not None and signal.kind is Kind.READY:
            return
        how = process.end()
        if signal is None:
            body = _error("Sandbox.Timedout", f"Error: Init timed out after {_INIT_WITHIN_S:.2f} seconds")
        elif signal.kind is Kind.INIT_ERROR:
            body = signal.body
        elif signal.kind is Kind.STOPPED:
            raise SandboxStoppedError("The sandbox was stopped while it started")
        else:
            body = _error("Runtime.ExitError", f"Error: Runtime exited during init: {how}")
        raise InitError(body, self._new_log())

    def invoke(self, request_id: str, payload: bytes, headers: Mapping[str, str]) -> Outcome:
        """Run one invocation to its end. ``headers`` are those of the Runtime API beside the id and the deadline.

        Raises ``SandboxStoppedError`` if the sandbox is stopped meanwhile.
        """
        try:
            process = self._living_process()
        except InitError as error:
            return Outcome(error.body, failed=True, log=str(error))
        started = time.monotonic()
        deadline_ms = int((time.time() + self._function.timeout_s) * 1000)
        process.api.offer(
            Invocation(
                {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                    **headers,
                },
                payload,
            )
        )
        signal = process.next(self._function.timeout_s, answer_to=request_id)
        took_ms = (time.monotonic() - started) * 1000
        peak_mb = process.peak_memory_mb()
        body, failed, last_words = self._verdict(process, signal, request_id)
        log = [
            f"START RequestId: {request_id} Version: {self._function.version}",
            *self._new_log().splitlines(),
            *([f"RequestId: {request_id} {last_words}"] if last_words else []),
            f"END RequestId: {request_id}",
            _report(request_id, took_ms, self._function.memory_mb, peak_mb),
        ]
        return Outcome(body, failed, "\n".join(log))

    def _living_process(self) -> RuntimeProcess:
        if self._process is None or not self._process.alive:
            if self._process is not None:
                self._process.end()
            self.start()
        assert self._process is not None
        return self._process

    def _verdict(self, process: RuntimeProcess, signal: Signal | None, request_id: str) -> tuple[bytes, bool, str]:
        """What to answer, whether that is a failure, and what Lambda adds to the log."""
        if signal is None:
            process.end()
            words = f"Task timed out after {self._function.timeout_s:.2f} seconds"
            return _error("Sandbox.Timedout", f"RequestId: {request_id} Error: {words}"), True, words
        if signal.kind is Kind.STOPPED:
            raise SandboxStoppedError(f"The sandbox was stopped during invocation {request_id}")
        if signal.kind is Kind.ENDED:
            words = f"Error: Runtime exited with error: {process.end()}"
            return _error("Runtime.ExitError", f"RequestId: {request_id} {words}"), True, words
        if signal.kind is Kind.ANSWER and len(signal.body) > _MOST_BYTES:
            words = (
                f"Response payload size ({len(signal.body)} bytes) exceeded maximum allowed payload size "
                f"({_MOST_BYTES} bytes)."
            )
            return _error("Function.ResponseSizeTooLarge", words), True, words
        return signal.body, signal.kind is not Kind.ANSWER, ""

    def stop(self) -> None:
        """End the process, whatever it does, and remove what is on disk."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def log(self) -> str:
        """All that the function has written so far."""
        try:
            return self._log.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _new_log(self) -> str:
        """What was written since this was last called. It is a file, so what came before an answer is there."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._read)
                new = log.read()
        except FileNotFoundError:
            return ""
        self._read += len(new)
        return new.decode("utf-8", "replace")


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _report(request_id: str, took_ms: float, memory_mb: int, peak_mb: int) -> str:
    return (
        f"REPORT RequestId: {request_id}\tDuration: {took_ms:.2f} ms\tBilled Duration: {int(took_ms) + 1} ms\t"
        f"Memory Size: {memory_mb} MB\tMax Memory Used: {peak_mb} MB"
    )
