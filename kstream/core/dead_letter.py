"""The dead letter: a poison record's parked copy, and its one envelope format.

Version 1, a JSON object::

    {"kstream": "dead-letter/1", "consumer": "...", "reason": "...", "errorType": "...", "attempts": 3,
     "firstAttemptAt": "2026-01-01T00:00:00+00:00", "lastAttemptAt": "...",
     "record": {"streamArn", "shardId", "sequenceNumber", "subSequenceNumber", "partitionKey", "explicitHashKey",
                "arrivedAt", "headers": {}, "data": "<base64>"}}

The payload travels whole, in base64. ``record.data`` holds the bytes as the handler saw them, or, where the delivery
itself could not be decoded, the raw bytes that arrived.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kstream.core.errors import DeadLetterError, UndecodableRecord
from kstream.core.record import Record, decode_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "dead-letter/1"


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

    def to_json(self) -> str:
        record = self.record
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
                    "sequenceNumber": record.sequence_number,
                    "subSequenceNumber": record.sub_sequence_number,
                    "partitionKey": record.partition_key,
                    "explicitHashKey": record.explicit_hash_key,
                    "arrivedAt": record.arrived_at.isoformat(),
                    "headers": dict(record.headers),
                    "data": b64encode(record.data).decode("ascii"),
                },
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> DeadLetter:
        """Reads an envelope back. Raises ``DeadLetterError`` for anything that is not one."""
        try:
            body = json.loads(text)
            if body["kstream"] != FORMAT:
                raise DeadLetterError(f"this dead letter is of format {body['kstream']!r}; this kstream reads {FORMAT!r}")
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
