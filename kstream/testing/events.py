"""Events as Lambda gives them, from as little as a test has at hand.

event = kinesis_event([b"one", ("two", "key-2"), {"amount": 3}])
answer = lambda_handler(event, LambdaContext())

``enveloped(b"one", {"traceparent": "..."})`` is a payload with headers. Events of other sources: ``other_events``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kstream.core import events
from kstream.core.delivery.batch import StreamRecord
from kstream.core.envelope import seal
from kstream.core.lambda_context import LambdaContext as CoreContext
from kstream.core.record import Record
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from kstream.core.ports import Clock

    # A payload, alone or with its partition key; text is UTF-8, a dictionary or a list is JSON.
    Payload = bytes | str | Mapping[str, Any] | list[Any]
    Simple = Payload | tuple[Payload, str] | Record | StreamRecord

SHARD_ID = "shardId-000000000000"
STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/test"
FIRST_SEQUENCE_NUMBER = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898  # 56 digits
FIRST_ARRIVAL = 1_700_000_000.0


def stream_records(
    records: Iterable[Simple], *, first_sequence_number: int = FIRST_SEQUENCE_NUMBER, arrived_at: float = FIRST_ARRIVAL
) -> list[StreamRecord]:
    """Kinesis records from simple inputs: numbered upwards from ``first_sequence_number``, a millisecond apart.

    A ``Record`` or ``StreamRecord`` keeps its own key, number and arrival; one without a key gets ``key-<index>``. A
    ``Record`` with headers comes in an envelope, as the ingest API makes them; see also ``enveloped``.
    Raises ``TypeError`` for anything that is not one of ``Simple``.
    """
    _check_several(records)
    made = []
    for index, record in enumerate(records):
        if isinstance(record, StreamRecord):
            made.append(record)
        elif isinstance(record, Record):
            arrived = record.arrived_at.timestamp()
            data = seal(record.data, record.headers) if record.headers else record.data
            made.append(StreamRecord(record.outer_key, record.sequence_number, data, arrived))
        else:
            payload, key = _pair(index, record) if isinstance(record, tuple) else (record, f"key-{index}")
            number = str(first_sequence_number + index)
            made.append(StreamRecord(key, number, payload_bytes(payload), arrived_at + index / 1000))
    return made


def enveloped(payload: Payload, headers: Mapping[str, str]) -> bytes:
    """A payload with headers, as the ingest API puts it into a stream that has ``envelope``; a payload like any other.

    Raises ``ValueError`` for headers that are not text.
    """
    return seal(payload_bytes(payload), headers)


def kinesis_event(
    records: Iterable[Simple],
    *,
    shard_id: str = SHARD_ID,
    stream_arn: str = STREAM_ARN,
    region: str = "us-east-1",
) -> dict[str, Any]:
    """The event that Lambda would deliver for these records; see ``stream_records`` for what may stand for one."""
    return events.kinesis_event(stream_records(records), shard_id=shard_id, stream_arn=stream_arn, region=region)


class LambdaContext(CoreContext):
    """Lambda's context for a test. Without a ``clock`` its time stands still, so it never runs out."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        timeout: float = 60.0,
        aws_request_id: str = "00000000-0000-0000-0000-000000000000",
        function_name: str = "test",
        memory_limit_in_mb: str = "128",
    ) -> None:
        super().__init__(
            clock=clock or VirtualClock(),
            timeout=timeout,
            aws_request_id=aws_request_id,
            function_name=function_name,
            memory_limit_in_mb=memory_limit_in_mb,
        )


def _check_several(records: object) -> None:
    # One of them would pass as many: text as its letters, a dictionary as its keys.
    if isinstance(records, str | bytes | Mapping):
        raise TypeError(f"records={records!r} is one payload: give a list of them, as in [{records!r}]")
    if not isinstance(records, Iterable):
        raise TypeError(f"records={records!r}: give a list of payloads, each alone or as (payload, partition key)")


def _pair(index: int, record: tuple[Any, ...]) -> tuple[Any, str]:
    match record:
        case (payload, str(key)):
            return payload, key
    raise TypeError(f"record {index}: {record!r} is not a payload with its partition key, a text")


def payload_bytes(payload: Payload) -> bytes:
    """The bytes that this stands for. Raises ``TypeError`` for anything that is not a ``Payload``."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode()
    if isinstance(payload, (dict, list)):
        return json.dumps(payload, separators=(",", ":")).encode()
    raise TypeError(f"a record's payload is bytes, text, a dictionary or a list, not {type(payload).__name__}")
