"""Where the X-Ray SDK keeps what is open: in context variables, for as long as kstream has a batch in hand.

The SDK's own contexts keep it per thread, so what a handler did in another thread would lose its batch, and tasks of one
loop would take each other's segments for their own. Context variables follow the work into threads and tasks. They hold
tuples, so whoever starts with a copy changes nobody else's.

Importing this module imports the SDK.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from aws_xray_sdk.core.async_context import AsyncContext
from aws_xray_sdk.core.context import Context
from aws_xray_sdk.core.exceptions.exceptions import AlreadyEndedException, SegmentNotFoundException
from aws_xray_sdk.core.models.dummy_entities import DummySegment

from kstream.telemetry.xray_documents import hide_messages, send

if TYPE_CHECKING:
    from aws_xray_sdk.core.models.entity import Entity
    from aws_xray_sdk.core.recorder import AWSXRayRecorder

_log = logging.getLogger("kstream")

_open: ContextVar[tuple[Entity, ...]] = ContextVar("kstream_xray_open", default=())
"""What is open: first what kstream opened, then what the handler opened in it, innermost last."""

_quiet: ContextVar[bool] = ContextVar("kstream_xray_quiet", default=False)
"""Whether errors are to be sent without their text."""


class HandedOver:
    """A recorder's context, in place of ``outside``, the one it had, which goes on to serve whatever is no batch's.

    Has what the SDK's ``Context`` has. What it raises it raises where ``outside`` would; besides, a handler that outlives
    its batch is not told that what it wants to note on is closed: it notes on nothing.
    """

    def __init__(self, outside: Any, recorder: AWSXRayRecorder) -> None:
        self.outside = outside
        self._recorder = recorder

    def put_segment(self, segment: Entity) -> None:
        if opened := _open.get():
            _open.set((*opened, segment))
        else:
            self.outside.put_segment(segment)

    def end_segment(self, end_time: float | None = None) -> None:
        opened = _open.get()
        if not opened:
            self.outside.end_segment(end_time)
        elif own := [entity for entity in opened[1:] if not self._is_subsegment(entity)]:
            _end(own[-1], end_time)
        else:
            _log.warning("the segment of a batch is kstream's to end; the handler's end_segment() is ignored")

    def put_subsegment(self, subsegment: Entity) -> None:
        opened = _open.get()
        if not opened:
            self.outside.put_subsegment(subsegment)
            return
        with suppress(AlreadyEndedException):
            self.get_trace_entity().add_subsegment(subsegment)
        _open.set((*opened, subsegment))

    def end_subsegment(self, end_time: float | None = None) -> bool:
        opened = _open.get()
        if not opened:
            ended: bool = self.outside.end_subsegment(end_time)
            return ended
        if len(opened) == 1 or not self._is_subsegment(opened[-1]):
            _log.warning("no subsegment of the handler's is open; its end_subsegment() is ignored")
            return False
        subsegment, parent = opened[-1], opened[-2]
        _end(subsegment, end_time)
        _open.set(opened[:-1])
        if subsegment.sampled and not parent.in_progress:
            # Its batch is over and told: nobody else would send it.
            send(self._recorder.emitter, subsegment)
        return True

    def get_trace_entity(self) -> Any:
        opened = _open.get()
        if not opened:
            return self.outside.get_trace_entity()
        # What the handler closed itself is its own affair, as anywhere else.
        return opened[-1] if len(opened) > 1 or opened[0].in_progress else DummySegment()

    def set_trace_entity(self, trace_entity: Entity) -> None:
        opened = _open.get()
        if opened:
            _open.set((opened[0], trace_entity) if trace_entity is not opened[0] else opened[:1])
        else:
            self.outside.set_trace_entity(trace_entity)

    def clear_trace_entities(self) -> None:
        """In a batch, of the handler's own segment, if it has one, else of all its subsegments: the batch stays."""
        opened = _open.get()
        if not opened:
            self.outside.clear_trace_entities()
            return
        own = [at for at, entity in enumerate(opened) if at and not self._is_subsegment(entity)]
        _open.set(opened[: own[-1]] if own else opened[:1])

    def handle_context_missing(self) -> Any:
        return self.outside.handle_context_missing()

    def _is_subsegment(self, entity: Entity) -> bool:
        return getattr(entity, "type", None) == "subsegment"

    @property
    def context_missing(self) -> Any:
        return self.outside.context_missing

    @context_missing.setter
    def context_missing(self, strategy: str) -> None:
        self.outside.context_missing = strategy

    def __getattr__(self, name: str) -> Any:
        if name == "outside":
            raise AttributeError(name)  # of a copy in the making, which has nothing yet
        return getattr(self.outside, name)


def hand_over(recorder: AWSXRayRecorder) -> None:
    """Has the recorder keep what is open where threads and tasks find it. Harmless when repeated.

    By ``recorder.context`` and not by ``configure``, which would set other things anew as well.
    """
    if not isinstance(recorder.context, HandedOver):
        recorder.context = HandedOver(recorder.context, recorder)


def current_entity(recorder: AWSXRayRecorder) -> Any:
    """What is open here, by kstream or by the user; None if nothing is. Unlike the recorder it makes no complaint then."""
    if opened := _open.get():
        return opened[-1]
    context = recorder.context
    outside = context.outside if isinstance(context, HandedOver) else context
    if type(outside) in (Context, AsyncContext) and not getattr(outside._local, "entities", None):  # noqa: SLF001
        return None
    try:
        return outside.get_trace_entity()
    except SegmentNotFoundException:
        return None


def keep_quiet(quiet: bool) -> None:
    """Whether what a handler opens from here on, in this thread or task, is to be sent without the text of errors."""
    _quiet.set(quiet)


def _end(entity: Entity, end_time: float | None) -> None:
    if _quiet.get():
        hide_messages(entity)
    entity.close(end_time)


def enter(entity: Entity) -> tuple[Entity, ...]:
    """Makes it what is open in this thread or task. Returns what was, for ``leave``."""
    before = _open.get()
    _open.set((entity,))
    return before


def leave(before: tuple[Entity, ...]) -> None:
    _open.set(before)
