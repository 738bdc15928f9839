"""How far a batch has come: a state for each user record, what must not be started any more, and the final answer.

Pure bookkeeping, shared by every way of running a batch (in line, threads, asyncio). A state is one byte, written by the
one worker that holds the record; so workers share a ``Progress`` without a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kstream.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

    from kstream.core.batch import Batch
    from kstream.core.incidents import Incidents
    from kstream.core.record import Position, Record

Ordering = Literal["shard", "partition_key", "none"]

PENDING, DONE, SKIPPED, PARKED, FAILED = range(5)
_UNDONE = (PENDING, FAILED)


class Progress:
    """The state of one batch while it is processed.

    ``states``   one byte for each user record.
    ``blocked``  outer keys at which a record is not done: nothing behind it may be started.
    ``stopped``  nothing at all may be started any more.
    """

    __slots__ = ("_final", "_ordering", "batch", "blocked", "out_of_time", "states", "stopped")

    def __init__(self, batch: Batch, ordering: Ordering) -> None:
        self.batch = batch
        self.states = bytearray(len(batch.records))
        self.blocked: set[str] = set()
        self.stopped = False
        self.out_of_time = False
        self._final: bytes | None = None
        self._ordering = ordering

    def skip(self, done: Mapping[int, int]) -> None:
        """Marks what a ledger knows as done: sequence numbers to bitmaps of sub-sequence numbers."""
        batch, states = self.batch, self.states
        for index, record in enumerate(batch.records):
            sequence, sub_sequence = record.position
            bitmap = done.get(sequence)
            if bitmap and bitmap >> sub_sequence & 1:
                states[index] = SKIPPED

    def freeze(self) -> None:
        """Makes the states final, whatever a worker that outlived the deadline still writes. The first call counts."""
        if self._final is None:
            self._final = bytes(self.states)

    @property
    def frozen(self) -> bool:
        """Whether what is done from here on counts for nothing in this delivery."""
        return self._final is not None

    def stop(self, *, out_of_time: bool = False) -> None:
        self.stopped = True
        self.out_of_time = self.out_of_time or out_of_time

    def leave(self, index: int) -> None:
        """This record stays undone in this delivery; so does whatever order puts behind it."""
        if self._ordering == "shard":
            self.stopped = True
        elif self._ordering == "partition_key":
            self.blocked.add(self.batch.records[index].outer_key)

    def leave_for_time(self, index: int) -> None:
        """This record needs more time than there is. Others may still make it, as far as order lets them."""
        self.out_of_time = True
        self.leave(index)

    def fail(self, index: int) -> None:
        self.states[index] = FAILED
        self.leave(index)

    def lanes(self) -> Sequence[Sequence[int]]:
        """The pending records as sequences that may run side by side, each strictly in order."""
        records, states = self.batch.records, self.states
        if self._ordering != "partition_key":
            pending = [index for index, state in enumerate(states) if state == PENDING]
            return [(index,) for index in pending] if self._ordering == "none" else [pending]
        keys: dict[str, list[int]] = {}
        for index, record in enumerate(records):
            if states[index] == PENDING:
                keys.setdefault(record.outer_key, []).append(index)
        return list(keys.values())

    def lane_name(self, index: int) -> Hashable:
        """Names the lane of this record: alike in each batch, and differently from every other lane."""
        record = self.batch.records[index]
        if self._ordering == "none":
            return record.id
        return record.stream_arn, record.shard_id if self._ordering == "shard" else record.outer_key, self._ordering

    def done_from(self, checkpoint: int | None, settled: Collection[int] = (DONE, PARKED)) -> dict[int, int]:
        """What came to be ``settled`` in this delivery, from sequence number ``checkpoint`` on; from the start if None."""
        batch, states = self.batch, self._final or self.states
        done: dict[int, int] = {}
        undone: dict[int, int] = {}
        for index, record in enumerate(batch.records):
            kind = done if states[index] in settled else undone if states[index] in _UNDONE else None
            if kind is None:
                continue
            sequence, sub_sequence = record.position
            if checkpoint is None or sequence >= checkpoint:
                kind[sequence] = kind.get(sequence, 0) | 1 << sub_sequence
        # No stream delivers one position twice in a batch. If anything else does, every copy must be done.
        for sequence in done.keys() & undone.keys():
            done[sequence] &= ~undone[sequence]
        return {sequence: bitmap for sequence, bitmap in done.items() if bitmap}

    @property
    def first_undone(self) -> Record | None:
        """The first record that is not done: of a shard's by position, of a queue's as they were delivered."""
        if not self.has_undone:
            return None
        states, records = self._final or self.states, self.batch.records
        undone = (records[index] for index, state in enumerate(states) if state in _UNDONE)
        return next(undone, None) if self.batch.queue_order else min(undone, key=_position, default=None)

    def outcome(self, incidents: Incidents) -> Outcome:
        """What it came to, or has come to so far if it is not frozen."""
        return self._outcome(incidents, self.first_undone, self._messages_undone())

    def interrupted(self, incidents: Incidents) -> Outcome:
        """What it had come to when it was given up: all of it comes back, and no position in it may be believed."""
        outers = self.batch.outers
        undone = tuple(outer.sequence_number for outer in outers) if self.batch.queue_order else ()
        return self._outcome(incidents, outers[0] if outers else None, undone)

    def _outcome(self, incidents: Incidents, first: Record | None, undone: tuple[str, ...]) -> Outcome:
        states = self._final or bytes(self.states)
        return Outcome(
            checkpoint=None if first is None else first.sequence_number,
            sub_checkpoint=0 if first is None else first.sub_sequence_number,
            undone=undone,
            kinesis_records=len(self.batch.outers),
            records=len(states),
            done=states.count(DONE),
            skipped=states.count(SKIPPED),
            dead_lettered=states.count(PARKED),
            failed=states.count(FAILED),
            unfinished=states.count(PENDING),
            retried=incidents.retried,
            rejected=incidents.rejected,
            out_of_time=self.out_of_time,
            ledger_failures=incidents.ledger_failures,
            dead_letter_failures=incidents.dead_letter_failures,
        )

    def _messages_undone(self) -> tuple[str, ...]:
        """Of a queue's messages those that must come again, in the order they were delivered."""
        if not self.batch.queue_order or not self.has_undone:
            return ()
        undone: list[str] = []
        groups: set[str] = set()
        for record, state in zip(self.batch.records, self._final or self.states, strict=True):
            # What a batch handler has done behind a failure comes again too, or it would be deleted before what is first.
            if state in _UNDONE or record.outer_key in groups:
                undone.append(record.sequence_number)
                if self.batch.queue_order == "partition_key":
                    groups.add(record.outer_key)
        return tuple(dict.fromkeys(undone))  # a message may be in the batch twice

    @property
    def has_undone(self) -> bool:
        states = self._final or self.states
        return any(state in states for state in _UNDONE)


def _position(record: Record) -> Position:
    return record.position
