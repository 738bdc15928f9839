"""Which attempts of a batch get a span, where not all can."""

from __future__ import annotations

import math
import random
import threading
from collections import Counter


def likely_samples(sample_rate: float, records: int) -> float:
    """How many of these records will be announced, if many are: two standard deviations above what is expected."""
    expected = sample_rate * records
    return expected + 2 * math.sqrt(expected * (1 - sample_rate))


class Showing:
    """How many attempts of a batch have a span already. Thread-safe.

    ``most``            spans in all; ``most_sampled``: of attempts that were merely sampled.
    ``likely_samples``  how many of those there will be. If that is too many, they are thinned: one of each stretch of
                        them, chosen at random, so that a batch is seen to its end, and at no cost for all the others.
    """

    def __init__(self, most: int, most_sampled: int, likely_samples: float) -> None:
        self._most = most
        self._most_sampled = most_sampled
        self._stretch = max(1.0, likely_samples / most_sampled) if most_sampled else 1.0
        self._lock = threading.Lock()
        self._announced = 0
        self._stretches = 0
        self._next_stretch = 0
        self._chosen = 0
        self._sampled = 0
        self._shown = 0
        self._left_out: Counter[str] = Counter()

    def shows_sampled(self) -> bool:
        with self._lock:
            at = self._announced
            self._announced += 1
            if at == self._next_stretch:
                self._stretches += 1
                self._next_stretch = math.ceil(self._stretches * self._stretch)
                self._chosen = random.randrange(at, self._next_stretch)  # noqa: S311 - a sample, no secret
            if at == self._chosen and self._sampled < self._most_sampled and self._shown < self._most:
                self._sampled += 1
                self._shown += 1
                return True
            self._left_out["sampled"] += 1
            return False

    def shows(self, kind: str) -> bool:
        with self._lock:
            if self._shown < self._most:
                self._shown += 1
                return True
            self._left_out[kind] += 1
            return False

    def left_out(self) -> dict[str, int]:
        """The most frequent kinds."""
        with self._lock:
            return dict(self._left_out.most_common(20))
