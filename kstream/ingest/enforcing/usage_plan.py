"""Usage plans: how often a key's holder may call. A token bucket, and a quota for a day, a week or a month (UTC).

Developer guide, "Usage plans and API keys for REST APIs". Both are best effort on AWS; here they are exact.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from kstream.core.errors import ConfigurationError
from kstream.ingest.enforcing.call import Kind

if TYPE_CHECKING:
    from kstream.core.ports import Clock


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """``rate`` requests a second on average, ``burst`` at once; ``quota`` in each ``period``. None: no limit."""

    rate: float | None = None
    burst: int | None = None
    quota: int | None = None
    period: Literal["DAY", "WEEK", "MONTH"] = "DAY"

    def __post_init__(self) -> None:
        if (self.rate is None) != (self.burst is None):
            raise ConfigurationError("a usage plan's throttle has both rate and burst")
        if any(limit is not None and limit <= 0 for limit in (self.rate, self.burst, self.quota)):
            raise ConfigurationError("a usage plan's rate, burst and quota are above 0")


class Meter:
    """One key's use of its plan. Thread-safe."""

    def __init__(self, plan: UsagePlan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(plan.burst or 0)
        self._filled_at = clock.monotonic()
        self._used = 0
        self._period = ""

    def count(self) -> Kind | None:
        """Counts one request; or says why it may not pass, and does not count it."""
        with self._lock:
            if not self._fill():
                return Kind.THROTTLED
            if not self._within_quota():
                return Kind.QUOTA_EXCEEDED
            if self._plan.rate is not None:
                self._tokens -= 1
            self._used += 1
            return None

    def _fill(self) -> bool:
        if self._plan.rate is None or self._plan.burst is None:
            return True
        now = self._clock.monotonic()
        self._tokens = min(float(self._plan.burst), self._tokens + (now - self._filled_at) * self._plan.rate)
        self._filled_at = now
        return self._tokens >= 1

    def _within_quota(self) -> bool:
        if self._plan.quota is None:
            return True
        period = self._current_period()
        if period != self._period:
            self._period, self._used = period, 0
        return self._used < self._plan.quota

    def _current_period(self) -> str:
        today = datetime.fromtimestamp(self._clock.time(), UTC).date()
        match self._plan.period:
            case "DAY":
                return today.isoformat()
            case "WEEK":
                # API Gateway's weeks begin on Sunday.
                return (today - timedelta(days=(today.weekday() + 1) % 7)).isoformat()
            case "MONTH":
                return today.isoformat()[:7]
