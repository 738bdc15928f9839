"""A circuit breaker: when a dependency is down, stop, instead of burning every record's retries on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from kstream.core.errors import ConfigurationError, Reject
from kstream.core.given import check_exception_types, check_number
from kstream.core.groups import is_any_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """The policy. ``failures`` failed attempts in a row, of the kinds in ``on``, open the circuit.

    An open circuit ends the batch: what is done stays done, the rest is unfinished, and the runtime delivers it again.
    After ``reset_after`` seconds one record is tried, alone; if it succeeds the circuit closes, and the batch goes on.
    A record is never dead-lettered because of an open circuit. Name in ``on`` what a failing dependency raises, not what
    a bad record does; ``Reject`` never counts. A group of several errors, as ``asyncio.TaskGroup`` raises it, counts once,
    if any of them is of these kinds.
    """

    failures: int = 10
    on: tuple[type[Exception], ...] = (OSError,)
    reset_after: float = 30.0

    def __post_init__(self) -> None:
        check_number("CircuitBreaker(failures", self.failures, least=1, whole=True)
        check_number("CircuitBreaker(reset_after", self.reset_after, least=0, what="seconds")
        check_exception_types("CircuitBreaker(on", self.on)
        if not self.on:
            raise ConfigurationError("CircuitBreaker(on=()): name what a failing dependency raises, or it never opens")


class Circuit:
    """A breaker's state, kept between batches. Thread-safe; times are monotonic seconds given by the caller."""

    def __init__(self, policy: CircuitBreaker) -> None:
        self._policy = policy
        self._failures = 0
        self._retry_at: float | None = None
        self._trying = False
        self._lock = threading.Lock()

    def admits(self, now: float) -> bool:
        """Whether a record may be tried. While open, admits one record each ``reset_after`` seconds, to find out."""
        if not self._failures:
            return True
        with self._lock:
            retry_at = self._retry_at
            if retry_at is None:
                return True
            if now < retry_at:
                return False
            self._retry_at = now + self._policy.reset_after
            self._trying = True
            return True

    @property
    def open(self) -> bool:
        return self._retry_at is not None

    @property
    def in_doubt(self) -> bool:
        """Whether the last attempt failed: then the next one's success should be told soon."""
        return self._failures > 0

    def succeeded(self) -> None:
        if self._failures:
            with self._lock:
                self._failures = 0
                self._retry_at = None
                self._trying = False

    def failed(self, error: BaseException, now: float) -> bool:
        """Counts a failed attempt. True if it is the dependency's, and the circuit is open now."""
        if isinstance(error, Reject) or not is_any_of(error, self._policy.on):
            self._find_out_with_another(now)
            return False
        with self._lock:
            self._failures += 1
            self._trying = False
            if self._failures < self._policy.failures:
                return False
            self._retry_at = now + self._policy.reset_after
            return True

    def _find_out_with_another(self, now: float) -> None:
        # A bad record tells nothing of the dependency. Were it to use up the trial, and come first in each delivery, the
        # circuit would never close.
        if self._trying:
            with self._lock:
                if self._trying:
                    self._retry_at, self._trying = now, False
