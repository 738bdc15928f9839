"""What is in hand just now, in this thread or task: the batch, the record, the attempt. For log lines.

Context variables, so that what a handler starts (a thread from a copied context, a task) keeps the record it was started
for. The records are followed only once somebody reads them, because setting the variable costs more than the rest of a
clean record's bookkeeping.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext

current_batch: ContextVar[BatchContext | None] = ContextVar("kstream_batch", default=None)
current_record: ContextVar[Record | None] = ContextVar("kstream_record", default=None)
current_attempt: ContextVar[int] = ContextVar("kstream_attempt", default=1)

_followed = False


def follow_records() -> None:
    """From the next batch on, ``current_record`` is set for each record. For the life of the process."""
    global _followed
    _followed = True


@contextmanager
def in_hand(batch: BatchContext) -> Iterator[None]:
    """For the time that this batch is processed."""
    before = current_batch.set(batch), current_record.set(None), current_attempt.set(1)
    try:
        yield
    finally:
        current_batch.reset(before[0])
        current_record.reset(before[1])
        current_attempt.reset(before[2])


def put_down() -> None:
    """No record is in hand any more: what is said from here on is of the batch."""
    current_record.set(None)
    current_attempt.set(1)


def entering() -> Callable[[Record], object] | None:
    """What to call with each record that is taken in hand, if anything."""
    return current_record.set if _followed else None
