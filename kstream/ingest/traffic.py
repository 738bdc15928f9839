"""Many records over a few lanes at once: threads around ``lanes`` and ``delivery``.

The caller's thread reads, encodes and counts; a lane's request runs on a pool. At most one request a lane is under way
and one more is waiting, so memory is bounded however many records pass.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from threading import Event
from typing import TYPE_CHECKING

from kstream.ingest.lanes import lane_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor, Future

    from kstream.ingest.delivery import Delivery
    from kstream.ingest.lanes import Lane
    from kstream.ingest.records import Item


class Traffic:
    """One ``put_many`` or ``put_all``. Used by the caller's thread alone.

    ``settle(items, stop)``  sends until all are settled, on a thread of ``executor``; once ``stop`` is set it retries
                             no more.
    ``settled(delivery)``    is called on the caller's thread for each; what it raises ends the traffic.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        executor: Executor,
        settle: Callable[[Sequence[Item], Event], Delivery],
        settled: Callable[[Delivery], None],
    ) -> None:
        self._lanes = lanes
        self._executor = executor
        self._settle = settle
        self._settled = settled
        self._under_way: dict[Future[Delivery], int] = {}
        self._stop = Event()

    def add(self, item: Item) -> None:
        """Takes a record, and sends when there is enough for a request. Blocks while its lane is full."""
        number = lane_of(item, len(self._lanes))
        lane = self._lanes[number]
        lane.add(item)
        while lane.full:
            if number in self._under_way.values():
                self._wait()
            else:
                self._send(number)

    def finish(self) -> None:
        """Sends the rest, and returns when all is settled."""
        while True:
            busy = set(self._under_way.values())
            for number, lane in enumerate(self._lanes):
                if lane and number not in busy:
                    self._send(number)
            if not self._under_way:
                return
            self._wait()

    def stop(self) -> tuple[list[Delivery], list[Item]]:
        """Ends early: what is under way gets no further attempt. Answers what that came to, and what was never sent.

        ``settled`` is not called for these.
        """
        self._stop.set()
        last = [future.result() for future in self._under_way if future.exception() is None]
        self._under_way.clear()
        unsent: list[Item] = []
        for lane in self._lanes:
            while lane:
                unsent += lane.take()
        return last, unsent

    def _send(self, number: int) -> None:
        future = self._executor.submit(self._settle, self._lanes[number].take(), self._stop)
        self._under_way[future] = number

    def _wait(self) -> None:
        done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        for future in done:
            # One by one: should ``settled`` raise, the others still stand here for ``stop``.
            del self._under_way[future]
            self._settled(future.result())
