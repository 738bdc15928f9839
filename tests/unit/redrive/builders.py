"""Letters, messages, and a directory to lie in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kstream.core.dead_letter import DeadLetter
from kstream.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

SEQUENCE = 49590338271490256608559692538361571095921575989136588898
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
PARKED_AT = datetime(2026, 1, 2, 3, 6, tzinfo=UTC)
GOLDEN = Path(__file__).parents[2] / "golden" / "on_failure"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text()


def letter(
    number: int = 0,
    data: bytes = b'{"amount": -1}',
    *,
    consumer: str = "Totals",
    key: str = "c-7",
    hash_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    later: float = 0,
    **fields: Any,
) -> DeadLetter:
    """The letter of record ``number``, parked ``later`` seconds than the first time."""
    record = Record(
        data,
        partition_key=key,
        explicit_hash_key=hash_key,
        sequence_number=str(SEQUENCE + number),
        shard_id="shardId-000000000001",
        stream_arn=ARN,
        arrived_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        headers=headers or {},
    )
    return DeadLetter(
        consumer=consumer,
        record=record,
        reason=fields.get("reason", "negative amount"),
        error_type=fields.get("error_type", "Reject"),
        attempts=1,
        first_attempt_at=PARKED_AT,
        last_attempt_at=PARKED_AT + timedelta(seconds=later),
    )


def message_about(records: list[dict[str, Any]], stream_arn: str, shard_id: str) -> dict[str, Any]:
    """An on-failure message about records as ``get_records`` gave them."""
    times = [record["ApproximateArrivalTimestamp"].isoformat() for record in records]
    body: dict[str, Any] = json.loads(golden("sqs"))
    body["KinesisBatchInfo"] = {
        "shardId": shard_id,
        "startSequenceNumber": records[0]["SequenceNumber"],
        "endSequenceNumber": records[-1]["SequenceNumber"],
        "approximateArrivalOfFirstRecord": times[0],
        "approximateArrivalOfLastRecord": times[-1],
        "batchSize": len(records),
        "streamArn": stream_arn,
    }
    return body
