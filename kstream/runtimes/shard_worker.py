"""One shard in work: when to read it, what is held of it, and what of its checkpoint is stored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kstream.core.errors import ReadError

if TYPE_CHECKING:
    from kstream.core.delivery.shard import ShardDelivery
    from kstream.core.shards import Page, ShardReader

# Lambda reads a shard once a second, and on while there is more; a shard takes five reads a second.
_IDLE_S = 1.0
_BUSY_S = 0.2
_HURRIED_IDLE_S = 0.05
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0


class ShardWorker:
    """A shard's reader and its delivery. Not thread-safe.

    ``stored``     the checkpoint that is known to be stored.
    ``at_tip``     the last page said that there was nothing more to read just then.
    """

    def __init__(self, shard_id: str, reader: ShardReader, delivery: ShardDelivery, *, hurry: bool) -> None:
        self.shard_id = shard_id
        self.delivery = delivery
        self.stored = delivery.checkpoint
        self.at_tip = False
        self._reader = reader
        self._idle = _HURRIED_IDLE_S if hurry else _IDLE_S
        self._busy = 0.0 if hurry else _BUSY_S
        self._at_end = False
        self._next_read = -math.inf
        self._failures = 0

    @property
    def caught_up(self) -> bool:
        return self.at_tip and self.delivery.idle

    def wants_to_read(self, now: float) -> bool:
        return not self._at_end and now >= self._next_read and self.delivery.room() > 0

    def next_step(self) -> float:
        """When there may be something to do, in epoch seconds; infinity: not before a delivery is settled."""
        due = self.delivery.next_due()
        at = math.inf if due is None else due
        if not self._at_end and self.delivery.room() > 0:
            at = min(at, self._next_read)
        return at

    def read(self, now: float) -> Page:
        """Reads a page into the delivery. Raises ``ReadError`` after having put off the next read."""
        try:
            page = self._reader.read(self.delivery.room())
        except ReadError:
            self._put_off(now)
            raise
        if page.throttled:
            self._put_off(now)
            return page
        self._failures = 0
        self.delivery.offer(page.records, now)
        more = bool(page.records) or page.behind_ms > 0
        self.at_tip = not more or page.ended
        self._next_read = now + (self._busy if more else self._idle)
        if page.ended:
            self._at_end = True
            self.delivery.close()
        return page

    def pause(self, now: float) -> float:
        """Seconds until the next read."""
        return max(0.0, self._next_read - now)

    def _put_off(self, now: float) -> None:
        self.at_tip = False
        self._next_read = now + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._failures += 1
