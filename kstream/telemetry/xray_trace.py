"""A batch as X-Ray's documents: a segment or a subsegment of its own, and subsegments for some of its records.

Each is a document by itself, sent when it is over, with the other's id as its parent. In one tree, as the SDK keeps it,
a record that never ends would hold back its batch, and a hundred records would not fit the 64 kB that a document may have.
What a handler opens stays in the SDK's care, which sends ahead what is too much.

Importing this module imports the SDK.
"""

from __future__ import annotations

import copy
import re
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from aws_xray_sdk.core.models.facade_segment import FacadeSegment
from aws_xray_sdk.core.models.subsegment import Subsegment
from aws_xray_sdk.core.models.trace_header import TraceHeader

from kstream.core.errors import Reject
from kstream.telemetry.notes import value_of
from kstream.telemetry.producers import producer_of, producers_of
from kstream.telemetry.tracing import FRAMES, message_of, word_of, word_of_batch
from kstream.telemetry.xray_context import current_entity, enter, hand_over, keep_quiet, leave
from kstream.telemetry.xray_documents import LONGEST_VALUE, NAMESPACE, annotate, hide_messages, send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_xray_sdk.core.models.entity import Entity
    from aws_xray_sdk.core.models.segment import Segment
    from aws_xray_sdk.core.recorder import AWSXRayRecorder

    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext
    from kstream.telemetry.trace_context import TraceContext

_LONGEST_NAME = 200
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f _.:/%&#=+\-@]")


class XRayBatch:
    """``kstream.telemetry.tracing.BatchTrace`` in X-Ray.

    ``top``   the batch's own document; ``above`` the segment that stands for its parent, None if it has none.
    """

    def __init__(
        self,
        recorder: AWSXRayRecorder,
        context: BatchContext,
        top: Entity,
        above: Segment | None,
        *,
        error_messages: bool,
    ) -> None:
        self.sampled: bool = top.sampled
        self._recorder = recorder
        self._top = top
        self._above = above
        self._error_messages = error_messages
        self._record_name = _name(f"{context.scope.consumer} record")
        if self.sampled:
            _describe(top, context)
        self._ending = threading.Lock()
        keep_quiet(not error_messages)
        self._before = enter(top)

    def open_record(self, record: Record, attempt: int) -> XRayRecord:
        above = _stand_in(self._top.trace_id, self._top.id, self._trace_header())
        subsegment = Subsegment(self._record_name, "local", above)
        above.add_subsegment(subsegment)
        _describe_record(subsegment, record, attempt)
        return XRayRecord(self, subsegment, record)

    def tell_record(
        self, record: Record, attempt: int, error: BaseException | None, *, started_at: float, ended_at: float
    ) -> None:
        subsegment = Subsegment(self._record_name, "local", self._above or self._top)
        subsegment.parent_id = self._top.id
        subsegment.start_time = started_at
        _describe_record(subsegment, record, attempt)
        self.send_record(subsegment, record, error, ended_at)

    def send_record(
        self, subsegment: Subsegment, record: Record, error: BaseException | None, ended_at: float | None = None
    ) -> None:
        """Closes a record's document with what came of it, and sends it."""
        subsegment.metadata[NAMESPACE]["outcome"] = word_of(error)
        if error is not None:
            # Only of these, and not of all: X-Ray indexes 50 annotations of a trace, whosever they are.
            subsegment.put_annotation("sequence_number", record.sequence_number)
            subsegment.put_annotation("outcome", word_of(error))
            self._note_error(subsegment, error)
        self._send(subsegment, ended_at)

    def annotate(self, key: str, value: str | float | bool) -> None:
        annotate(self._top, key, value)

    def tell_deadline(self, outcome: Outcome) -> None:
        with self._ending:  # or this could be the later of the two, and say that the batch is still in progress
            if not self._top.in_progress:
                return
            so_far = copy.copy(self._top)
            so_far.subsegments = []
            so_far.annotations = {**self._top.annotations, "outcome": "out_of_time"}
            so_far.metadata = {**self._top.metadata}
            so_far.metadata[NAMESPACE] = {**so_far.metadata.get(NAMESPACE, {}), "outcome": _counts(outcome)}
            self._emit(so_far)

    def close(
        self,
        outcome: Outcome,
        error: BaseException | None,
        left_out: Mapping[str, int],
        failed_with: type[BaseException] | None,
    ) -> None:
        leave(self._before)
        top = self._top
        if not self.sampled or not top.in_progress:
            return
        top.put_annotation("outcome", word_of_batch(outcome, error))
        top.put_metadata("outcome", _counts(outcome), NAMESPACE)
        if left_out:
            top.put_metadata("attempts_without_a_subsegment", dict(left_out), NAMESPACE)
        if error is not None:
            self._note_error(top, error)
        elif outcome.failed or outcome.unfinished:
            top.add_fault_flag()
            if failed_with is not None:
                top.put_metadata("error_type", failed_with.__name__, NAMESPACE)
        elif outcome.dead_lettered or outcome.ledger_failures:
            top.add_error_flag()
        with self._ending:
            self._send(top)

    def _send(self, entity: Entity, ended_at: float | None = None) -> None:
        entity.in_progress = False
        entity.end_time = max(entity.start_time, time.time()) if ended_at is None else ended_at
        if any(child.in_progress for child in entity.subsegments):
            # What the handler has not closed will be sent by itself. A copy: the SDK may be at work on that list.
            entity = copy.copy(entity)
            entity.subsegments = [child for child in entity.subsegments if not child.in_progress]
        self._emit(entity)

    def _emit(self, entity: Entity) -> None:
        if not self._error_messages:
            hide_messages(entity)  # also of what the handler itself has noted on it
        send(self._recorder.emitter, entity)

    def _note_error(self, entity: Entity, error: BaseException) -> None:
        frames = [
            (frame.f_code.co_filename, line, frame.f_code.co_name)
            for frame, line in list(traceback.walk_tb(error.__traceback__))[-FRAMES:]
        ]
        entity.put_metadata("error_type", type(error).__name__, NAMESPACE)
        before = entity.cause
        entity.add_exception(error, frames)
        if isinstance(error, Reject):
            # X-Ray's words: a fault is the server's, an error its client's.
            entity.fault = False
            entity.add_error_flag()
        if isinstance(entity.cause, dict):
            entity.cause["exceptions"][-1].message = message_of(error)
        elif isinstance(before, dict) and entity.cause in {known.id for known in before.get("exceptions", ())}:
            entity.cause = before  # the handler has noted it here; else the id is of one in a subsegment of its own

    def _trace_header(self) -> Any:
        return None if self._above is None else self._above.get_origin_trace_header()


class XRayRecord:
    """``kstream.telemetry.tracing.RecordTrace`` in X-Ray."""

    __slots__ = ("_batch", "_before", "_record", "_subsegment")

    def __init__(self, batch: XRayBatch, subsegment: Subsegment, record: Record) -> None:
        self._batch = batch
        self._subsegment = subsegment
        self._record = record
        self._before = enter(subsegment)

    def annotate(self, key: str, value: str | float | bool) -> None:
        annotate(self._subsegment, key, value)

    def close(self, error: BaseException | None) -> None:
        leave(self._before)
        if self._subsegment.in_progress:
            self._batch.send_record(self._subsegment, self._record, error)


def open_batch(
    recorder: AWSXRayRecorder,
    context: BatchContext,
    invocation: TraceContext | None,
    header: str,
    *,
    error_messages: bool,
) -> XRayBatch:
    """The batch's document, open and current.

    ``invocation``  the sampled trace that Lambda names, with a parent; None outside Lambda. ``header``: how it says so.

    Outside Lambda it is a segment, unless the user has one open already; then, as in Lambda, a subsegment of that.
    """
    hand_over(recorder)
    name = _name(context.scope.consumer)
    current = current_entity(recorder)
    if invocation is not None:
        assert invocation.parent_id is not None
        parent_id, trace_id = invocation.parent_id, invocation.xray_trace_id
        if getattr(current, "type", None) == "subsegment" and current.sampled and current.trace_id == trace_id:
            parent_id = current.id
        above = _stand_in(trace_id, parent_id, TraceHeader.from_header_str(header))
    elif current is not None and current.sampled:
        above = _stand_in(current.trace_id, current.id, None)
    elif current is not None:
        return XRayBatch(recorder, context, current, None, error_messages=error_messages)
    else:
        segment = recorder.begin_segment(_name(recorder.service or context.scope.consumer))
        recorder.clear_trace_entities()
        # Held, or the last subsegment to end would send it.
        segment.ref_counter.increment()
        return XRayBatch(recorder, context, segment, None, error_messages=error_messages)
    top = Subsegment(name, "local", above)
    above.add_subsegment(top)
    return XRayBatch(recorder, context, top, above, error_messages=error_messages)


def _stand_in(trace_id: str, entity_id: str, header: Any) -> FacadeSegment:
    """Stands above what is sent by itself: the SDK never sends it, and needs it."""
    above = FacadeSegment("facade", entityid=entity_id, traceid=trace_id, sampled=True)
    above.save_origin_trace_header(header)
    return above


def _describe(top: Entity, context: BatchContext) -> None:
    scope, outers = context.scope, context.batch.outers
    top.put_annotation("consumer", value_of(scope.consumer, LONGEST_VALUE))
    top.put_annotation("stream", scope.stream)
    if scope.shard_id:
        top.put_annotation("shard", scope.shard_id)
    if outers:
        top.put_annotation("first_sequence_number", outers[0].sequence_number)
        top.put_annotation("last_sequence_number", outers[-1].sequence_number)
    if context.request_id:
        top.put_metadata("request_id", context.request_id, NAMESPACE)
    if producers := producers_of(context.batch):
        traces = list(dict.fromkeys(producer.xray_trace_id for producer in producers))
        top.put_metadata("producers", traces, NAMESPACE)
        if len(traces) == 1:
            top.put_annotation("producer", traces[0])


def _describe_record(subsegment: Subsegment, record: Record, attempt: int) -> None:
    facts: dict[str, Any] = {
        "sequence_number": record.sequence_number,
        "sub_sequence_number": record.sub_sequence_number,
        "partition_key": record.partition_key,
        "attempt": attempt,
    }
    if (producer := producer_of(record)) is not None:
        facts["producer"] = producer.xray_trace_id
    subsegment.metadata[NAMESPACE] = facts


def _counts(outcome: Outcome) -> dict[str, Any]:
    return {
        name: value
        for name in outcome.__dataclass_fields__
        if name != "undone" and (value := getattr(outcome, name)) not in (0, None, False)
    }


def _name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)[:_LONGEST_NAME] or "kstream"
