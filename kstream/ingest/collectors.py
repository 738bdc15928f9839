"""Gathering outcomes into a result while records are still being put. Each is used by the caller's thread alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kstream.ingest.results import BatchResult, BulkResult, Progress, PutFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kstream.ingest.delivery import Delivery
    from kstream.ingest.errors import IngestError
    from kstream.ingest.records import Item
    from kstream.ingest.results import PutResult


class Collector(Protocol):
    """Is told of every record that is read, and exactly once of what became of it."""

    def read(self) -> None: ...

    def refused(self, failure: PutFailure) -> None:
        """It was never sent."""
        ...

    def settled(self, delivery: Delivery) -> None: ...

    @property
    def result(self) -> BatchResult | BulkResult: ...


class Outcomes:
    """Every outcome, in the records' order: for ``put_many``."""

    def __init__(self) -> None:
        self._outcomes: list[PutResult | PutFailure | None] = []
        self._retried = 0

    def read(self) -> None:
        self._outcomes.append(None)

    def refused(self, failure: PutFailure) -> None:
        self._outcomes[failure.index] = failure

    def settled(self, delivery: Delivery) -> None:
        self._retried += delivery.retried
        for item, outcome in zip(delivery.items, delivery.outcomes, strict=True):
            self._outcomes[item.ordinal] = outcome

    @property
    def result(self) -> BatchResult:
        return BatchResult(tuple(outcome for outcome in self._outcomes if outcome is not None), self._retried)


class Tally:
    """Counts, and the failures: for ``put_all``, whose records may be more than memory holds."""

    def __init__(self) -> None:
        self._read = 0
        self._put = 0
        self._retried = 0
        self._failures: list[PutFailure] = []

    def read(self) -> None:
        self._read += 1

    def refused(self, failure: PutFailure) -> None:
        self._failures.append(failure)

    def settled(self, delivery: Delivery) -> None:
        failures = [outcome for outcome in delivery.outcomes if isinstance(outcome, PutFailure)]
        self._retried += delivery.retried
        self._put += len(delivery.items) - len(failures)
        self._failures += failures

    @property
    def progress(self) -> Progress:
        return Progress(self._read, self._put, len(self._failures), self._retried)

    @property
    def result(self) -> BulkResult:
        failures = tuple(sorted(self._failures, key=lambda failure: failure.index))
        return BulkResult(self._read, self._put, self._retried, failures)


def end_early(collector: Collector, last: Iterable[Delivery], unsent: Iterable[Item], reason: IngestError) -> None:
    """Accounts for what was under way and for what was read but never sent."""
    for delivery in last:
        collector.settled(delivery)
    for item in unsent:
        collector.refused(PutFailure(item.ordinal, item.record, reason, 0))
