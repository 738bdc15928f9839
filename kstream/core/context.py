"""What is in hand just now, in this thread or task: the batch, the record, the attempt. For log lines.

Context variables, so that what a handler starts from a copied context, a thread or a task, knows what it was started for.
Setting one for each record would cost a thirtieth of a clean record's time. So records are followed only once somebody
reads them; and a lane that runs in a thread sets the variable once, to its *place*, and only writes the record into that.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext


class Place:
    """Where a lane stands."""

    __slots__ = ("record",)

    def __init__(self, record: Record | None = None) -> None:
        self.record = record


current_batch: ContextVar[BatchContext | None] = ContextVar("kstream_batch", default=None)
current_attempt: ContextVar[int] = ContextVar("kstream_attempt", default=1)
_place: ContextVar[Place | None] = ContextVar("kstream_place", default=None)

_followed = False


def follow_records() -> None:
    """From the next batch on, records are followed. For the life of the process."""
    global _followed
    _followed = True


def records_are_followed() -> bool:
    return _followed


def current_record() -> Record | None:
    """The record in hand; None where there is none, or records are not followed."""
    place = _place.get()
    return None if place is None else place.record


def take_place() -> Place:
    """For a lane of ``def process``: into it goes each record that is taken in hand.

    A thread that outlives the record it was started for, from a copied context, then sees the lane's next one.
    """
    place = Place()
    _place.set(place)
    return place


def take_up(record: Record) -> None:
    """This one is in hand, and stays it for every task that is started from here."""
    _place.set(Place(record))


def put_down() -> None:
    """No record is in hand any more: what is said from here on is of the batch."""
    _place.set(None)
    current_attempt.set(1)


@contextmanager
def in_hand(batch: BatchContext) -> Iterator[None]:
    """For the time that this batch is processed."""
    before = current_batch.set(batch), _place.set(None), current_attempt.set(1)
    try:
        yield
    finally:
        current_batch.reset(before[0])
        _place.reset(before[1])
        current_attempt.reset(before[2])


@contextmanager
def about(record: Record) -> Iterator[None]:
    """For a line that is about this record, whatever is in hand."""
    before = _place.set(Place(record))
    try:
        yield
    finally:
        _place.reset(before)
