"""Which traces the records of a batch come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from kstream.core.batch import Batch
    from kstream.core.record import Record

LOOKED_AT = 256
"""Records of a batch, spread evenly over it: to look at one of an aggregate makes it, and there may be a million."""

MOST = 128
"""Producers of a batch that are told: what an OpenTelemetry span holds of links unless it is told otherwise."""


def producers_of(batch: Batch) -> tuple[TraceContext, ...]:
    """The contexts that this batch's records carry in their headers, each once, in the records' order."""
    records = batch.records
    step = max(1, -(-len(records) // LOOKED_AT))
    found: dict[tuple[str, str | None], TraceContext] = {}
    for index in range(0, len(records), step):
        producer = producer_of(records[index])
        if producer is not None:
            found.setdefault((producer.trace_id, producer.parent_id), producer)
            if len(found) == MOST:
                break
    return tuple(found.values())


def producer_of(record: Record) -> TraceContext | None:
    """The context that this record's headers carry, if they do."""
    return TraceContext.from_headers(record.headers)
