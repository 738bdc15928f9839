"""Side-by-side timing: every contender runs once a round, and its least time over all rounds counts.

Rounds are interleaved, so that a machine that slows down slows everyone; the least time is the one least disturbed.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def least_times(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds for each contender."""
    for run in contenders.values():
        run()  # first use: imports, caches
    least = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, run in contenders.items():
            gc.collect()
            start = time.perf_counter()
            run()
            least[name] = min(least[name], time.perf_counter() - start)
    return least
