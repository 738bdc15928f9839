"""What a user writes: a handler. One class for records one by one, one for a batch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from kstream.core.hooks import Hooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from kstream.core.record import Record


class Lifecycle:
    """What every kind of handler has beside its work: a beginning, an end, and somebody to tell.

    ``telemetry``  counts, times and notes of the handler's own. Given by the consumer before ``open``.
    """

    telemetry: ClassVar[Hooks] = Hooks()

    def open(self) -> None:
        """Once before the first record, in Lambda's init phase: the place for clients and connections."""

    def close(self) -> None:
        """Once after the last record, where the runtime ends in an orderly way. Lambda itself never does."""


class RecordHandler(Lifecycle):
    """What handlers of single records share."""

    def idempotency_key(self, record: Record) -> str | None:  # noqa: ARG002 - for handlers to override
        """What makes this record the same fact as another with a different sequence number; None for nothing.

        Override it to process a fact once although its producer put it twice. Needs a ledger, which remembers keys for
        a stream and a consumer until they expire. May raise ``Reject`` for a record that has no readable key. If it
        raises anything else, or returns anything but text or None, the record fails untried. It is asked about a batch's
        records before the first one is processed, so it should only read them.

        A key counts once a copy took effect: a copy that failed or went to the dead letters leaves it free. Two copies
        under way in two processes at once both take effect, unless the handler is a ``TransactionalHandler``.
        """
        return None


class Handler(RecordHandler, ABC):
    """Processes records one by one. ``process`` may be ``def`` or ``async def``.

    Returning means done. Raising ``Reject`` means never: the record goes to the dead letters. Any other exception is
    retried in place, then reported to the runtime, which delivers the record again. With ``max_workers`` above 1 one
    instance is called from several threads, or tasks, at once; records of one key never are. A call that outlives the
    deadline counts as unfinished; until it has ended, its record, and what order puts behind it, is left undone.
    """

    @abstractmethod
    def process(self, record: Record) -> Awaitable[None] | None: ...


T = TypeVar("T")


class TransactionalHandler(RecordHandler, ABC, Generic[T]):
    """Processes records one by one, each effect and its marker in one transaction: the effect happens exactly once.

    Needs a ledger in the store that holds the effects: ``SQLiteLedger(path)`` or ``PostgresLedger(dsn)`` hands
    ``process`` a transaction with ``execute``, ``DynamoDBLedger(table)`` one that collects writes. What is done through
    ``transaction`` takes hold together with "this record is done", or not at all; what is done past it does not.
    Several records share a transaction where the store allows it. ``process`` is ``def``: begin no transaction in it,
    commit none, and do not keep ``transaction``.
    """

    @abstractmethod
    def process(self, record: Record, transaction: T) -> None: ...


class BatchHandler(Lifecycle, ABC):
    """Processes many records in one call, for a sink that takes many at once. ``process`` may be ``async def``.

    Receives every record of the batch that the ledger does not know as done, in order. Returns the records that failed,
    or nothing if all are done. Raising means that none is done. What failed is retried in place and then reported;
    ``Reject`` cannot say which record is meant, so it counts as a failure of all.
    """

    @abstractmethod
    def process(self, records: Sequence[Record]) -> Iterable[Record] | Awaitable[Iterable[Record] | None] | None: ...
