"""Writing to the ledger, so that a ledger that fails never fails a batch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kstream.core.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kstream.core.batch import Batch
    from kstream.core.incidents import Incidents
    from kstream.core.ports import Ledger, Scope

NOTHING: Mapping[int, int] = {}


class Journal:
    """One batch's way to its ledger. Thread-safe.

    ``save_every``  so many records are saved together while the batch runs; None: nothing is before its end.

    A failed read means that nothing is known as done, a failed write that something may run again: at least once, told to
    the telemetry, and never an exception.
    """

    def __init__(self, ledger: Ledger, scope: Scope, incidents: Incidents, *, save_every: int | None) -> None:
        self._ledger = ledger
        self._scope = scope
        self._incidents = incidents
        self._save_every = save_every
        self._noted: dict[int, int] = {}
        self._keys: set[str] = set()
        self._saved: dict[int, int] = {}
        self._count = 0
        self._lock = threading.Lock()

    @property
    def writes_along(self) -> bool:
        """Whether the ledger is also written while the batch runs, and so ``note`` must be called."""
        return self._save_every is not None

    def load(self, batch: Batch) -> Mapping[int, int]:
        # The first and the last are the lowest and the highest: a shard is delivered in its order. If a delivery ever
        # were not, this range would be too narrow, which can only make something run again.
        first, last = int(batch.outers[0].sequence_number), int(batch.outers[-1].sequence_number)
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

    def note_key(self, key: str) -> None:
        """This idempotency key is done: it goes into the ledger with the next ``save``."""
        with self._lock:
            self._keys.add(key)

    def note(self, batch: Batch, index: int) -> None:
        """User record ``index`` is done. Saves once ``save_every`` of them have come together."""
        sequence, sub_sequence = batch.records[index].position
        bit = 1 << sub_sequence
        with self._lock:
            self._noted[sequence] = self._noted.get(sequence, 0) | bit
            self._count += 1
            if self._save_every is None or self._count < self._save_every:
                return
            noted, self._noted, self._count = self._noted, {}, 0
        self.save(noted)

    def save(self, done: Mapping[int, int]) -> None:
        """Saves the noted keys, and then what of ``done`` is not saved yet.

        The keys first: a record whose position is known is not asked for its key again, so a crash between the two must
        not be what forgets the key.
        """
        self._save_keys()
        with self._lock:
            fresh = {sequence: bits & ~self._saved.get(sequence, 0) for sequence, bits in done.items()}
        fresh = {sequence: bits for sequence, bits in fresh.items() if bits}
        if not fresh:
            return
        try:
            self._ledger.save(self._scope, fresh)
        except LedgerError as error:
            self._incidents.ledger_failed(error)
            return
        with self._lock:
            for sequence, bits in fresh.items():
                self._saved[sequence] = self._saved.get(sequence, 0) | bits

    def _save_keys(self) -> None:
        with self._lock:
            keys, self._keys = self._keys, set()
        if not keys:
            return
        try:
            self._ledger.save_keys(self._scope, keys)
        except LedgerError as error:
            self._incidents.ledger_failed(error)
