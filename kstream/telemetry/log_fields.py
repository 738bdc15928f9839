"""The names of a log line's fields, and what they say of the batch and the record that are in hand.

One place for them: a search in the logs, a user's own formatter and the documentation mean the same.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kstream.core.context import current_attempt, current_batch, current_record
from kstream.core.ports import stream_name

if TYPE_CHECKING:
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext

# Every line's.
TIMESTAMP = "timestamp"
LEVEL = "level"
LOGGER = "logger"
MESSAGE = "message"
SERVICE = "service"

# Of the batch in hand.
CONSUMER = "consumer"
STREAM = "stream"
SHARD = "shard"
REQUEST_ID = "request_id"

# Of the record in hand.
SEQUENCE_NUMBER = "sequence_number"
SUB_SEQUENCE_NUMBER = "sub_sequence_number"
PARTITION_KEY = "partition_key"
RECORD_AGE = "record_age"
"""Milliseconds from the record's arrival in the stream to the line."""
ATTEMPT = "attempt"

# Of what went wrong.
OUTCOME = "outcome"
"""One of the words below, on the lines of ``Logs``."""
ERROR_TYPE = "error_type"
ERROR_MESSAGE = "error_message"
TRACEBACK = "traceback"
STACK = "stack"
"""Where a thread is, or was when ``stack_info=True`` asked for it."""
COUNTS = "batch"
"""The batch's counts, as ``Outcome`` names them."""

# Of the line itself, where there is something to say.
PAYLOAD = "payload"
PAYLOAD_LEFT_OUT = "payload_left_out"
LOGGING_ERROR = "logging_error"
CUT = "cut"
"""True where the line was too long to be written in full."""

# What ``outcome`` says: of a record, ...
FAILED = "failed"
DEAD_LETTERED = "dead_lettered"
DEAD_LETTER_FAILED = "dead_letter_failed"
# ... and of a batch.
LEDGER_FAILED = "ledger_failed"
UNFINISHED = "unfinished"
INTERRUPTED = "interrupted"
DEADLINE_PASSED = "deadline_passed"

IN_HAND = (
    CONSUMER,
    STREAM,
    SHARD,
    REQUEST_ID,
    SEQUENCE_NUMBER,
    SUB_SEQUENCE_NUMBER,
    PARTITION_KEY,
    ATTEMPT,
    RECORD_AGE,
)
"""What the context knows: the fields that ``ContextFilter`` puts on every ``LogRecord``."""


def in_hand(now: float) -> dict[str, object]:
    """What is known of what this thread or task has in hand; empty outside any batch. Raises nothing.

    ``now``  in seconds since the epoch: the moment of the line.
    """
    fields: dict[str, object] = {}
    if (batch := current_batch.get()) is not None:
        fields |= of_batch(batch)
    attempt = current_attempt.get()
    if (record := current_record()) is not None:
        fields |= of_record(record, now)
        fields[ATTEMPT] = attempt
    elif attempt > 1:  # of a batch handler's call, which has no record of its own
        fields[ATTEMPT] = attempt
    return fields


def of_batch(batch: BatchContext) -> dict[str, object]:
    """Whose batch it is, and which invocation brought it."""
    scope = batch.scope
    known = {
        CONSUMER: scope.consumer,
        STREAM: scope.stream,
        SHARD: scope.shard_id,
        REQUEST_ID: batch.request_id,
    }
    return {name: value for name, value in known.items() if value}


def of_record(record: Record, now: float | None = None) -> dict[str, object]:
    """Which record it is; with ``now``, also how old. What a defective delivery does not say is left out."""
    fields: dict[str, object] = {}
    # Each by itself: a record is read in place from the event, and an event that lacks one thing may have the others.
    with suppress(Exception):
        fields[STREAM] = stream_name(record.stream_arn)
    with suppress(Exception):
        if shard := record.shard_id:
            fields[SHARD] = shard
    with suppress(Exception):
        fields[SEQUENCE_NUMBER] = record.sequence_number
        fields[SUB_SEQUENCE_NUMBER] = record.sub_sequence_number
    with suppress(Exception):
        fields[PARTITION_KEY] = record.partition_key
    if now is not None:
        with suppress(Exception):
            arrived_at = record.arrived_at
            if arrived_at > _NEVER:
                fields[RECORD_AGE] = round((now - arrived_at.timestamp()) * 1000)
    return fields


_NEVER = datetime.fromtimestamp(0, UTC)
