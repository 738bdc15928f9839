"""The mapping's place in one shard: what has been read, and the checkpoint that it would start from again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.core.delivery.shard import ShardDelivery

if TYPE_CHECKING:
    from random import Random

    from kstream.core.mapping import EventSourceMapping
    from kstream.testing.simulator.stream import SimulatedShard


class ShardReader:
    """``delivery`` is the state machine at work; after a restart it is another one."""

    def __init__(self, shard: SimulatedShard, mapping: EventSourceMapping) -> None:
        self.shard = shard
        self._mapping = mapping
        self.stored: str | None = None
        self.restart()

    def restart(self) -> None:
        """Starts over from the stored checkpoint."""
        self.delivery = ShardDelivery(self._mapping, self.shard.id, checkpoint=self.stored)
        self._next = self.shard.after(self.stored)

    @property
    def read_to_its_end(self) -> bool:
        return self._next >= len(self.shard.carriers)

    def read(self, random: Random, now: float) -> bool:
        """Reads a page of what has arrived. Says whether there was any."""
        carriers, first = self.shard.carriers, self._next
        if first >= len(carriers):
            if self.shard.closed:
                self.delivery.close()
            return False
        if carriers[first].record.arrived_at > now:
            return False
        page = []
        most = min(self.delivery.room(), random.randint(1, 12))
        for carrier in carriers[first : first + most]:
            if carrier.record.arrived_at > now:
                break
            page.append(carrier.record)
        self._next += len(page)
        self.delivery.offer(page, now)
        return bool(page)

    def next_arrival(self) -> float | None:
        return None if self.read_to_its_end else self.shard.carriers[self._next].record.arrived_at
