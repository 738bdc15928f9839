"""How long to wait before a failed batch is delivered again. AWS does not publish its own curve."""

from __future__ import annotations

from collections.abc import Callable

# From the number of retries so far, this one included (1, 2, ...), to seconds.
Backoff = Callable[[int], float]


def exponential_backoff(first: float = 0.25, *, factor: float = 2.0, limit: float = 30.0) -> Backoff:
    """``first`` seconds before the first retry, ``factor`` times that before each next one, never above ``limit``.

    Without jitter: the state machine is deterministic, and a shard's lanes do not compete.
    """

    def wait(retry: int) -> float:
        # The exponent is bounded because a batch may be retried for ever, and a float is not.
        return min(limit, first * factor ** min(retry - 1, 64))

    return wait
