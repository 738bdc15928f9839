"""The message that AWS's event source mapping sends to its on-failure destination.

Its form is that of the Lambda developer guide ("Retain discarded records for a Kinesis Data Streams event source"): the
batch's metadata, without its payload, as SQS and SNS get it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kstream.core.delivery.batch import Discard


def on_failure_message(
    discard: Discard, *, stream_arn: str, function_arn: str, request_id: str, now: float
) -> dict[str, Any]:
    """The message for ``discard``. ``request_id`` is that of its last invocation; ``now`` in epoch seconds.

    ``functionError`` is ``"Unhandled"`` after an exception, and null where the function answered that it failed.
    ``responseContext`` is absent where no invocation is to blame: the records aged out, or could never be sent.
    """
    first, last = discard.records[0], discard.records[-1]
    message: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": discard.condition,
            "approximateInvokeCount": discard.invocations,
        },
        "version": "1.0",
        "timestamp": _iso(now),
        "KinesisBatchInfo": {
            "shardId": discard.shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _iso(first.arrived_at),
            "approximateArrivalOfLastRecord": _iso(last.arrived_at),
            "batchSize": len(discard.records),
            "streamArn": stream_arn,
        },
    }
    if discard.condition == "RetryAttemptsExhausted" and discard.invocations:
        message["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": None if discard.answered else "Unhandled",
        }
    return message


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
