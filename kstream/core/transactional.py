"""Running a batch with a ``TransactionalHandler``: effect and marker commit together, records in groups.

A store that fails fails no record: everything not committed is left for the next delivery, and nothing of it is retried
in place or dead-lettered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kstream.core.errors import LedgerError
from kstream.core.inline import settle
from kstream.core.progress import DONE, SKIPPED
from kstream.core.run import check_ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kstream.core.ports import Transaction, TransactionalLedger
    from kstream.core.record import Record
    from kstream.core.run import Run
    from kstream.core.settling import Failures


class Group:
    """Records applied in one open transaction, none of them done before it commits."""

    def __init__(self, run: Run, ledger: TransactionalLedger) -> None:
        self._run = run
        self._ledger = ledger
        self._transaction: Transaction | None = None
        self._applied: dict[int, int] = {}

    @property
    def full(self) -> bool:
        return len(self._applied) >= self._ledger.group_limit

    def apply(self, index: int) -> None:
        """Raises what the handler raises, with nothing of this record applied; ``LedgerError`` if the store fails."""
        run = self._run
        if self._transaction is None:
            self._transaction = self._ledger.begin(run.scope)
        record = run.progress.batch.records[index]
        duplicates = run.watch.duplicates
        key = None if duplicates is None else duplicates.key(index)
        fresh = self._transaction.apply(record.position, key, partial(_effect, run.process, record))
        self._applied[index] = DONE if fresh else SKIPPED

    def commit(self) -> None:
        """Makes the group's records done. Raises ``LedgerError``; then none of them is."""
        if self._transaction is None:
            return
        self._transaction.commit()
        self._transaction = None
        for index, state in self._applied.items():
            self._run.progress.states[index] = state
            if self._run.watch.tells:
                self._run.watch.settled(index)
        self._applied.clear()

    def abandon(self) -> None:
        """Undoes what is not committed; its records stay as they were."""
        if self._transaction is not None:
            self._transaction.rollback()
            self._transaction = None
            self._applied.clear()


def run_lane(run: Run, indexes: Iterable[int], *, ledger: TransactionalLedger) -> None:
    """Processes these records in order, as ``inline.run_lane`` does, each exactly once."""
    progress, watch = run.progress, run.watch
    states, blocked = progress.states, progress.blocked
    group = Group(run, ledger)
    try:
        for index, record in progress.batch.walk(indexes):
            if progress.stopped or run.out_of_time():
                break
            if states[index] or (blocked and record.outer_key in blocked):
                continue
            if watch.asks and not watch.admits(index):
                continue
            try:
                if index in run.refused:
                    raise run.refused[index]
                group.apply(index)
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001 - user code; settled below, never taken for success
                # Committed first: what the group holds must neither wait for this record's pauses nor be undone with it.
                group.commit()
                settle(run, {index: error}, partial(_attempt_alone, ledger=ledger))
            if group.full:
                group.commit()
        group.commit()
    except LedgerError as error:
        run.telemetry.ledger_failed(error)
        progress.stop()
    finally:
        group.abandon()


def _effect(process: Callable[[Record, Any], object], record: Record, transaction: Any) -> None:
    check_ran(process(record, transaction))


def _attempt_alone(run: Run, indexes: Sequence[int], *, ledger: TransactionalLedger) -> Failures:
    """Another attempt at one record, in a transaction of its own."""
    [index] = indexes
    group = Group(run, ledger)
    try:
        group.apply(index)
        group.commit()
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        return {index: error}
    finally:
        group.abandon()
    return {}
