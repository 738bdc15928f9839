"""A batch as OpenTelemetry's spans. Importing this module imports OpenTelemetry's API."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_tracer,
    set_span_in_context,
)

from kstream.core.ports import service_name
from kstream.telemetry import otel_names as names
from kstream.telemetry.notes import key_of, value_of
from kstream.telemetry.producers import producer_of, producers_of
from kstream.telemetry.tracing import FRAMES, message_of, word_of, word_of_batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import Span, Tracer, TracerProvider

    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext
    from kstream.telemetry.trace_context import TraceContext

    Value = str | int | float | bool

_LONGEST_VALUE = 1_000


class OTelBatch:
    """``kstream.telemetry.tracing.BatchTrace`` in OpenTelemetry."""

    def __init__(self, tracer: Tracer, span: Span, facts: Mapping[str, Value], *, error_messages: bool) -> None:
        self.sampled: bool = span.is_recording()
        self._tracer = tracer
        self._span = span
        self._facts = facts
        self._error_messages = error_messages
        self._above = set_span_in_context(span)
        self._token = otel_context.attach(self._above)

    def open_record(self, record: Record, attempt: int) -> OTelRecord:
        return OTelRecord(self, self._start_record(record, attempt))

    def tell_record(
        self, record: Record, attempt: int, error: BaseException | None, *, started_at: float, ended_at: float
    ) -> None:
        self.end_record(self._start_record(record, attempt, _nanoseconds(started_at)), error, _nanoseconds(ended_at))

    def end_record(self, span: Span, error: BaseException | None, end_time: int | None = None) -> None:
        span.set_attribute(names.OUTCOME, word_of(error))
        if error is not None:
            self._note_error(span, error, end_time)
        span.end(end_time)

    def annotate(self, key: str, value: str | float | bool) -> None:
        annotate(self._span, key, value)

    def tell_deadline(self, outcome: Outcome) -> None:
        # A span can be sent only once it has ended, and the batch's may never.
        span = self._tracer.start_span(
            names.DEADLINE, self._above, attributes={names.OUTCOME: "out_of_time", **_counts(outcome)}
        )
        span.set_status(Status(StatusCode.ERROR, "the batch ran out of time"))
        span.end()

    def close(
        self,
        outcome: Outcome,
        error: BaseException | None,
        left_out: Mapping[str, int],
        failed_with: type[BaseException] | None,
    ) -> None:
        otel_context.detach(self._token)
        span = self._span
        if self.sampled:
            span.set_attribute(names.OUTCOME, word_of_batch(outcome, error))
            span.set_attributes(_counts(outcome))
            span.set_attributes({names.LEFT_OUT + kind: count for kind, count in left_out.items()})
            if error is not None:
                self._note_error(span, error)
            elif not outcome.complete:
                if failed_with is not None:
                    span.set_attribute(names.ERROR_TYPE, failed_with.__qualname__)
                span.set_status(Status(StatusCode.ERROR, f"{outcome.failed} failed, {outcome.unfinished} unfinished"))
        span.end()

    def _start_record(self, record: Record, attempt: int, start_time: int | None = None) -> Span:
        producer = producer_of(record)
        return self._tracer.start_span(
            f"{names.RECORD} {self._facts[names.DESTINATION]}",
            self._above,
            kind=SpanKind.CONSUMER,
            attributes={
                **self._facts,
                names.OPERATION_NAME: names.RECORD,
                names.MESSAGE_ID: f"{record.sequence_number}:{record.sub_sequence_number}",
                names.PARTITION_KEY: record.partition_key,
                names.ATTEMPT: attempt,
            },
            links=() if producer is None else _links([producer]),
            start_time=start_time,
        )

    def _note_error(self, span: Span, error: BaseException, at: int | None = None) -> None:
        kind = type(error).__qualname__
        message = message_of(error) if self._error_messages else ""
        frames = "".join(traceback.format_tb(error.__traceback__, limit=-FRAMES))
        event = {names.EXCEPTION_TYPE: kind, names.EXCEPTION_STACKTRACE: frames}
        span.add_event(names.EXCEPTION, event | ({names.EXCEPTION_MESSAGE: message} if message else {}), at)
        span.set_attribute(names.ERROR_TYPE, kind)
        span.set_status(Status(StatusCode.ERROR, f"{kind}: {message}" if message else kind))


class OTelRecord:
    """``kstream.telemetry.tracing.RecordTrace`` in OpenTelemetry."""

    __slots__ = ("_batch", "_span", "_token")

    def __init__(self, batch: OTelBatch, span: Span) -> None:
        self._batch = batch
        self._span = span
        self._token = otel_context.attach(set_span_in_context(span))

    def annotate(self, key: str, value: str | float | bool) -> None:
        annotate(self._span, key, value)

    def close(self, error: BaseException | None) -> None:
        otel_context.detach(self._token)
        self._batch.end_record(self._span, error)


def open_batch(provider: TracerProvider | None, context: BatchContext, *, error_messages: bool) -> OTelBatch:
    """The batch's span, open and current."""
    tracer = get_tracer("kstream", tracer_provider=provider)
    scope, outers = context.scope, context.batch.outers
    stream = scope.stream
    other = names.OTHER_SYSTEMS.get(service_name(scope.stream_arn))
    facts: dict[str, Value] = {
        names.MESSAGING_SYSTEM: other or names.SYSTEM,
        names.OPERATION_TYPE: "process",
        names.DESTINATION: stream,
        names.CONSUMER_GROUP: scope.consumer,
    }
    if other is None:
        facts |= {names.PARTITION: scope.shard_id, names.STREAM: stream}
    of_batch: dict[str, Value] = {names.OPERATION_NAME: names.BATCH, names.MESSAGE_COUNT: len(context.batch.records)}
    if outers:
        of_batch[names.FIRST_SEQUENCE_NUMBER] = outers[0].sequence_number
        of_batch[names.LAST_SEQUENCE_NUMBER] = outers[-1].sequence_number
    if context.request_id:
        of_batch[names.INVOCATION] = context.request_id
    span = tracer.start_span(
        f"{names.BATCH} {stream}",
        kind=SpanKind.CONSUMER,
        attributes={**facts, **of_batch},
        links=_links(producers_of(context.batch)),
    )
    return OTelBatch(tracer, span, facts, error_messages=error_messages)


def annotate(span: Span, key: str, value: str | float | bool) -> None:
    """Sets an attribute of the handler's. Nothing if the span has ended.

    By a name that is kstream's own it is called ``handler.`` and that name.
    """
    if span.is_recording():
        key = key_of(key)
        if key in names.OURS or key.startswith(names.PREFIX):
            key = f"handler.{key}"
        span.set_attribute(key, value_of(value, _LONGEST_VALUE))


def _links(producers: Sequence[TraceContext]) -> list[Link]:
    return [
        Link(SpanContext(int(one.trace_id, 16), int(one.parent_id, 16), is_remote=True, trace_flags=_flags(one)))
        for one in producers
        if one.parent_id is not None
    ]


def _flags(producer: TraceContext) -> TraceFlags:
    return TraceFlags(TraceFlags.SAMPLED if producer.sampled else TraceFlags.DEFAULT)


def _counts(outcome: Outcome) -> dict[str, int]:
    counts = {
        names.COUNT + name: getattr(outcome, name)
        for name in ("done", "skipped", "dead_lettered", "failed", "unfinished", "retried", "rejected")
    }
    return counts | {names.PREFIX + name: count for name in names.TROUBLES if (count := getattr(outcome, name))}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
