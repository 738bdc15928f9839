"""What the core asks of the world: a ledger, a dead-letter sink, a clock.

Each comment states obligations, not mechanics. Every implementation passes the suite in ``tests/contract`` that bears
its port's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Collection, Mapping

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.patience import Patience
    from kstream.core.record import Position


def stream_name(arn: str) -> str:
    """The name in a stream's ARN, or in that of one of its consumers, by which Lambda reads with enhanced fan-out.

    Of a table's stream it is the table's name, and of a queue the queue's.
    """
    _, table, path = arn.partition(":table/")
    if not table and service_name(arn) == "sqs":
        return arn.rpartition(":")[2]
    return (path or arn.rpartition(":stream/")[2]).partition("/")[0]


def service_name(arn: str) -> str:
    """The AWS service in an ARN; empty for what is none."""
    return "".join(arn.split(":", 3)[2:3])


class Scope(NamedTuple):
    """Whose positions these are. A position means something only inside one of these.

    ``stream_arn``  of the stream, the table's stream or the queue.
    ``shard_id``    empty for the last two, whose events name none.
    """

    consumer: str
    stream_arn: str
    shard_id: str

    @property
    def stream(self) -> str:
        """The stream's name. Records that were made by hand may have none."""
        return stream_name(self.stream_arn)


@runtime_checkable
class Ledger(Protocol):
    """Remembers the exact positions that are done beyond the checkpoint.

    What is done is told per Kinesis record: its sequence number, to a bitmap of the user records in it (bit *i* is
    sub-sequence number *i*; a record that came alone has bit 0).

    Thread-safe, and safe between processes if the store is shared. Synchronous. Raises ``LedgerError`` and nothing else.
    """

    def load(self, scope: Scope, first: int, last: int) -> Mapping[int, int]:
        """What is known to be done from sequence number ``first`` to ``last``, both included.

        Sees every ``save`` that returned before, from any process. May leave out what has expired; never reports what
        was not saved.
        """
        ...

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        """Adds to what is done: a union with what is there, also against a concurrent ``save``. Durable on return.

        Saving the same twice changes nothing. An empty mapping is allowed and costs nothing.
        """
        ...

    def load_keys(self, scope: Scope, keys: Collection[str]) -> Collection[str]:
        """Which of these idempotency keys were saved and have not expired. The scope's shard is ignored: a key belongs to
        a consumer and a stream, because a reshard may move it."""
        ...

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        """Remembers these idempotency keys. As durable and as repeatable as ``save``."""
        ...


@runtime_checkable
class WaitingLedger(Ledger, Protocol):
    """A ledger whose calls may have to wait: for a lock, a connection, an answer. It lets itself be hurried."""

    def within(self, patience: Patience) -> Self:
        """The same ledger over the same store, of which no call waits for longer than ``patience.seconds()``, asked as the
        wait begins: it then raises ``LedgerError``, and what it had begun may still take hold. So do its transactions.
        This ledger stays as it is."""
        ...


class Transaction(Protocol):
    """Effects and their markers, which take hold together or not at all. Used by one thread."""

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        """Calls ``effect`` with the handler's side of the transaction and marks ``position`` and ``key`` as done.

        Returns False, without calling it, if the store can tell that either is marked already. If ``effect`` raises,
        neither what it did nor the marker takes hold, what was applied before is untouched, and the exception passes. If
        what it did took the whole transaction with it, ``commit`` raises that same exception.
        Raises ``LedgerError``.
        """
        ...

    def commit(self) -> Collection[Position] | None:
        """Makes everything applied durable, but for the positions that it returns: those were marked already, and what
        was applied for them did not take hold. Only a store that cannot look before it writes has any to return.

        Raises ``LedgerError`` if it may not have happened: applying it all again, in another transaction, is then safe.
        Any other exception is an effect's fault that shows only now, such as a condition that does not hold; then
        nothing at all took hold.
        """
        ...

    def rollback(self) -> None:
        """Undoes everything applied. Never raises. Harmless after ``commit``."""
        ...


@runtime_checkable
class TransactionalLedger(Ledger, Protocol):
    """A ledger in the store that holds the handler's effects. Its ``load`` also tells what transactions marked."""

    group_limit: int
    """How many records one transaction may hold."""

    def begin(self, scope: Scope) -> Transaction:
        """Starts a transaction. Thread-safe. Raises ``LedgerError``."""
        ...


@runtime_checkable
class DeadLetterSink(Protocol):
    """Keeps what can never succeed, with its payload.

    Thread-safe. Synchronous. ``put`` returns only once the letter is durable; it raises ``DeadLetterError`` otherwise,
    also for a payload beyond what the sink can hold: nothing is ever truncated. Storing one letter twice is harmless.
    """

    def put(self, letter: DeadLetter) -> None: ...


class Clock(Protocol):
    """Time, passed in so that a test can hold it still. Thread-safe."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from some start; never goes back."""
        ...

    def sleep(self, seconds: float) -> None: ...

    async def sleep_async(self, seconds: float) -> None: ...


@runtime_checkable
class LoopClock(Clock, Protocol):
    """A clock by which event loops can go as well: those of ``async def`` handlers then do."""

    def new_event_loop(self) -> AbstractEventLoop: ...
