"""Threads that take jobs, and that the interpreter does not wait for when it ends."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Executor, Future
from functools import partial
from math import inf
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ParamSpec

    P = ParamSpec("P")

T = TypeVar("T")


class NoThreadFree(Exception):
    """Each thread that there may be has a job which has not ended."""


class Workers(Executor):
    """Daemon threads, kept from batch to batch with what a handler stores in them: ``most`` of them, and no more.

    A job starts at once or is refused: none waits behind another, which may never end. The standard library's pool would
    keep it waiting, and would be joined when the interpreter ends: one stuck handler, and Ctrl-C hangs.
    """

    def __init__(self, most: float = inf) -> None:
        self._most = most
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0
        self._idle = 0

    def submit(self, job: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Starts it, in the caller's context variables. Raises ``NoThreadFree``."""
        with self._lock:
            starts = not self._idle
            if not starts:
                self._idle -= 1
            elif self._count >= self._most:
                raise NoThreadFree(f"no thread is free: {self._count} have calls in hand that do not end")
            else:
                self._count += 1
        if starts:
            self._start_thread()
        future: Future[T] = Future()
        self._jobs.put((future, partial(contextvars.copy_context().run, job, *args, **kwargs)))
        return future

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name=f"kstream-{self._count}", daemon=True).start()
        except RuntimeError:  # the system gives no more of them
            with self._lock:
                self._count -= 1
            raise

    def start(self, jobs: Sequence[Callable[[], None]]) -> list[Future[None]]:
        """Starts the jobs, all at once."""
        return [self.submit(job) for job in jobs]

    def retire(self) -> None:
        """Lets each thread end once it has nothing in hand. Nothing may be started any more."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            future, job = given
            del given
            tell: Callable[[], None] | None = None
            if future.set_running_or_notify_cancel():
                tell = _outcome(future, job)
            with self._lock:
                self._idle += 1  # before it is told: whoever hears of it may have the next job
            if tell is not None:
                tell()
            del future, job, tell  # or an idle thread would keep the last batch in memory


def _outcome(future: Future[T], job: Callable[[], T]) -> Callable[[], None]:
    try:
        return partial(future.set_result, job())
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits, who raises it
        return partial(future.set_exception, error)
