"""What the core tells those who watch a consumer at work: metrics, log lines, traces, or a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from kstream.core.batch import Batch
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Scope
    from kstream.core.record import Record


@dataclass(frozen=True, slots=True, eq=False)
class BatchContext:
    """The batch in hand, as those who watch know it.

    ``scope``       whose batch it is: consumer, stream and shard.
    ``request_id``  of the invocation that delivered it; empty where there is none.
    ``started_at``  when its processing began, in seconds since the epoch.
    """

    scope: Scope
    batch: Batch
    request_id: str
    started_at: float


class Telemetry:
    """Watches a consumer's batches. Override what you want to hear of; what is left alone costs nothing.

    One consumer has it at a time, and that has one batch at a time. Between ``batch_started`` and ``batch_finished`` it is
    called from any thread that processes records, also from several at once. It must not block. Whatever it raises but
    ``KeyboardInterrupt`` is logged and ignored: a batch never comes to something else because it is watched.

    ``sample_rate``  the share of records, from 0 to 1, that ``record_started`` announces. Records are timed only where this
                     is not None.
    ``slow_after``   an attempt that takes so many seconds is told to ``record_finished`` even if nobody announced it.
    """

    sample_rate: float | None = None
    slow_after: float = inf

    def batch_started(self, context: BatchContext) -> None:
        """First of all. Called where the batch is processed: context variables set here hold for each of its records, in
        worker threads and in tasks too."""

    def batch_finished(self, outcome: Outcome) -> None:
        """Once per batch, last."""

    def batch_interrupted(self, outcome: Outcome, error: BaseException) -> None:  # noqa: ARG002 - for those who override
        """In place of ``batch_finished``, if nobody gets an answer: ``error`` is about to be raised, and the whole batch
        will come back. ``outcome`` is what it had come to."""
        self.batch_finished(outcome)

    def deadline_passed(self, context: BatchContext, outcome: Outcome) -> None:
        """The time of this batch is up, and a handler still holds it: this may be the last that is heard of it.

        Called from a thread of its own. ``batch_finished`` may follow all the same; it may even have come already, and
        another batch be in hand, if that thread was held up.
        """

    def record_started(self, record: Record, attempt: int) -> None:
        """An attempt that was chosen by ``sample_rate`` begins, in this thread or task."""

    def record_finished(
        self, record: Record, attempt: int, error: BaseException | None, *, started_at: float, ended_at: float
    ) -> None:
        """An attempt that was announced, or failed, or was slow, is over. In the same thread or task; times in seconds
        since the epoch. It comes after ``batch_finished`` for an attempt that outlived its batch."""

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        """A record's last attempt of this delivery failed. ``parked``: it is now in the dead letters."""

    def ledger_failed(self, error: Exception) -> None:
        """The ledger could not be read or written. The batch goes on, at least once; a transactional one stops."""

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        """The sink refused a dead letter; its record counts as failed."""

    def count(self, name: str, value: float) -> None:
        """A handler counted something of its own."""

    def observe(self, name: str, seconds: float) -> None:
        """A handler timed something of its own."""

    def annotate(self, key: str, value: str | float | bool) -> None:
        """A handler said something about what it has in hand: the record, or the batch."""

    EVENTS: ClassVar[tuple[str, ...]]


Telemetry.EVENTS = tuple(name for name, method in vars(Telemetry).items() if callable(method) and name[0] != "_")
