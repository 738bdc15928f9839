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

    def held_lanes(self, progress: Progress) -> list[Sequence[int]]:
        """The batch's lanes that may not be started, as they are now."""
        if not self.workers():
            return []
        held = set(self._held.values())
        return [lane for lane in progress.lanes() if lane and progress.lane_name(lane[0]) in held]

    def free_lanes(self, progress: Progress) -> list[Sequence[int]]:
        """The batch's lanes that may be started. The others' records are left undone, for the next delivery."""
        lanes = progress.lanes()
        if not self.workers():
            return list(lanes)
        held = set(self._held.values())
        free = [lane for lane in lanes if lane and progress.lane_name(lane[0]) not in held]
        if len(free) < len(lanes):
            log(
                WARNING,
                "%d lane(s) wait: an earlier delivery of their records is still under way",
                len(lanes) - len(free),
            )
        return free
