"""A thread that speaks up when a batch outlives its deadline: the batch's own thread may be stuck, and be ended so."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S = 0.1

_log = logging.getLogger("kstream")


class Overdue:
    """Calls ``late``, in a daemon thread of its own, if what was ``set`` is not ``clear``ed in time.

    ``late``  is called once for each time that it was set. What it raises is logged.

    One thread for the life of the process, because one for each invocation would cost more than the invocation. It is
    woken as seldom as can be: it sleeps until a time that is over, and only then looks whether that one still counts.
    So it may be frozen and thawed with its process at any point: where it wakes, it looks at the clock and at what is set
    now. ``set`` and ``clear`` are for one thread.

    A handler that never lets go of the interpreter's lock, in C code, stops this thread as well.
    """

    def __init__(self, late: Callable[[], None]) -> None:
        self._late = late
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None
        self._due: float | None = None
        self._wakes_at = math.inf

    def set(self, seconds: float) -> None:
        """From now on there are so many seconds until ``late`` is called. Where it still has not ended, it is not again."""
        due = time.monotonic() + seconds
        if not self._changed.acquire(timeout=_PATIENCE_S):
            return
        try:
            self._due = due
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="kstream-overdue", daemon=True)
                self._thread.start()
            elif due < self._wakes_at:
                self._changed.notify()
        finally:
            self._changed.release()

    def clear(self) -> None:
        """Not late any more. On return ``late`` is not under way, unless it takes so long that nobody can wait for it."""
        # Else it would speak of a batch that is over, or of the one after it.
        waited = self._changed.acquire(timeout=_PATIENCE_S)
        self._due = None
        if waited:
            self._changed.release()

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._due is None:
                    self._sleep_until(math.inf)
                elif now < self._due:
                    self._sleep_until(self._due)
                else:
                    self._due = None
                    self._speak()

    def _sleep_until(self, moment: float) -> None:
        self._wakes_at = moment
        self._changed.wait(None if moment == math.inf else moment - time.monotonic())

    def _speak(self) -> None:
        try:
            self._late()
        except Exception:  # noqa: BLE001 - whatever it was, the thread must be there for the next batch
            _log.exception("a batch has outlived its deadline, and nothing more can be said of it")
