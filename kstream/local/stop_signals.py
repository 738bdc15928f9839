"""Ctrl-C and SIGTERM, in order: the first stops in good order, the second at once."""

from __future__ import annotations

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
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.hurrying = threading.Event()
        self._first: Callable[[], None] | None = None
        self._again: Callable[[], None] = lambda: None
        self._before: list[tuple[signal.Signals, object]] = []

    def arm(self, first: Callable[[], None] = lambda: None, again: Callable[[], None] = lambda: None) -> None:
        self._first, self._again = first, again

    def __enter__(self) -> Self:
        self._before = [(number, signal.signal(number, self._caught)) for number in _SIGNALS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before:
            signal.signal(number, before)  # type: ignore[arg-type]  # as signal.signal gave it

    def _caught(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's form
        if not self.stopping.is_set():
            self.stopping.set()
            if self._first is None:
                raise KeyboardInterrupt
            self._first()
        else:
            self.hurrying.set()
            self._again()
