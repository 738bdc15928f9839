"""Failures on purpose, the same ones in each run: what a flaky dependency would do to the handler."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from kstream import Record

ATTEMPTS = 3
"""Tries in one delivery."""
_LONG = ATTEMPTS + 1

_LOTS = 1 << 32  # of crc32


class Mishap(Exception):
    """Stands for a dependency that failed just now, and will work again."""


class Plan(NamedTuple):
    """Which attempts fail, decided by the payload alone.

    ``once``  the share of records, 0 to 1, whose first attempt fails: a retry in place cures that.
    ``long``  the share that fails more often than it is tried in one delivery, and less than in two: the batch must come
              back for it.
    """

    once: float
    long: float

    def failures(self, payload: bytes) -> int:
        """How many attempts at a record with this payload fail: nearly always none."""
        lot = crc32(payload) / _LOTS
        if lot < self.long:
            return _LONG
        return 1 if lot < self.long + self.once else 0


class Mishaps:
    """Carries the plan out. Thread-safe.

    ``raised`` counts the failures. What a process remembers of attempts ends with it, so a record whose delivery was cut
    short may fail a few times more.
    """

    def __init__(self, plan: Plan) -> None:
        self.raised = 0
        self._plan = plan
        self._attempts: dict[str, int] = {}
        self._lock = threading.Lock()

    def befall(self, record: Record) -> None:
        """Raises ``Mishap`` if this attempt is one that fails."""
        failures = self._plan.failures(record.data)
        if not failures:
            return
        with self._lock:
            attempt = self._attempts[record.id] = self._attempts.get(record.id, 0) + 1
            if attempt > failures:
                return
            self.raised += 1
        raise Mishap(f"planned failure {attempt} of {failures}")
