"""What became of records that were put: for each, a ``PutResult`` or a ``PutFailure``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kstream.ingest.errors import PartialFailure

if TYPE_CHECKING:
    from kstream.ingest.errors import IngestError
    from kstream.ingest.records import Puttable


class PutResult(NamedTuple):
    """The record is in the stream, here."""

    sequence_number: str
    shard_id: str


@dataclass(frozen=True, slots=True)
class PutFailure:
    """The record is not in the stream, as far as is known.

    ``index``     its place among the records given, from 0. ``record``: as it was given, so that it can be put again.
    ``error``     why; shared by records that failed together.
    ``attempts``  requests it was in; 0 if it was never sent.
    """

    index: int
    record: Puttable
    error: IngestError
    attempts: int


Outcome = PutResult | PutFailure


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Of ``put_many``. ``outcomes`` has one entry for each record given, in their order.

    ``retried`` counts records sent again, once for each time.
    """

    outcomes: tuple[Outcome, ...]
    retried: int = 0

    @property
    def failures(self) -> tuple[PutFailure, ...]:
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, PutFailure))

    @property
    def put(self) -> int:
        """How many records are in the stream."""
        return sum(isinstance(outcome, PutResult) for outcome in self.outcomes)

    def raise_for_failures(self) -> None:
        """Raises ``PartialFailure`` unless every record was put."""
        failures = self.failures
        if failures:
            raise PartialFailure(described(failures, len(self.outcomes)), self)


@dataclass(frozen=True, slots=True)
class BulkResult:
    """Of ``put_all``: counts, and each failure. ``read == put + len(failures)``; ``read`` is where to carry on from.

    ``retried`` counts records sent again, once for each time.
    """

    read: int
    put: int
    retried: int
    failures: tuple[PutFailure, ...]

    def raise_for_failures(self) -> None:
        """Raises ``PartialFailure`` unless every record was put."""
        if self.failures:
            raise PartialFailure(described(self.failures, self.read), self)


class Progress(NamedTuple):
    """How far ``put_all`` is: records read, put, failed for good, and sent again (once for each time)."""

    read: int
    put: int
    failed: int
    retried: int


def described(failures: tuple[PutFailure, ...], total: int) -> str:
    """One line: how many, of which kinds, and the first with its reason."""
    kinds = Counter(type(failure.error).__name__ for failure in failures)
    kinds_text = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    first = failures[0]
    return f"{len(failures):,} of {total:,} records were not put ({kinds_text}); record {first.index}: {first.error}"
