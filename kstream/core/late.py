"""What outlives its batch: work that nobody can end, and what must not be started beside it."""

from __future__ import annotations

from logging import WARNING
from typing import TYPE_CHECKING, Protocol

from kstream.core.logger import log

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from kstream.core.progress import Progress


class Worker(Protocol):
    """A thread's job, or a task."""

    def done(self) -> bool: ...


class Late:
    """The workers that outlived a deadline, each with the lane it is still in.

    A lane is what is kept in order: a key, a shard or a record, named so that a later batch names it alike. While a late
    worker is in it, no record of it is started: it would run beside its own earlier delivery, or overtake it.
    """

    def __init__(self) -> None:
        self._held: dict[Worker, Hashable] = {}

    def keep(self, worker: Worker, lane: Hashable) -> None:
        self._held[worker] = lane

    def workers(self) -> Collection[Worker]:
        """Those who still have not ended."""
        self._held = {worker: lane for worker, lane in self._held.items() if not worker.done()}
        return self._held.keys()

    def part(self, progress: Progress) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
        """The lanes of what is pending: those that may be started, and those that may not, as things are now.

        Records in the latter are left undone, for the next delivery, unless their lanes come free.
        """
        lanes = progress.lanes()
        if not self.workers():
            return list(lanes), []
        names = set(self._held.values())
        free: list[Sequence[int]] = []
        held: list[Sequence[int]] = []
        for lane in lanes:
            if lane:
                (held if progress.lane_name(lane[0]) in names else free).append(lane)
        return free, held


def warn_of(held: Sequence[Sequence[int]]) -> None:
    """Of the lanes of a batch that may not be started."""
    if held:
        log(WARNING, "%d lane(s) wait: an earlier delivery of their records is still under way", len(held))
