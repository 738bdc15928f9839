"""What happens to one batch beside its records' states: counted for its outcome, and told to those who watch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kstream.core.errors import Reject

if TYPE_CHECKING:
    from kstream.core.record import Record
    from kstream.core.shielded import Shielded


class Incidents:
    """Thread-safe. The counts are those of ``Outcome``."""

    def __init__(self, telemetry: Shielded) -> None:
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self.retried = 0
        self.rejected = 0
        self.ledger_failures = 0
        self.dead_letter_failures = 0

    def retries(self, count: int) -> None:
        """So many records were tried once more."""
        with self._lock:
            self.retried += count

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        if isinstance(error, Reject):
            with self._lock:
                self.rejected += 1
        self._telemetry.tell("record_failed", record, error, attempt=attempt, parked=parked)

    def ledger_failed(self, error: Exception) -> None:
        with self._lock:
            self.ledger_failures += 1
        self._telemetry.tell("ledger_failed", error)

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        with self._lock:
            self.dead_letter_failures += 1
        self._telemetry.tell("dead_letter_failed", record, error)
