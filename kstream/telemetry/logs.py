"""What a batch tells its log. Bounded: the first failures of each sort, the others as counts by kind."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

from kstream.core.telemetry import Telemetry

if TYPE_CHECKING:
    from kstream.core.outcome import Outcome
    from kstream.core.record import Record

TOLD_PER_BATCH = 3
"""So many failures of each sort (of records, of the ledger, of the dead letters) get a line of their own."""


class Logs(Telemetry):
    """Writes to the logger ``kstream``. Never a payload: positions, keys of errors, and counts. Thread-safe."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger("kstream")
        self._lock = threading.Lock()
        self._told: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        kind = type(error).__name__
        if not self._tells("record", f"record(s) {'dead-lettered' if parked else 'failed'} with {kind}"):
            return
        self._log.warning(
            "record %s:%s of %s %s after %d attempt(s): %s: %s",
            record.sequence_number,
            record.sub_sequence_number,
            record.shard_id,
            "went to the dead letters" if parked else "failed",
            attempt,
            kind,
            error,
            exc_info=None if parked else error,
        )

    def ledger_failed(self, error: Exception) -> None:
        if self._tells("ledger", "failure(s) of the ledger"):
            self._log.warning("the ledger failed, so some records may be processed again: %s", error)

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        if self._tells("dead letter", "record(s) that could not be dead-lettered"):
            self._log.error(
                "record %s:%s of %s could not be dead-lettered and will be delivered again: %s",
                record.sequence_number,
                record.sub_sequence_number,
                record.shard_id,
                error,
            )

    def batch_finished(self, outcome: Outcome) -> None:
        with self._lock:
            untold, self._untold, self._told = self._untold, Counter(), Counter()
        if untold:
            kinds = ", ".join(f"{count} {kind}" for kind, count in untold.most_common())
            self._log.warning("and in the same batch %s", kinds)
        if not outcome.complete:
            self._log.warning(
                "batch unfinished at %s: %d done, %d failed, %d not tried%s",
                outcome.checkpoint,
                outcome.done + outcome.skipped + outcome.dead_lettered,
                outcome.failed,
                outcome.unfinished,
                ", out of time" if outcome.out_of_time else "",
            )

    def _tells(self, sort: str, kind: str) -> bool:
        """Whether a failure of this sort gets its own line; if not it is counted under its kind."""
        with self._lock:
            self._told[sort] += 1
            if self._told[sort] <= TOLD_PER_BATCH:
                return True
            self._untold[kind] += 1
            return False
