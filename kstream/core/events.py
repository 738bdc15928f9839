"""The JSON event that Lambda hands to a function for records of a Kinesis stream.

Form: Lambda developer guide, "Using Lambda to process records from Amazon Kinesis Data Streams". It carries no attempt
count, no explicit hash key and no id of the mapping.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kstream.core.delivery.batch import StreamRecord

# What AWS would put in ``invokeIdentityArn`` is the function's role. There is none outside AWS.
LOCAL_ROLE_ARN = "arn:aws:iam::000000000000:role/kstream-local"

# An upper bound of ``envelope_bytes``, for the longest names that AWS allows.
ENVELOPE_BYTES = 640


def kinesis_event(
    records: Iterable[StreamRecord],
    *,
    shard_id: str,
    stream_arn: str,
    region: str = "us-east-1",
    role_arn: str = LOCAL_ROLE_ARN,
) -> dict[str, Any]:
    """The event for ``records``, all of one shard. Made of fresh dictionaries, lists, strings and floats only."""
    event_id = shard_id + ":"
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence_number,
                    "data": b2a_base64(record.data, newline=False).decode("ascii"),
                    "approximateArrivalTimestamp": record.arrived_at,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": event_id + record.sequence_number,
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": role_arn,
                "awsRegion": region,
                "eventSourceARN": stream_arn,
            }
            for record in records
        ]
    }


def envelope_bytes(*, shard_id: str, stream_arn: str, region: str, role_arn: str = LOCAL_ROLE_ARN) -> int:
    """Bytes of an entry's JSON apart from the record's own key, sequence number and payload, its comma included."""
    from kstream.core.delivery.batch import StreamRecord

    # A timestamp's text differs in length from record to record; this is the longest.
    sample = StreamRecord("", "", b"", 1234567890.1234567)
    event = kinesis_event([sample], shard_id=shard_id, stream_arn=stream_arn, region=region, role_arn=role_arn)
    entry = json.dumps(event["Records"][0], separators=(",", ":"), ensure_ascii=False)
    return len(entry.encode()) + 1


def entry_bytes(record: StreamRecord, envelope: int) -> int:
    """Bytes of the record's entry in the event's JSON."""
    key = record.partition_key
    # The length without its quotes. Plain keys, nearly all of them, are spared the encoding.
    key_bytes = len(key) if key.isalnum() and key.isascii() else len(encode_basestring(key).encode()) - 2
    return envelope + key_bytes + 2 * len(record.sequence_number) + 4 * ((len(record.data) + 2) // 3)
