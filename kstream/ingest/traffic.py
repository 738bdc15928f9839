"""Many records over a few lanes at once: threads around ``lanes`` and ``delivery``.

The caller's thread reads, encodes and counts; a lane's request runs on a pool.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from threading import Event
from typing import TYPE_CHECKING

from kstream.ingest.errors import ClientClosed
from kstream.ingest.lanes import Flow
from kstream.ingest.putting import Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from kstream.ingest.delivery import Delivery
    from kstream.ingest.lanes import Lane
    from kstream.ingest.records import Item


class Traffic:
    """One ``put_many`` or ``put_all``. Used by the caller's thread alone. ``add`` and ``finish`` raise ``Ended`` once the
    executor has been shut down.

    ``begin(items)``            makes the delivery of a request's records, on the caller's thread.
    ``settle(delivery, stop)``  sends until all are settled, on a thread of ``executor``; once ``stop`` is set it retries
                                no more.
    ``settled(delivery)``       is called on the caller's thread for each; what it raises ends the traffic.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        executor: Executor,
        begin: Callable[[Sequence[Item]], Delivery],
        settle: Callable[[Delivery, Event], Delivery],
        settled: Callable[[Delivery], None],
    ) -> None:
        self._flow = Flow(lanes, self._start)
        self._executor = executor
        self._begin = begin
        self._settle = settle
        self._settled = settled
        self._under_way: dict[Future[Delivery], int] = {}
        self._stop = Event()
        self._refused: list[Item] = []

    def add(self, item: Item) -> None:
        """Takes a record. Blocks while its lane is full."""
        for _ in self._flow.add(item):
            self._wait()

    def finish(self) -> None:
        """Sends the rest, and returns when all is settled."""
        for _ in self._flow.finish():
            self._wait()

    def stop(self) -> tuple[list[Delivery], list[Item]]:
        """Ends early: what is under way gets no further attempt. Answers what that came to, and what was never sent.

        ``settled`` is not called for these.
        """
        self._stop.set()
        last = [future.result() for future in self._under_way if future.exception() is None]
        self._under_way.clear()
        return last, self._refused + self._flow.take_unsent()

    def _start(self, number: int, items: list[Item]) -> None:
        delivery = self._begin(items)
        try:
            self._under_way[self._executor.submit(self._settle, delivery, self._stop)] = number
        except RuntimeError:
            # Closed by another thread, meanwhile.
            self._refused += items
            raise Ended(ClientClosed()) from None

    def _wait(self) -> None:
        done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        for future in done:
            # One by one: should ``settled`` raise, the others still stand here for ``stop``.
            self._flow.settled(self._under_way.pop(future))
            self._settled(future.result())
