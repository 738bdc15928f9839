"""Threads that take jobs, and that the interpreter does not wait for when it ends."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Job = tuple[Future[None], Callable[[], None]]


class Workers:
    """Daemon threads, kept from batch to batch with what a handler stores in them. Used by one thread.

    The standard library's pool would be joined when the interpreter ends: one stuck handler, and Ctrl-C hangs.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._count = 0

    def start(self, jobs: Sequence[Callable[[], None]]) -> list[Future[None]]:
        """Starts the jobs, all at once, in the caller's context variables. Every job of an earlier call must have ended."""
        futures: list[Future[None]] = []
        for job in jobs:
            future: Future[None] = Future()
            self._jobs.put((future, _in_context(job)))
            futures.append(future)
        while self._count < len(jobs):
            self._count += 1
            threading.Thread(target=_work, args=(self._jobs,), name=f"kstream-{self._count}", daemon=True).start()
        return futures

    def retire(self) -> None:
        """Lets each thread end once it has nothing in hand. Harmless when repeated."""
        for _ in range(self._count):
            self._jobs.put(None)
        self._count = 0
        self._jobs = SimpleQueue()


def _in_context(job: Callable[[], None]) -> Callable[[], None]:
    context = contextvars.copy_context()
    return lambda: context.run(job)


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while (given := jobs.get()) is not None:
        future, job = given
        del given
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, who raises it
            future.set_exception(error)
        else:
            future.set_result(None)
        del future, job  # or an idle thread would keep the last batch in memory
