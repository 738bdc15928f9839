"""What the archive holds: a line of JSON for each record, and the name of the object that has the lines."""

from __future__ import annotations

import base64
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream import Record


def object_name(prefix: str, records: Sequence[Record]) -> str:
    """Follows from the batch's first record alone, so a batch that is written again takes its own place.

    ``<prefix><day>/<shard>/<sequence number>-<sub-sequence number>.jsonl``; the day is that of the record's arrival in
    UTC. Sequence numbers are padded with zeros, so that names sort as records do.
    """
    first = records[0]
    day = first.arrived_at.astimezone(UTC).date().isoformat()
    return f"{prefix}{day}/{first.shard_id}/{first.sequence_number:0>56}-{first.sub_sequence_number:06}.jsonl"


def lines(records: Sequence[Record]) -> bytes:
    """One line for each record, ended by a newline. What is no UTF-8 stands in ``dataBase64``, whole."""
    return b"".join(json.dumps(_line(record), ensure_ascii=False).encode() + b"\n" for record in records)


def _line(record: Record) -> dict[str, Any]:
    line: dict[str, Any] = {
        "id": record.id,
        "partitionKey": record.partition_key,
        "arrivedAt": record.arrived_at.isoformat(),
    }
    try:
        return {**line, "data": record.data.decode()}
    except UnicodeDecodeError:
        return {**line, "dataBase64": base64.b64encode(record.data).decode()}
