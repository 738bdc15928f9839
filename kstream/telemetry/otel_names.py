"""What kstream's spans and their attributes are called.

By OpenTelemetry's semantic conventions for messaging, of which none is final yet:
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/. They have a value for SQS, and none for Kinesis
and for DynamoDB Streams, whose are made as most of theirs are. What they have no name for begins with ``kstream.``.
"""

from __future__ import annotations

from typing import Final

SYSTEM: Final = "aws.kinesis"
OTHER_SYSTEMS: Final = {"dynamodb": "aws.dynamodb", "sqs": "aws_sqs"}
"""By the service in an ARN."""

MESSAGING_SYSTEM: Final = "messaging.system"
OPERATION_NAME: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
PARTITION: Final = "messaging.destination.partition.id"
CONSUMER_GROUP: Final = "messaging.consumer.group.name"
MESSAGE_COUNT: Final = "messaging.batch.message_count"
MESSAGE_ID: Final = "messaging.message.id"
STREAM: Final = "aws.kinesis.stream_name"
INVOCATION: Final = "faas.invocation_id"
ERROR_TYPE: Final = "error.type"

EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

OURS: Final = frozenset(
    {
        MESSAGING_SYSTEM,
        OPERATION_NAME,
        OPERATION_TYPE,
        DESTINATION,
        PARTITION,
        CONSUMER_GROUP,
        MESSAGE_COUNT,
        MESSAGE_ID,
        STREAM,
        INVOCATION,
        ERROR_TYPE,
    }
)
PREFIX: Final = "kstream."
"""Of all the others."""

FIRST_SEQUENCE_NUMBER: Final = "kstream.first_sequence_number"
LAST_SEQUENCE_NUMBER: Final = "kstream.last_sequence_number"
PARTITION_KEY: Final = "kstream.partition_key"
ATTEMPT: Final = "kstream.attempt"
OUTCOME: Final = "kstream.outcome"
COUNT: Final = "kstream.records."
"""And the name of a count in ``Outcome``: ``kstream.records.failed``."""
TROUBLES: Final = ("ledger_failures", "dead_letter_failures")
"""Of stores, named as in ``Outcome``: ``kstream.ledger_failures``. Left out where there are none."""
LEFT_OUT: Final = "kstream.attempts_without_a_span."
"""And what they were: ``kstream.attempts_without_a_span.ValueError``."""
DEADLINE: Final = "deadline passed"

BATCH: Final = "process_batch"
RECORD: Final = "process"
