"""Which records go together into a request, and which wait, so that order per partition key is kept. No I/O.

A lane has one request under way at a time, and a partition key always goes by the same lane. So no request overtakes an
earlier one with records of the same key, retries included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kstream.ingest.records import Item


class Lane:
    """Records that wait for this lane's next request: up to about one request's worth.

    ``max_records``, ``max_bytes``  of one request; a record beyond the bytes goes alone.
    ``one_per_key``                 a request holds at most one record of each partition key.
    """

    def __init__(self, max_records: int, max_bytes: int, *, one_per_key: bool = False) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._one_per_key = one_per_key
        self._waiting: list[Item] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._max_records or self._bytes >= self._max_bytes

    def add(self, item: Item) -> None:
        """Also beyond ``full``: whoever adds asks first."""
        self._waiting.append(item)
        self._bytes += len(item.fragment) + 1

    def take(self) -> list[Item]:
        """The next request's records, oldest first; empty only if none wait."""
        taken: list[Item] = []
        left: list[Item] = []
        held: set[str] = set()
        size = 0
        closed = False
        for item in self._waiting:
            weight = len(item.fragment) + 1
            if closed or (self._one_per_key and item.key in held):
                left.append(item)
            elif taken and (len(taken) == self._max_records or size + weight > self._max_bytes):
                # Nothing behind it may pass: a later record of its key could be small enough.
                closed = True
                left.append(item)
            else:
                taken.append(item)
                size += weight
                if item.key is not None:
                    held.add(item.key)
        self._waiting = left
        self._bytes -= size
        return taken


def lane_of(item: Item, lanes: int) -> int:
    """A key's lane; records without a key take turns."""
    if lanes == 1:
        return 0
    return (item.ordinal if item.key is None else crc32(item.key.encode())) % lanes


class Flow:
    """Records over several lanes. ``start(number, items)`` sends a lane's request; ``settled(number)`` says it is done.

    At most one request a lane is under way and one more is waiting, so memory is bounded however many records pass. Its
    iterators yield whenever some request has to settle first; a thread and an event loop can wait for that alike.
    """

    def __init__(self, lanes: Sequence[Lane], start: Callable[[int, list[Item]], None]) -> None:
        self._lanes = lanes
        self._start = start
        self._busy: set[int] = set()

    def add(self, item: Item) -> Iterator[None]:
        """Takes a record, and sends when there is enough for a request."""
        number = lane_of(item, len(self._lanes))
        lane = self._lanes[number]
        lane.add(item)
        while lane.full:
            if number in self._busy:
                yield
            else:
                self._send(number)

    def finish(self) -> Iterator[None]:
        """Sends the rest, until all is settled."""
        while True:
            for number, lane in enumerate(self._lanes):
                if lane and number not in self._busy:
                    self._send(number)
            if not self._busy:
                return
            yield

    def settled(self, number: int) -> None:
        self._busy.discard(number)

    def take_unsent(self) -> list[Item]:
        """What was never sent, and now never will be."""
        unsent: list[Item] = []
        for lane in self._lanes:
            while lane:
                unsent += lane.take()
        return unsent

    def _send(self, number: int) -> None:
        self._busy.add(number)
        self._start(number, self._lanes[number].take())
