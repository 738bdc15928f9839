"""Many records over a few lanes at once: tasks of an event loop around ``lanes`` and ``delivery``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kstream.ingest.lanes import Flow

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from kstream.ingest.delivery import Delivery
    from kstream.ingest.lanes import Lane
    from kstream.ingest.records import Item


class AsyncTraffic:
    """``Traffic`` with coroutines. Used by one task alone."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        settle: Callable[[Sequence[Item], asyncio.Event], Coroutine[Any, Any, Delivery]],
        settled: Callable[[Delivery], None],
    ) -> None:
        self._flow = Flow(lanes, self._start)
        self._settle = settle
        self._settled = settled
        self._under_way: dict[asyncio.Task[Delivery], int] = {}
        self._stop = asyncio.Event()

    async def add(self, item: Item) -> None:
        """Takes a record. Waits while its lane is full."""
        for _ in self._flow.add(item):
            await self._wait()

    async def finish(self) -> None:
        """Sends the rest, and returns when all is settled."""
        for _ in self._flow.finish():
            await self._wait()

    async def stop(self, *, cancel: bool = False) -> tuple[list[Delivery], list[Item]]:
        """``Traffic.stop``. ``cancel`` does not even wait for answers; records that were under way are not in what it
        returns, for nobody knows what became of them."""
        self._stop.set()
        if cancel:
            for task in self._under_way:
                task.cancel()
        ends = await asyncio.gather(*self._under_way, return_exceptions=True)
        self._under_way.clear()
        return [end for end in ends if not isinstance(end, BaseException)], self._flow.take_unsent()

    def _start(self, number: int, items: list[Item]) -> None:
        self._under_way[asyncio.create_task(self._settle(items, self._stop))] = number

    async def _wait(self) -> None:
        done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            # One by one: should ``settled`` raise, the others still stand here for ``stop``.
            self._flow.settled(self._under_way.pop(task))
            self._settled(task.result())
