"""One batch on its way through one handler: everything that the ways of running it share."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from inspect import isasyncgen, isawaitable, isgenerator
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from kstream.core.errors import Reject
from kstream.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kstream.core.incidents import Incidents
    from kstream.core.ports import Clock, DeadLetterSink, Scope, TransactionalLedger
    from kstream.core.progress import Progress
    from kstream.core.settling import Failures, Settling
    from kstream.core.watch import Watch


class Run(NamedTuple):
    """A batch, its progress and its policies.

    ``refused``   records that no handler may see, each with the error that meets it when its turn comes.
    ``deadline``  in the clock's monotonic seconds.
    ``ledger``    where a ``TransactionalHandler``'s transactions begin.
    ``followed``  whether somebody reads which record is in hand.
    """

    process: Callable[..., Any]
    scope: Scope
    progress: Progress
    refused: Mapping[int, Exception]
    settling: Settling
    clock: Clock
    deadline: float
    watch: Watch
    incidents: Incidents
    dead_letters: DeadLetterSink | None
    max_workers: int
    followed: bool
    ledger: TransactionalLedger | None = None

    def admits(self, index: int) -> bool:
        """Whether record ``index`` may be tried now. Waits for a record of the same idempotency key that another worker
        has in hand: once that is settled, this one is skipped, or tried in its place."""
        while (admitted := self.watch.admits(index)) is None:
            ended = threading.Event()
            if (admitted := self.watch.admits(index, ended.set)) is not None:
                break
            left = self.deadline - self.clock.monotonic()
            ended.wait(None if left == inf else min(max(0.0, left), threading.TIMEOUT_MAX))
            if self.progress.stopped or self.out_of_time():
                return False
        return admitted

    def out_of_time(self) -> bool:
        """Stops the batch if its deadline has come."""
        if self.clock.monotonic() < self.deadline:
            return False
        self.progress.stop(out_of_time=True)
        return True

    def failed_of(self, indexes: Sequence[int], failed: Iterable[Record] | None) -> Failures:
        """What a ``BatchHandler`` returned, as failures. Raises ``ValueError`` for a record that it was not given, and
        ``TypeError`` for what is no record."""
        failures: Failures = {}
        if failed is None:
            return failures
        if not isinstance(failed, Iterable):
            raise TypeError(f"the batch handler returned {failed!r}: return the records that failed, or None")
        records = self.progress.batch.records
        known: dict[str, list[int]] = {}
        for index in indexes:
            known.setdefault(records[index].id, []).append(index)
        for record in failed:
            if not isinstance(record, Record):
                raise TypeError(
                    f"the batch handler returned {record!r} as failed, which is no record: return the records that failed, "
                    "or None"
                )
            copies = known.get(record.id)
            if copies is None:
                raise ValueError(f"the batch handler returned {record!r} as failed, which it was not given")
            for index in copies:
                failures[index] = RecordFailed("the batch handler returned it as failed")
        return failures

    def all_failed(self, indexes: Sequence[int], error: Exception) -> Failures:
        """What a ``BatchHandler`` raised, as failures. ``Reject`` would park them all: nobody said which one is meant."""
        if isinstance(error, Reject):
            error = RecordFailed(f"the batch handler raised {error!r}, which cannot say for which record")
        return dict.fromkeys(indexes, error)


class RecordFailed(Exception):
    """Stands for the error of a record that a ``BatchHandler`` could only point at."""


def check_ran(result: object, *, generators: bool = False) -> None:
    """Raises ``TypeError`` if what ``process`` returned is work that nobody would do: it must not count as done.

    ``generators``: a generator is an answer, whose items will be asked for.
    """
    if isawaitable(result):
        mistake = "an awaitable that nobody would await: write it as async def process, and await everything in it"
    elif isasyncgen(result) or (isgenerator(result) and not generators):
        mistake = "a generator that nobody would run: take the yield out of it"
    else:
        return
    close = getattr(result, "close", None)
    if close is not None:
        close()  # or Python warns of a coroutine that was never awaited, long after
    raise TypeError(f"process() returned {mistake}")
