"""The events that the benchmarks process: the same bytes for kstream and for its peers."""

from __future__ import annotations

import base64
import json
from typing import Any

from kstream.aggregation import aggregate

FIRST_SEQUENCE = 49590338271490256608559692538361571095921575989136588898
STREAM_ARN = "arn:aws:kinesis:eu-central-1:123456789012:stream/orders"


class Context:
    """Lambda's context, with time enough."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def plain_event(records: int = 10_000) -> dict[str, Any]:
    """One JSON object of about 200 bytes a record, over 100 partition keys."""
    return {"Records": [_entry(index, f"c-{index % 100}", _order(index)) for index in range(records)]}


def aggregated_event(aggregates: int = 100, users: int = 100) -> dict[str, Any]:
    """KPL aggregates, each of ``users`` records of about 200 bytes."""
    entries = []
    for index in range(aggregates):
        orders = [(_order(index * users + user), f"c-{user}") for user in range(users)]
        entries.append(_entry(index, "a", aggregate(orders)))
    return {"Records": entries}


def _order(index: int) -> bytes:
    order = {
        "id": index,
        "customer": f"c-{index % 100}",
        "amount": index * 3,
        "currency": "EUR",
        "items": [{"sku": f"sku-{index % 977}", "quantity": 1 + index % 5}],
        "placedAt": "2026-01-31T12:34:56.789Z",
        "note": "leave it with the neighbour, please",
    }
    return json.dumps(order).encode()


def _entry(index: int, key: str, data: bytes) -> dict[str, Any]:
    sequence = str(FIRST_SEQUENCE + index)
    return {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/consumer",
        "awsRegion": "eu-central-1",
        "eventSourceARN": STREAM_ARN,
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": sequence,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1785496496.789,
        },
    }
