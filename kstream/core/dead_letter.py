"""The dead letter: a poison record's parked copy, and its one envelope format.

Version 1, a JSON object::

    {"kstream": "dead-letter/1", "consumer": "...", "reason": "...", "errorType": "...", "attempts": 3,
     "firstAttemptAt": "2026-01-01T00:00:00+00:00", "lastAttemptAt": "...",
     "record": {"streamArn", "shardId", "sequenceNumber", "subSequenceNumber", "partitionKey", "explicitHashKey",
                "arrivedAt", "headers": {}, "data": "<base64>"}}

The payload travels whole, in base64. ``record.data`` holds the bytes as the handler saw them, or, where the delivery
itself could not be decoded, the raw bytes that arrived. What came from a table or a queue has no ``shardId``, and as its
``sequenceNumber`` the number of its position, which tells it apart for ever.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kstream.core.errors import DeadLetterError, UndecodableRecord
from kstream.core.record import Record, decode_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "dead-letter/1"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that will not be tried again, and why. Times are aware, in UTC."""

    consumer: str
    record: Record
    reason: str
    error_type: str
    attempts: int
    first_attempt_at: datetime
    last_attempt_at: datetime

    @property
    def key(self) -> str:
        """Names this letter in a store: the same for each copy of it, so that storing it twice leaves one.

        At most 221 characters of ``A-Za-z0-9._-``: readable first, then a digest that tells apart what the readable
        part does not.
        """
        record = self.record
        digest = sha256(f"{self.consumer}\n{record.id}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        consumer, shard = _UNSAFE.sub("-", self.consumer)[:40], _UNSAFE.sub("-", record.shard_id)[-24:]
        return f"{consumer}.{shard or 'none'}.{record.position.sequence}.{record.sub_sequence_number}.{digest}"

    def to_json(self) -> str:
        """The envelope, in ASCII: some sinks refuse characters that JSON allows, and lone surrogates have no UTF-8.

        Raises ``DeadLetterError`` for a record whose ``data`` cannot be read.
        """
        record = self.record
        try:
            data = record.data
        except UndecodableRecord as error:
            raise DeadLetterError(
                f"no payload to keep of {record!r}: {error}; park the record as it arrived"
            ) from error
        return json.dumps(
            {
                "kstream": FORMAT,
                "consumer": self.consumer,
                "reason": self.reason,
                "errorType": self.error_type,
                "attempts": self.attempts,
                "firstAttemptAt": self.first_attempt_at.isoformat(),
                "lastAttemptAt": self.last_attempt_at.isoformat(),
                "record": {
                    "streamArn": record.stream_arn,
                    "shardId": record.shard_id,
                    "sequenceNumber": str(record.position.sequence),
                    "subSequenceNumber": record.sub_sequence_number,
                    "partitionKey": record.partition_key,
                    "explicitHashKey": record.explicit_hash_key,
                    "arrivedAt": record.arrived_at.isoformat(),
                    "headers": dict(record.headers),
                    "data": b64encode(data).decode("ascii"),
                },
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> DeadLetter:
        """Reads an envelope back. Raises ``DeadLetterError`` for anything that is not one."""
        try:
            body = json.loads(text)
            if body["kstream"] != FORMAT:
                raise DeadLetterError(
                    f"this dead letter is of format {body['kstream']!r}; this kstream reads {FORMAT!r}"
                )
            return cls(
                consumer=body["consumer"],
                record=_record(body["record"]),
                reason=body["reason"],
                error_type=body["errorType"],
                attempts=body["attempts"],
                first_attempt_at=datetime.fromisoformat(body["firstAttemptAt"]),
                last_attempt_at=datetime.fromisoformat(body["lastAttemptAt"]),
            )
        except (KeyError, TypeError, ValueError, UndecodableRecord) as error:
            raise DeadLetterError(f"not a kstream dead letter ({type(error).__name__}: {error})") from error


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """What a store holds: ``key`` to delete it by, and ``body``, its text as it lies there.

    Not everything in a store is a dead letter of kstream's: AWS's own on-failure messages may lie beside them.
    ``problem`` says why ``body`` is only a pointer to the letter; "" if it is the letter.
    """

    key: str
    body: str
    problem: str = ""

    def letter(self) -> DeadLetter:
        """The dead letter. Raises ``DeadLetterError`` if it is something else, or could not be fetched."""
        if self.problem:
            raise DeadLetterError(self.problem)
        return DeadLetter.from_json(self.body)


def _record(body: Mapping[str, Any]) -> Record:
    return Record(
        decode_base64(body["data"]),
        partition_key=body["partitionKey"],
        explicit_hash_key=body["explicitHashKey"],
        sequence_number=body["sequenceNumber"],
        sub_sequence_number=body["subSequenceNumber"],
        shard_id=body["shardId"],
        stream_arn=body["streamArn"],
        arrived_at=datetime.fromisoformat(body["arrivedAt"]),
        headers=body["headers"],
    )
