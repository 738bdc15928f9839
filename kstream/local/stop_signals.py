"""Ctrl-C and SIGTERM, in order: the first stops in good order, the second at once."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """A context manager, for the main thread.

    Until ``arm`` is called, the first signal raises ``KeyboardInterrupt``, as while something is starting, and further
    ones do nothing, because what was started is being ended. From ``arm`` on, the first sets ``stopping`` and calls
    ``first``; every further one sets ``hurrying`` and calls ``again``.

    Once armed, signals are heard by a thread of their own, and both functions are called there. The main thread may be
    inside a user's handler, which need not come back to Python for a long time; and of two signals sent at once the
    kernel gives one to another thread, which does not wake the main thread at all.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.hurrying = threading.Event()
        self._armed = False
        self._first: Callable[[], None] = lambda: None
        self._again: Callable[[], None] = lambda: None
        self._before: list[tuple[signal.Signals, object]] = []
        self._wakeup_before = -1
        self._wakeup = -1

    def arm(self, first: Callable[[], None] = lambda: None, again: Callable[[], None] = lambda: None) -> None:
        self._first, self._again = first, again
        self._armed = True

    def __enter__(self) -> Self:
        heard, self._wakeup = os.pipe()
        # Python writes the number of each signal here, on whatever thread the signal comes.
        os.set_blocking(self._wakeup, False)
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup)
        threading.Thread(target=self._listen, args=(heard,), name="stop-signals", daemon=True).start()
        self._before = [(number, signal.signal(number, self._caught)) for number in _SIGNALS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before:
            signal.signal(number, before)  # type: ignore[arg-type]  # as signal.signal gave it
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._wakeup)

    def _caught(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's form
        if not self._armed and not self.stopping.is_set():
            self.stopping.set()
            raise KeyboardInterrupt

    def _listen(self, heard: int) -> None:
        """Until the other end is closed."""
        while numbers := os.read(heard, 64):
            for number in numbers:
                if number not in _SIGNALS or not self._armed:
                    continue
                if not self.stopping.is_set():
                    self.stopping.set()
                    self._first()
                else:
                    self.hurrying.set()
                    self._again()
        os.close(heard)
