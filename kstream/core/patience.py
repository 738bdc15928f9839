"""How long a store may wait, where somebody's deadline comes."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LAST_MOMENT = 0.05
"""Seconds that a wait may take even after the deadline. They run into the deadline's margin: what is done by then is
better known, and most locks are let go sooner."""


class Patience:
    """``left()`` gives the seconds until the deadline; fewer than none once it has passed. As thread-safe as that.

    A wait may take half of what is left: a store that hangs must not cost the records all of their time.
    """

    __slots__ = ("_left",)

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left

    def seconds(self, at_most: float = inf) -> float:
        """How long a wait that begins now may take, and never longer than ``at_most``."""
        return min(at_most, max(self._left() / 2, LAST_MOMENT))


def _for_ever() -> float:
    return inf


ENDLESS = Patience(_for_ever)
"""Of who has no deadline."""
