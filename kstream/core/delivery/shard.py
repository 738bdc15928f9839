"""The event source mapping at work on one shard: lanes, bounded memory, and the checkpoint.

With a parallelization factor above 1 a record's lane follows from its *outer* partition key alone (which hash AWS uses
is not published; any hash keeps the promise), so order holds per outer key. Lanes interleave, so the checkpoint is the
end of the settled *prefix*: it never passes a record that is not settled, however many behind it are.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING
from zlib import crc32

from kstream.core.delivery.backoff import exponential_backoff
from kstream.core.delivery.lane import Lane
from kstream.core.errors import ConfigurationError
from kstream.core.events import ENVELOPE_BYTES, entry_bytes
from kstream.core.mapping import MAX_PAYLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.delivery.answer import Verdict
    from kstream.core.delivery.backoff import Backoff
    from kstream.core.delivery.batch import Delivery, Discard, StreamRecord
    from kstream.core.mapping import EventSourceMapping

GET_RECORDS_LIMIT = 10_000  # records in one GetRecords answer


class ShardDelivery:
    """Decides what of a shard is delivered when, and what its checkpoint is. Deterministic; not thread-safe.

    ``checkpoint``      where an earlier one left off; records at or before it must not be offered.
    ``payload_limit``   bytes of one event's JSON.
    ``envelope``        bytes that a record's entry takes apart from its own key, number and payload; see
                        ``kstream.core.events.envelope_bytes``.
    ``backoff``         seconds before each retry, and before a refused discard is tried again.

    Raises ``ConfigurationError`` for a mapping with a tumbling window: windows are not delivered here.
    """

    def __init__(
        self,
        mapping: EventSourceMapping,
        shard_id: str,
        *,
        checkpoint: str | None = None,
        payload_limit: int = MAX_PAYLOAD_BYTES,
        envelope: int = ENVELOPE_BYTES,
        backoff: Backoff | None = None,
    ) -> None:
        if mapping.tumbling_window:
            raise ConfigurationError("tumbling windows are not delivered here; set tumbling_window=0")
        factor = mapping.parallelization_factor
        ids = count(1)
        self.shard_id = shard_id
        self._envelope = envelope
        self._lanes = [
            Lane(
                number,
                shard_id,
                mapping,
                payload_limit=payload_limit,
                backoff=backoff or exponential_backoff(),
                next_id=lambda: f"{shard_id}/{next(ids)}",
            )
            for number in range(factor)
        ]
        self._turn = 0
        self._checkpoint = checkpoint
        self._last_offered = int(checkpoint) if checkpoint is not None else -1
        self._closed = False
        # Enough to fill every lane, and one fetch on top, so that a small rest never holds up a large one.
        self._record_capacity = mapping.batch_size * factor + GET_RECORDS_LIMIT
        self._byte_capacity = 2 * payload_limit * factor
        self._pending = 0
        self._pending_bytes = 0
        # With one lane records settle in order. Else: what is not settled from the checkpoint on, in order, and what
        # is settled beyond it.
        self._order: deque[str] = deque()
        self._beyond: set[str] = set()

    @property
    def checkpoint(self) -> str | None:
        """The highest sequence number such that it and everything before it is settled; None at the start."""
        return self._checkpoint

    @property
    def pending(self) -> int:
        """Records that were offered and are not settled."""
        return self._pending

    @property
    def idle(self) -> bool:
        """Everything that was offered is settled."""
        return not self._pending

    @property
    def finished(self) -> bool:
        """Closed and idle: the shard's children may start."""
        return self._closed and not self._pending

    def room(self) -> int:
        """How many records to fetch now, 0..10,000. What is held is bounded in count and, up to one fetch, in bytes."""
        if self._closed or self._pending_bytes >= self._byte_capacity:
            return 0
        return max(0, min(GET_RECORDS_LIMIT, self._record_capacity - self._pending))

    def offer(self, records: Sequence[StreamRecord], now: float) -> None:
        """Takes records that follow, in the shard's order, on all that were offered before.

        Raises ``ValueError`` for a sequence number that does not follow on the one before it: such a record has either
        been offered before or comes too late to be kept in order.
        """
        if self._closed and records:
            raise ValueError(f"{self.shard_id} is closed; it takes no more records")
        lanes, factor, last = self._lanes, len(self._lanes), self._last_offered
        for record in records:
            number = int(record.sequence_number)
            if number <= last:
                raise ValueError(
                    f"{self.shard_id}: sequence number {number} does not follow on {last}; "
                    "offer each record once, in the shard's order"
                )
            self._last_offered = last = number
            lane = lanes[0 if factor == 1 else crc32(record.partition_key.encode()) % factor]
            lane.add(record, entry_bytes(record, self._envelope), now)
            if factor > 1:
                self._order.append(record.sequence_number)
            self._pending += 1
            self._pending_bytes += len(record.data)

    def close(self) -> None:
        """The shard has been read to its end: nothing more is offered, and no batch waits for a window."""
        self._closed = True
        for lane in self._lanes:
            lane.closed = True

    def due(self, now: float) -> Delivery | Discard | None:
        """What to do next, or None: not now. Lanes take turns.

        The caller must come back: for a ``Delivery`` with ``settle``; for a ``Discard`` with ``confirm`` or ``defer``.
        """
        lanes = self._lanes
        for offset in range(len(lanes)):
            number = (self._turn + offset) % len(lanes)
            step = lanes[number].due(now)
            if step is not None:
                self._turn = number + 1
                return step
        return None

    def next_due(self) -> float | None:
        """When to call ``due`` again, in epoch seconds (possibly past). None: not before the caller acts."""
        return min((at for lane in self._lanes if (at := lane.next_due()) is not None), default=None)

    def settle(self, delivery: Delivery, verdict: Verdict, now: float) -> None:
        """Tells what came of a delivery. Raises ``ValueError`` if it is not in flight."""
        self._advance(self._lanes[delivery.lane].settle(delivery, verdict, now))

    def confirm(self, discard: Discard, now: float) -> None:
        """The on-failure destination has taken the discard: its records are settled."""
        self._advance(self._lanes[discard.lane].confirm(discard, now))

    def defer(self, discard: Discard, now: float) -> None:
        """The on-failure destination refused the discard: the lane waits, and the discard comes up again."""
        self._lanes[discard.lane].defer(discard, now)

    def _advance(self, settled: Sequence[StreamRecord]) -> None:
        if not settled:
            return
        self._pending -= len(settled)
        self._pending_bytes -= sum(len(record.data) for record in settled)
        if len(self._lanes) == 1:
            self._checkpoint = settled[-1].sequence_number
            return
        beyond, order = self._beyond, self._order
        beyond.update(record.sequence_number for record in settled)
        while order and order[0] in beyond:
            self._checkpoint = order.popleft()
            beyond.remove(self._checkpoint)
