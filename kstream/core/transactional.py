"""Running a batch with a ``TransactionalHandler``: effect and marker commit together, records in groups.

A store that fails fails no record: everything not committed is left for the next delivery, and nothing of it is retried
in place or dead-lettered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kstream.core.context import put_down, take_up
from kstream.core.errors import LedgerError
from kstream.core.inline import settle
from kstream.core.progress import DONE, SKIPPED
from kstream.core.run import check_ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kstream.core.ports import Transaction
    from kstream.core.record import Record
    from kstream.core.run import Run
    from kstream.core.settling import Failures

LONGEST = 1.0
"""Seconds for which a group takes more records: meanwhile it holds locks that others wait for, up to their own limit."""


class Group:
    """Records applied in one open transaction, none of them done before it commits."""

    def __init__(self, run: Run) -> None:
        assert run.ledger is not None
        self._run = run
        self._ledger = run.ledger
        self._transaction: Transaction | None = None
        self._until = 0.0
        self._applied: dict[int, int] = {}
        self._keys: set[str] = set()

    @property
    def due(self) -> bool:
        """Whether it should be committed before it takes another record."""
        applied = len(self._applied)
        return applied > 0 and (
            applied >= self._ledger.group_limit
            or self._run.watch.in_doubt
            or self._run.clock.monotonic() >= self._until
        )

    def holds_twin(self, index: int) -> bool:
        """Whether a record of the same idempotency key is applied, and not yet done."""
        return bool(self._keys) and self._key(index) in self._keys

    def apply(self, index: int) -> None:
        """Raises what the handler raises, with nothing of this record applied; ``LedgerError`` if the store fails."""
        run = self._run
        if self._transaction is None:
            self._transaction = self._ledger.begin(run.scope)
            self._until = run.clock.monotonic() + LONGEST
        record = run.progress.batch.records[index]
        if run.followed:
            take_up(record)
        key = self._key(index)
        fresh = self._transaction.apply(record.position, key, partial(_effect, run.process, record))
        self._applied[index] = DONE if fresh else SKIPPED
        if key is not None:
            self._keys.add(key)

    def commit(self) -> None:
        """Makes the group's records done. Raises ``LedgerError``, or what an effect is to blame for; then none is."""
        if self._transaction is None or not self._applied:
            self.abandon()
            return
        known = self._transaction.commit()
        self._transaction = None
        progress, watch = self._run.progress, self._run.watch
        for index, state in self._take().items():
            before = known and progress.batch.records[index].position in known
            progress.states[index] = SKIPPED if before else state
            if watch.tells:
                watch.settled(index)

    def abandon(self) -> Sequence[int]:
        """Undoes what is not committed, and returns those records; they are as if they had not been tried."""
        if self._transaction is not None:
            self._transaction.rollback()
            self._transaction = None
        return list(self._take())

    def _key(self, index: int) -> str | None:
        duplicates = self._run.watch.duplicates
        return None if duplicates is None else duplicates.key(index)

    def _take(self) -> dict[int, int]:
        applied, self._applied = self._applied, {}
        self._keys.clear()
        return applied


def run_lane(run: Run, indexes: Iterable[int]) -> None:
    """Processes these records in order, as ``inline.run_lane`` does, each exactly once."""
    group = Group(run)
    try:
        for index, record in run.progress.batch.walk(indexes):
            if run.progress.stopped or run.out_of_time():
                break
            if run.progress.states[index] or _is_behind_another(run, record):
                continue
            if group.holds_twin(index):
                _commit(group, run)
                if _is_behind_another(run, record):
                    continue
            if run.watch.asks and not _admits(group, run, index):
                continue
            failure = _apply(group, run, index)
            if failure is not None:
                # Committed first: what the group holds must neither wait for this record's pauses nor be undone with it.
                _commit(group, run, failure)
                _settle(run, record, {index: failure})
            if group.due:
                _commit(group, run)
        _commit(group, run)
    except LedgerError as error:
        run.progress.stop()
        run.out_of_time()  # which may be why it failed: no store waits longer
        put_down()  # it is no single record's failure
        run.incidents.ledger_failed(error)
    finally:
        group.abandon()


def _apply(group: Group, run: Run, index: int) -> Exception | None:
    """What the effect raised. Returned, because what further attempts raise would have it as their context."""
    try:
        if index in run.refused:
            raise run.refused[index]
        group.apply(index)
    except LedgerError:
        raise
    except Exception as error:  # noqa: BLE001 - user code; settled by the caller, never taken for success
        return error
    return None


def _admits(group: Group, run: Run, index: int) -> bool:
    admitted = run.watch.admits(index)
    if admitted is None:
        # Another worker has its twin in hand. Nobody who waits may hold what that one could be waiting for.
        _commit(group, run)
        admitted = not _is_behind_another(run, run.progress.batch.records[index]) and run.admits(index)
    return admitted


def _effect(process: Callable[[Record, Any], object], record: Record, transaction: Any) -> None:
    check_ran(process(record, transaction))


def _is_behind_another(run: Run, record: Record) -> bool:
    """Whether a record that is not done forbids this one to start."""
    progress = run.progress
    return progress.stopped or (bool(progress.blocked) and record.outer_key in progress.blocked)


def _commit(group: Group, run: Run, answered: Exception | None = None) -> None:
    """Commits the group. If an effect in it is at fault, each of its records is tried alone, and answers for itself.

    ``answered`` is what an effect outside the group raised: it took the group with it if the commit raises the same.
    """
    try:
        group.commit()
    except LedgerError:
        raise
    except Exception as error:  # noqa: BLE001 - user code's fault; settled below, never taken for success
        fault = error
    else:
        return
    indexes = group.abandon()
    for index in indexes:
        record = run.progress.batch.records[index]
        if _is_behind_another(run, record) or run.out_of_time():
            run.watch.released(index)
            continue
        failures: Failures = {index: fault}
        if len(indexes) > 1 or fault is answered:
            run.incidents.retries(1)
            failures = _attempt_alone(run, [index])
        if failures:
            _settle(run, record, failures)


def _settle(run: Run, record: Record, failures: Failures) -> None:
    """Settles this record's failure, unless one before it has meanwhile turned out not to be done."""
    if _is_behind_another(run, record):
        for index in failures:
            run.watch.released(index)
    else:
        settle(run, failures, _attempt_alone)


def _attempt_alone(run: Run, indexes: Sequence[int]) -> Failures:
    """Another attempt at one record, in a transaction of its own."""
    [index] = indexes
    group = Group(run)
    try:
        group.apply(index)
        group.commit()
    except Exception as error:  # noqa: BLE001 - user code; its failure is the answer
        return {index: error}
    finally:
        group.abandon()
    return {}
