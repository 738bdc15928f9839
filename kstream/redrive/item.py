"""An item: something that was given up, as it lies in a source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import DeadLetterError
from kstream.redrive.on_failure import NotOnFailure, OnFailureMessage, on_failure_of

if TYPE_CHECKING:
    from datetime import datetime

_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Neither a dead letter nor an on-failure message, and why."""

    reason: str


Content = DeadLetter | OnFailureMessage | Unreadable


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    ``ref``         what its source deletes it by; of an SQS message, a receipt that changes.
    ``body``        its text, as it lies there.
    ``content``     what it is.
    ``key``         names what was given up: the same for each copy, and for a later letter of the same record.
    ``generation``  tells apart the letters of one record: when its last attempt was. A redrive is of one generation.
    """

    ref: str
    body: str
    content: Content
    key: str
    generation: str

    @property
    def id(self) -> str:
        """The end of ``key``, 16 characters: short enough to type."""
        return self.key[-_DIGEST:]

    @property
    def when(self) -> datetime | None:
        """When it was given up; None if that cannot be read."""
        match self.content:
            case DeadLetter() as letter:
                return letter.last_attempt_at
            case OnFailureMessage() as message:
                return message.timestamp
            case _:
                return None

    @property
    def consumer(self) -> str | None:
        """Who gave it up: the consumer, or the function; None if that cannot be read."""
        match self.content:
            case DeadLetter() as letter:
                return letter.consumer
            case OnFailureMessage() as message:
                return message.function_name
            case _:
                return None

    @property
    def reason(self) -> str:
        match self.content:
            case DeadLetter() as letter:
                return letter.reason
            case OnFailureMessage() as message:
                return message.condition
            case Unreadable(reason):
                return reason

    @property
    def size(self) -> int:
        """Bytes: of a letter's payload; of anything else as it lies there."""
        if isinstance(self.content, DeadLetter):
            return len(self.content.record.data)
        return len(self.body.encode("utf-8", "surrogatepass"))


def item_of(ref: str, body: str, problem: str = "") -> Item:
    """Reads what lies in a source. Never raises: what cannot be read is an item too, and says why.

    ``problem``: why ``body`` is only a pointer to the item.
    """
    content = Unreadable(problem) if problem else _content(body)
    match content:
        case DeadLetter() as letter:
            return Item(ref, body, letter, letter.key, letter.last_attempt_at.astimezone(UTC).isoformat())
        case OnFailureMessage() as message:
            name = (message.request_id, message.stream_arn, message.shard_id, message.first, message.last)
            key = f"on-failure.{message.shard_id}.{message.first}.{_digest(*name)}"
            return Item(ref, body, message, key, message.timestamp.astimezone(UTC).isoformat())
        case Unreadable():
            return Item(ref, body, content, f"unreadable.{_digest(body)}", "")


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def _content(text: str) -> Content:
    try:
        body = json.loads(text)
        if isinstance(body, dict) and body.get("Type") == "Notification" and isinstance(body.get("Message"), str):
            # SNS wraps what it passes on to SQS, unless the subscription has RawMessageDelivery.
            text = body["Message"]
            body = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"not JSON: {error}")
    if not isinstance(body, dict):
        return Unreadable(f"JSON, but {type(body).__name__} and not an object")
    try:
        return _checked(DeadLetter.from_json(text)) if "kstream" in body else on_failure_of(body)
    except (DeadLetterError, NotOnFailure) as error:
        return Unreadable(str(error))


def _checked(letter: DeadLetter) -> DeadLetter:
    """A letter whose every field is what it should be: anybody may have put it there."""
    record = letter.record
    texts: dict[str, Any] = {
        "consumer": letter.consumer,
        "reason": letter.reason,
        "errorType": letter.error_type,
        "streamArn": record.stream_arn,
        "shardId": record.shard_id,
        "partitionKey": record.partition_key,
        "explicitHashKey": record.explicit_hash_key or "",
        "sequenceNumber": record.sequence_number,
    }
    for name, value in texts.items():
        if not isinstance(value, str):
            raise DeadLetterError(f"not a kstream dead letter (its {name} is {value!r}, not text)")
    numbers: dict[str, Any] = {"attempts": letter.attempts, "subSequenceNumber": record.sub_sequence_number}
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 0:
            raise DeadLetterError(f"not a kstream dead letter (its {name} is {value!r}, not a count)")
    if not (record.sequence_number.isascii() and record.sequence_number.isdecimal()):
        raise DeadLetterError(f"not a kstream dead letter (its sequenceNumber is {record.sequence_number!r})")
    if any(time.tzinfo is None for time in (letter.first_attempt_at, letter.last_attempt_at, record.arrived_at)):
        raise DeadLetterError("not a kstream dead letter (one of its times has no zone)")
    headers: Any = record.headers
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise DeadLetterError("not a kstream dead letter (its headers are not texts by name)")
    return letter
