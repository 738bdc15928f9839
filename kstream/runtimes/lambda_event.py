"""Lambda's Kinesis event, read strictly: what is not one raises ``EventError``, and is never taken for success."""

from __future__ import annotations

from typing import Any

from kstream.core.batch import Batch
from kstream.core.errors import EventError

_KINESIS = "aws:kinesis"
_REMEDY = "check the function's event source mapping: on_lambda reads Kinesis events"


def batch_of(event: object) -> Batch:
    """The batch that an event delivers. Raises ``EventError`` naming what is wrong and where."""
    if not isinstance(event, dict):
        raise EventError(f"the event is {type(event).__name__}, not an object with Records; {_REMEDY}")
    entries = event.get("Records")
    if not isinstance(entries, list):
        raise EventError(f"the event has no list of Records, but {_keys(event)}; {_REMEDY}")
    if not entries:
        return Batch.plain([])
    # One mapping made them all alike, so the first and the last stand for the rest; the payloads are all looked at below.
    for index in (0, len(entries) - 1):
        _check(entries[index], index)
    first, last = _shard(entries[0]), _shard(entries[-1])
    if first != last:
        raise EventError(f"the event mixes records of {first} and {last}; a delivery holds one shard of one stream")
    try:
        return Batch.from_entries(entries)
    except (KeyError, TypeError, AttributeError):
        for index, entry in enumerate(entries):
            _check(entry, index)
        raise


def _check(entry: Any, index: int) -> None:
    if not isinstance(entry, dict):
        raise EventError(f"Records[{index}] is {type(entry).__name__}, not an object; {_REMEDY}")
    source = entry.get("eventSource", entry.get("EventSource"))
    if source != _KINESIS:
        raise EventError(f"Records[{index}] comes from {source!r}, not {_KINESIS!r}; {_REMEDY}")
    kinesis = entry.get("kinesis")
    if not isinstance(kinesis, dict):
        raise EventError(f"Records[{index}] has no kinesis object, but {_keys(entry)}; {_REMEDY}")
    for name in ("data", "partitionKey", "sequenceNumber"):
        if not isinstance(kinesis.get(name), str):
            raise EventError(f"Records[{index}].kinesis.{name} is {kinesis.get(name)!r}, not text; {_REMEDY}")
    if not kinesis["sequenceNumber"].isdecimal():
        raise EventError(f"Records[{index}].kinesis.sequenceNumber is {kinesis['sequenceNumber']!r}, not a number")
    for name in ("eventID", "eventSourceARN"):
        if not isinstance(entry.get(name), str):
            raise EventError(f"Records[{index}].{name} is {entry.get(name)!r}, not text; {_REMEDY}")


def _shard(entry: dict[str, Any]) -> str:
    shard: str = entry["eventID"].partition(":")[0]
    return f"{shard} of {entry['eventSourceARN']}"


def _keys(mapping: dict[str, Any]) -> str:
    return ", ".join(sorted(map(str, mapping))) or "nothing"
