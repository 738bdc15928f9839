"""One lane of a shard: a queue of records, and the batch that is being worked off.

The rules for a batch that did not succeed are all here:

- A failed batch is delivered again as the same records; new records wait behind it.
- A *failure* with bisect halves a batch of more than one record, at once and without using up a retry.
- A *partial* answer settles what stands before its number. The rest is a new batch with a fresh budget, delivered at
  once: progress was made. (With bisect the cut at the number is the same cut.) An answer that names the first record
  settles nothing and has nothing to cut, so it uses up a retry, with bisect too. (AWS does not say what it does there.
  This is the harsher reading: what passes here does not lose more on AWS.)
- When the budget is used up, all that is left of the batch is discarded: the failing record and the good ones behind.
- Records that are too old are discarded in front of a delivery, never delivered.
- Whenever the front of a batch is settled, what stood behind it starts with a fresh budget.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kstream.core.delivery.answer import Failure, Partial, Success
from kstream.core.delivery.batch import Delivery, Discard

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.delivery.answer import Verdict
    from kstream.core.delivery.backoff import Backoff
    from kstream.core.delivery.batch import StreamRecord
    from kstream.core.mapping import EventSourceMapping

_EMPTY_EVENT_BYTES = len('{"Records":[]}')


@dataclass(slots=True)
class _Batch:
    """Records to deliver together, and what has happened to them."""

    records: tuple[StreamRecord, ...]
    not_before: float
    retries: int = 0
    invocations: int = 0
    delivery_id: str | None = None
    error: str = ""
    answered: bool = False
    undeliverable: bool = False

    def without_first(self, count: int, now: float) -> _Batch:
        """What is left once the first ``count`` records are settled: as good as new."""
        return _Batch(self.records[count:], now)


class Lane:
    """Delivers one lane's records in order, one batch at a time. Not thread-safe."""

    def __init__(
        self,
        number: int,
        shard_id: str,
        mapping: EventSourceMapping,
        *,
        payload_limit: int,
        backoff: Backoff,
        next_id: Callable[[], str],
    ) -> None:
        self._number = number
        self._shard_id = shard_id
        self._mapping = mapping
        self._payload_limit = payload_limit
        self._backoff = backoff
        self._next_id = next_id
        self._queue: deque[tuple[StreamRecord, int, float]] = deque()  # record, bytes in the event, offered at
        self._queue_bytes = _EMPTY_EVENT_BYTES
        self._batches: list[_Batch] = []  # cut from the queue and not settled; the last one is the next in order
        self._discard: Discard | None = None  # given up, not yet confirmed
        self._discard_not_before = 0.0
        self._refusals = 0
        self._in_hand: Delivery | Discard | None = None  # given to the caller, who has not come back yet
        self.closed = False

    def add(self, record: StreamRecord, size: int, now: float) -> None:
        self._queue.append((record, size, now))
        self._queue_bytes += size

    def due(self, now: float) -> Delivery | Discard | None:
        """The next step of this lane, if there is one at ``now``. It is then in the caller's hand."""
        if self._in_hand is not None:
            return None
        if self._discard is None:
            batch = self._next_batch(now)
            if batch is None or batch.not_before > now:
                return None
            self._discard = self._too_old(batch, now) or self._too_big(batch)
            self._discard_not_before = now
            if self._discard is None:
                return self._deliver(batch)
        if self._discard_not_before > now:
            return None
        self._in_hand = self._discard
        return self._discard

    def next_due(self) -> float | None:
        """When ``due`` may have something, in epoch seconds (possibly past); None: not before the caller acts."""
        if self._in_hand is not None:
            return None
        if self._discard is not None:
            return self._discard_not_before
        if self._batches:
            return self._batches[-1].not_before
        if not self._queue:
            return None
        first_offered_at = self._queue[0][2]
        return first_offered_at if self._is_full() else first_offered_at + self._mapping.batching_window

    def settle(self, delivery: Delivery, verdict: Verdict, now: float) -> tuple[StreamRecord, ...]:
        """Takes the delivery back with what came of it. Returns the records that are settled by it."""
        self._take_back(delivery)
        batch = self._batches.pop()
        batch.invocations += 1
        batch.delivery_id = delivery.id
        match verdict:
            case Success():
                self._refresh(now)
                return batch.records
            case Partial(sequence_number):
                at = _index(batch.records, sequence_number)
                if at:
                    self._batches.append(batch.without_first(at, now))
                    return batch.records[:at]
                batch.error = "the answer named the first record of the batch as failed"
                batch.answered = True
                self._retry_or_discard(batch, now)
            case Failure(reason):
                batch.error = reason
                batch.answered = False
                if self._mapping.bisect_on_error and len(batch.records) > 1:
                    self._halve(batch, now)
                else:
                    self._retry_or_discard(batch, now)
        return ()

    def confirm(self, discard: Discard, now: float) -> tuple[StreamRecord, ...]:
        """The on-failure destination holds the discard. Returns the records that are settled by it."""
        self._take_back(discard)
        self._discard = None
        self._refusals = 0
        batch = self._batches.pop()
        if len(discard.records) < len(batch.records):
            self._batches.append(batch.without_first(len(discard.records), now))
        else:
            self._refresh(now)
        return discard.records

    def defer(self, discard: Discard, now: float) -> None:
        """The on-failure destination refused the discard: it comes up again, after a backoff."""
        self._take_back(discard)
        self._refusals += 1
        self._discard_not_before = now + self._backoff(self._refusals)

    def _take_back(self, step: Delivery | Discard) -> None:
        if step is not self._in_hand:
            raise ValueError(f"{type(step).__name__} is not in hand in lane {self._number}: it was settled before")
        self._in_hand = None

    def _is_full(self) -> bool:
        return self.closed or len(self._queue) >= self._mapping.batch_size or self._queue_bytes > self._payload_limit

    def _next_batch(self, now: float) -> _Batch | None:
        """The batch in work, or a new one if enough records or enough time have come together."""
        if self._batches:
            return self._batches[-1]
        queue = self._queue
        if not queue or not (self._is_full() or now >= queue[0][2] + self._mapping.batching_window):
            return None
        records: list[StreamRecord] = []
        payload = _EMPTY_EVENT_BYTES
        while queue and len(records) < self._mapping.batch_size:
            record, size, _ = queue[0]
            if records and payload + size > self._payload_limit:
                break
            queue.popleft()
            self._queue_bytes -= size
            payload += size
            records.append(record)
        batch = _Batch(tuple(records), now, undeliverable=payload > self._payload_limit)
        self._batches.append(batch)
        return batch

    def _deliver(self, batch: _Batch) -> Delivery:
        delivery = Delivery(self._next_id(), self._shard_id, self._number, batch.records, batch.retries + 1)
        self._in_hand = delivery
        return delivery

    def _too_old(self, batch: _Batch, now: float) -> Discard | None:
        maximum = self._mapping.maximum_record_age
        if maximum < 0 or now - batch.records[0].arrived_at <= maximum:
            return None
        count = 1
        while count < len(batch.records) and now - batch.records[count].arrived_at > maximum:
            count += 1
        return self._give_up(batch, count, aged=True)

    def _too_big(self, batch: _Batch) -> Discard | None:
        # A record that fits into no event. AWS cannot deliver it either; nothing says how often it tries.
        if not batch.undeliverable:
            return None
        batch.error = f"a record of {len(batch.records[0].data):,} bytes does not fit into an event"
        return self._give_up(batch, len(batch.records))

    def _halve(self, batch: _Batch, now: float) -> None:
        middle = len(batch.records) // 2
        for records in (batch.records[middle:], batch.records[:middle]):
            half = _Batch(records, now, batch.retries, batch.invocations, batch.delivery_id, batch.error)
            self._batches.append(half)

    def _retry_or_discard(self, batch: _Batch, now: float) -> None:
        self._batches.append(batch)
        allowed = self._mapping.maximum_retry_attempts
        if allowed < 0 or batch.retries < allowed:
            batch.retries += 1
            batch.not_before = now + self._backoff(batch.retries)
        else:
            self._discard = self._give_up(batch, len(batch.records))
            self._discard_not_before = now

    def _give_up(self, batch: _Batch, count: int, *, aged: bool = False) -> Discard:
        return Discard(
            batch.delivery_id or self._next_id(),
            self._shard_id,
            self._number,
            batch.records[:count],
            "RecordAgeExceeded" if aged else "RetryAttemptsExhausted",
            batch.invocations,
            batch.error,
            batch.answered,
        )

    def _refresh(self, now: float) -> None:
        """The front of the lane is settled: the batch behind it, the other half of a split, starts afresh."""
        if self._batches:
            self._batches.append(self._batches.pop().without_first(0, now))


def _index(records: tuple[StreamRecord, ...], sequence_number: str) -> int:
    for index, record in enumerate(records):
        if record.sequence_number == sequence_number:
            return index
    raise ValueError(f"sequence number {sequence_number} is not in the batch; parse_answer would have told")
