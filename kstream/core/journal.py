"""Writing to the ledger, so that a ledger that fails never fails a batch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kstream.core.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kstream.core.batch import Batch
    from kstream.core.incidents import Incidents
    from kstream.core.ports import Ledger, Scope
    from kstream.core.record import Position

NOTHING: Mapping[int, int] = {}
_KEY = "kstream-message:"
"""Before the number of a message, so that no idempotency key of a handler's means the same."""


class _Notes:
    """What is to be written together: idempotency keys, and positions as bitmaps by sequence number."""

    __slots__ = ("count", "done", "keys")

    def __init__(self, keys: Iterable[str] = (), done: Mapping[int, int] = NOTHING) -> None:
        self.keys = set(keys)
        self.done = dict(done)
        self.count = 0

    def add(self, others: _Notes) -> None:
        self.keys |= others.keys
        self.count += others.count
        _unite(self.done, others.done)


class Journal:
    """One batch's way to its ledger. Thread-safe.

    ``save_every``  so many records are saved together while the batch runs; None: nothing is before its end.

    A failed read means that nothing is known as done, a failed write that something may run again: at least once, told to
    the telemetry, and never an exception. After a write that failed, nothing more is written before the end, and all of it
    is then: a ledger that hangs takes half of the time that is left, each time that it is asked.
    """

    def __init__(self, ledger: Ledger, scope: Scope, incidents: Incidents, *, save_every: int | None) -> None:
        self._ledger = ledger
        self._scope = scope
        self._incidents = incidents
        self._save_every = save_every
        self._noted = _Notes()
        self._under_way: list[_Notes] = []
        self._saved = _Notes()
        self._failed = False
        self._lock = threading.Lock()

    @property
    def writes_along(self) -> bool:
        """Whether the ledger is also written while the batch runs, and so every record must be noted."""
        return self._save_every is not None

    @property
    def due(self) -> bool:
        """Whether ``save_every`` records have come together, so that ``write`` would write them."""
        return self._overdue and not self._failed

    @property
    def _overdue(self) -> bool:
        return self._save_every is not None and self._noted.count >= self._save_every

    def load(self, batch: Batch) -> Mapping[int, int]:
        # The first and the last are the lowest and the highest: a shard is delivered in its order. If a delivery ever
        # were not, this range would be too narrow, which can only make something run again.
        first, last = batch.outers[0].position.sequence, batch.outers[-1].position.sequence
        try:
            return self._ledger.load(self._scope, min(first, last), max(first, last))
        except LedgerError as error:
            self._incidents.ledger_failed(error)
            return NOTHING

    def load_keys(self, keys: Collection[str]) -> Collection[str]:
        """Which of these idempotency keys are known as done."""
        if not keys:
            return ()
        try:
            return self._ledger.load_keys(self._scope, keys)
        except LedgerError as error:
            self._incidents.ledger_failed(error)
            return ()

    def note(self, position: Position, key: str | None = None) -> None:
        """The record at this position is done, and its idempotency key with it. Does not touch the ledger."""
        with self._lock:
            if key is not None:
                self._noted.keys.add(key)
            if self._save_every is not None:
                _unite(self._noted.done, {position.sequence: 1 << position.sub_sequence})
                self._noted.count += 1

    def write(self) -> None:
        """Writes what is noted, if it is due."""
        with self._lock:
            if not self.due:
                return
            notes, self._noted = self._noted, _Notes()
            self._under_way.append(notes)
        # The keys first: a record whose position is known is not asked for its key again, so a crash between the two must
        # not be what forgets the key.
        kept = False
        try:
            kept = self._save_keys(notes.keys) and self._save(notes.done)
        finally:
            with self._lock:
                self._under_way.remove(notes)
                if not kept:
                    self._failed = True
                    self._noted.add(notes)

    def put_off(self, error: Exception) -> None:
        """As after a write that failed: nothing more is written before the end."""
        self._failed = True
        self._incidents.ledger_failed(LedgerError(f"cannot write the ledger before the end of the batch: {error}"))

    def save(self, done: Mapping[int, int]) -> None:
        """At the end: writes, of the noted keys, of ``done`` and of what was due before, what is not written yet.

        A write that is still under way does not count. It may fail yet, or be frozen with its process.
        """
        with self._lock:
            notes = _Notes(self._noted.keys, done)
            if self._overdue:
                notes.add(self._noted)
            for others in self._under_way:
                notes.add(others)
        kept = self._save_keys(notes.keys)
        kept = self._save(notes.done) and kept
        # For work that outlives its batch and tells of it later.
        self._failed = not kept

    def _save_keys(self, keys: Collection[str]) -> bool:
        with self._lock:
            fresh = set(keys) - self._saved.keys
        try:
            if fresh:
                self._ledger.save_keys(self._scope, fresh)
        except LedgerError as error:
            self._incidents.ledger_failed(error)
            return False
        with self._lock:
            self._saved.keys |= fresh
        return True

    def _save(self, done: Mapping[int, int]) -> bool:
        with self._lock:
            known = self._saved.done
            fresh = {sequence: new for sequence, bits in done.items() if (new := bits & ~known.get(sequence, 0))}
        try:
            if fresh:
                self._save_positions(fresh)
        except LedgerError as error:
            self._incidents.ledger_failed(error)
            return False
        with self._lock:
            _unite(self._saved.done, fresh)
        return True

    def _save_positions(self, done: Mapping[int, int]) -> None:
        self._ledger.save(self._scope, done)


class MessageJournal(Journal):
    """The journal of a queue's batch. Message ids come in no order, so the ledger knows them by keys, not in a range."""

    def load(self, batch: Batch) -> Mapping[int, int]:
        sequences = {_KEY + str(sequence): sequence for sequence in {one.position.sequence for one in batch.outers}}
        known = self.load_keys(sequences.keys())
        return {sequence: 1 for key, sequence in sequences.items() if key in known}

    def _save_positions(self, done: Mapping[int, int]) -> None:
        self._ledger.save_keys(self._scope, [_KEY + str(sequence) for sequence in done])


def _unite(done: dict[int, int], more: Mapping[int, int]) -> None:
    for sequence, bits in more.items():
        done[sequence] = done.get(sequence, 0) | bits
