"""What happens in the consumer's process, told to the demo's: a line of JSON for each batch, appended to one file.

A line is one write, so that a reader never sees half of one from a process that was killed, and several processes may
follow each other in the same file.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from kstream import Telemetry

if TYPE_CHECKING:
    from pathlib import Path

    from consumers.flights.mishaps import Mishaps
    from kstream import Outcome, Record

_COUNTED = ("done", "skipped", "dead_lettered", "failed", "unfinished", "retried")


class Chronicle(Telemetry):
    """A telemetry of the consumer, which writes. Thread-safe, as long as a batch stays on one thread."""

    def __init__(self, path: Path, mishaps: Mishaps) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._mishaps = mishaps
        self._told_mishaps = 0
        self._last = threading.local()
        self._lock = threading.Lock()

    def saw(self, record: Record) -> None:
        """The handler has this record in hand."""
        self._last.record = record

    def ledger_failed(self, error: Exception) -> None:
        self._tell({"trouble": f"the ledger failed: {error}"})

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        self._tell({"trouble": f"the dead letter of {record!r} was refused: {error}"})

    def batch_finished(self, outcome: Outcome) -> None:
        with self._lock:
            mishaps, self._told_mishaps = self._mishaps.raised - self._told_mishaps, self._mishaps.raised
        counts = {name: getattr(outcome, name) for name in _COUNTED}
        fact: dict[str, object] = {"counts": {"redelivered": int(not outcome.complete), "mishaps": mishaps, **counts}}
        last: Record | None = getattr(self._last, "record", None)
        if last is not None:
            fact["age"] = max(0.0, time.time() - last.arrived_at.timestamp())
        self._tell(fact)

    def _tell(self, fact: dict[str, object]) -> None:
        os.write(self._descriptor, json.dumps(fact).encode() + b"\n")


class Reading:
    """What the chronicle says so far. Used by one thread.

    ``counts``        sums over all batches, by the names of ``Outcome``'s counts, and ``redelivered`` and ``mishaps``.
    ``troubles``      what should not have happened, in words.
    ``iterator_age``  seconds from the arrival of the last record of the latest batch to the batch's end.
    """

    def __init__(self, path: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.iterator_age = 0.0
        self._path = path
        self._offset = 0

    def read(self) -> None:
        """Takes in what was written since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            fact = json.loads(line)
            self.counts.update(fact.get("counts", {}))
            self.iterator_age = fact.get("age", self.iterator_age)
            if "trouble" in fact:
                self.troubles.append(fact["trouble"])
