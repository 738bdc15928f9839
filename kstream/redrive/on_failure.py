"""The message that AWS's event source mapping sends to its on-failure destination, read strictly.

Its form is that of the Lambda developer guide ("Retain discarded batch records for a Kinesis Data Streams event source in
Lambda"). SQS and SNS get the batch's metadata alone; S3 gets the whole invocation beside it, in ``payload``, which is
JSON inside a string. Some tools write it as an object, so both are read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from kstream.core.errors import EventError, KstreamError
from kstream.core.ports import stream_name
from kstream.runtimes.lambda_event import batch_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.core.batch import Batch

T = TypeVar("T")

_MISSING = object()


class NotOnFailure(KstreamError):
    """The text is not an on-failure message of a Kinesis event source mapping; says what is wrong and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnFailureMessage:
    """Kinesis records that an event source mapping gave up. Times are aware.

    ``condition``        such as ``RetryAttemptsExhausted`` or ``RecordAgeExceeded``.
    ``invocations``      how often the function was invoked with them, approximately.
    ``function_error``   ``Unhandled`` after an exception; None if the function answered, or was never invoked.
    ``status_code``      None without a ``responseContext``: the records aged out, or could never be sent.
    ``first``, ``last``  sequence numbers, both included, as AWS spelled them.
    ``batch_size``       how many Kinesis records they are.
    ``batch``            the records themselves, where the destination was S3; None elsewhere.
    """

    request_id: str
    function_arn: str
    condition: str
    invocations: int
    status_code: int | None
    function_error: str | None
    timestamp: datetime
    stream_arn: str
    shard_id: str
    first: str
    last: str
    first_arrived_at: datetime
    last_arrived_at: datetime
    batch_size: int
    batch: Batch | None = None

    @property
    def function_name(self) -> str:
        """Of ``arn:aws:lambda:REGION:ACCOUNT:function:NAME[:VERSION]``; the whole ARN if it is none."""
        parts = self.function_arn.split(":")
        return parts[6] if len(parts) > 6 else self.function_arn

    @property
    def stream_name(self) -> str:
        return stream_name(self.stream_arn)

    @property
    def region(self) -> str:
        return self.stream_arn.split(":")[3]

    def covers(self, sequence_number: str) -> bool:
        """Whether it names the Kinesis record of this sequence number."""
        return int(self.first) <= int(sequence_number) <= int(self.last)


def on_failure_of(body: Mapping[str, Any]) -> OnFailureMessage:
    """Reads a message. Raises ``NotOnFailure`` for anything that is not one, and for one of another kind of source."""
    if "KinesisBatchInfo" not in body:
        other = next((name for name in body if name.endswith(("BatchInfo", "StreamBatchInfo"))), None)
        raise NotOnFailure(
            f"an on-failure message with {other}, not of a Kinesis stream"
            if other
            else f"neither a dead letter nor an on-failure message: an object with {', '.join(body) or 'nothing'}"
        )
    request = _get(body, "requestContext", dict)
    info = _get(body, "KinesisBatchInfo", dict)
    response = _get(body, "responseContext", dict) if body.get("responseContext") is not None else None
    message = OnFailureMessage(
        request_id=_get(request, "requestId", str),
        function_arn=_get(request, "functionArn", str),
        condition=_get(request, "condition", str),
        invocations=_get(request, "approximateInvokeCount", int),
        status_code=None if response is None else _get(response, "statusCode", int),
        function_error=None if response is None or response.get("functionError") is None
        else _get(response, "functionError", str),
        timestamp=_time(body, "timestamp"),
        stream_arn=_arn(info),
        shard_id=_get(info, "shardId", str),
        first=_sequence(info, "startSequenceNumber"),
        last=_sequence(info, "endSequenceNumber"),
        first_arrived_at=_time(info, "approximateArrivalOfFirstRecord"),
        last_arrived_at=_time(info, "approximateArrivalOfLastRecord"),
        batch_size=_get(info, "batchSize", int),
        batch=_payload(body["payload"]) if body.get("payload") is not None else None,
    )  # fmt: skip
    if int(message.first) > int(message.last) or message.batch_size < 1:
        raise NotOnFailure(
            f"KinesisBatchInfo contradicts itself: {message.batch_size} records from {message.first} to {message.last}"
        )
    if message.batch is not None:
        _check_payload(message, message.batch)
    return message


def _payload(payload: object) -> Batch:
    try:
        return batch_of(json.loads(payload) if isinstance(payload, str) else payload)
    except ValueError as error:
        raise NotOnFailure(f"its payload is not JSON: {error}") from error
    except EventError as error:
        raise NotOnFailure(f"its payload is not a Kinesis event: {error}") from error


def _check_payload(message: OnFailureMessage, batch: Batch) -> None:
    for outer in batch.outers:
        if not message.covers(outer.sequence_number):
            raise NotOnFailure(
                f"its payload holds record {outer.sequence_number}, which KinesisBatchInfo does not name"
            )


def _get(body: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = body.get(name, _MISSING)
    # A bool is an int to Python, and no number to JSON.
    if not isinstance(value, kind) or isinstance(value, bool):
        found = "missing" if value is _MISSING else repr(value)
        raise NotOnFailure(f"its {name} is {found}, not {kind.__name__}")
    return value


def _time(body: Mapping[str, Any], name: str) -> datetime:
    text = _get(body, name, str)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NotOnFailure(f"its {name} is {text!r}, not a time") from None
    if time.tzinfo is None:
        raise NotOnFailure(f"its {name} is {text!r}, a time without its zone")
    return time


def _sequence(body: Mapping[str, Any], name: str) -> str:
    text = _get(body, name, str)
    if not (text.isascii() and text.isdecimal()):
        raise NotOnFailure(f"its {name} is {text!r}, not a sequence number")
    return text


def _arn(info: Mapping[str, Any]) -> str:
    arn = _get(info, "streamArn", str)
    if len(arn.split(":")) < 6 or ":stream/" not in arn:
        raise NotOnFailure(f"its streamArn is {arn!r}, not the ARN of a stream")
    return arn
