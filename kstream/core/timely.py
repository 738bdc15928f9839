"""Calls that can only be bounded from outside: given up when their time is over."""

from __future__ import annotations

import contextvars
import threading
from math import inf
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MOST_AT_ONCE = 256
"""Calls of one process that are under way in threads of their own, those included that were given up and have not ended."""

_room = threading.BoundedSemaphore(MOST_AT_ONCE)


def call_within(seconds: float, call: Callable[[], T], *, discard: Callable[[T], object] | None = None) -> T:
    """What ``call`` returns or raises, if it does so within ``seconds``. Raises ``TimeoutError`` if not.

    A call that is given up goes on by itself, in a daemon thread, until it ends as it may; what it then returns is handed
    to ``discard``. There are never more than ``MOST_AT_ONCE`` of them: where as many hang, a further one is refused at once,
    as a ``TimeoutError`` too. With endless time the call is made on the caller's own thread.
    """
    if seconds == inf:
        return call()
    return _Call(call, discard).result(seconds)


class _Call(Generic[T]):
    """One call in a thread of its own, in the caller's context variables."""

    def __init__(self, call: Callable[[], T], discard: Callable[[T], object] | None) -> None:
        self._call = call
        self._discard = discard
        self._context = contextvars.copy_context()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._given_up = False
        self._results: list[T] = []
        self._error: BaseException | None = None

    def result(self, seconds: float) -> T:
        if not _room.acquire(blocking=False):
            raise TimeoutError(f"no answer: {MOST_AT_ONCE} earlier calls have not ended")
        try:
            threading.Thread(target=self._work, name="kstream-in-time", daemon=True).start()
        except RuntimeError:  # the system gives no more of them
            _room.release()
            raise
        self._ended.wait(min(seconds, threading.TIMEOUT_MAX))
        with self._lock:
            self._given_up = not self._ended.is_set()
        if self._given_up:
            raise TimeoutError(f"no answer within {seconds:.2g} s")
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _work(self) -> None:
        try:
            result = self._context.run(self._call)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, who raises it
            self._error = error
            _room.release()  # before it is told: whoever hears of it may make the next call
            self._ended.set()
            return
        _room.release()
        with self._lock:
            if not self._given_up:
                self._results.append(result)
                self._ended.set()
                return
        if self._discard is not None:
            self._discard(result)
