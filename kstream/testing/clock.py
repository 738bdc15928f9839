"""Time that stands still until a test moves it."""

from __future__ import annotations

import threading


class VirtualClock:
    """``kstream.core.ports.Clock`` for tests: whoever sleeps moves it on, and returns at once. Thread-safe.

    ``start`` is in seconds since the epoch. ``monotonic()`` counts from 0.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        with self._lock:
            return self._start + self._elapsed

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed

    def advance(self, seconds: float) -> None:
        """Moves time on. Raises ``ValueError`` for a negative number: time does not go back."""
        if seconds < 0:
            raise ValueError(f"a clock cannot advance by {seconds} seconds")
        with self._lock:
            self._elapsed += seconds

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    async def sleep_async(self, seconds: float) -> None:
        import asyncio

        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)  # a real sleep lets the others run, and so does this
