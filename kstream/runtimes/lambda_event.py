"""Lambda's Kinesis event, read strictly: what is not one raises ``EventError``, and is never taken for success.

One event source mapping made all entries alike, so the first and the last are looked at beforehand, and the beginning of
every payload as the batch is made. The others' identities are looked at before anything depends on them: before a
ledger's word is taken for a record, before one is marked as done while the batch runs, and before a position is answered.
So no record of another shard is ever skipped or answered for. A batch that is done as a whole needs none of that.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kstream.core.batch import Batch
from kstream.core.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    check = partial(_check_all, entries)
    _check_all(entries, (0, len(entries) - 1))
    try:
        return Batch.from_entries(entries, check)
    except (KeyError, TypeError, AttributeError):
        check()
        raise


def _check_all(entries: Sequence[Any], indexes: Sequence[int] | None = None) -> None:
    """These entries, or all of them: each a record of Kinesis, all of one shard."""
    for index in range(len(entries)) if indexes is None else indexes:
        _check(entries[index], index)
        first, other = _shard(entries[0]), _shard(entries[index])
        if first != other:
            raise EventError(
                f"the event mixes records of {first} and {other}; a delivery holds one shard of one stream"
            )


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
    arrival = kinesis.get("approximateArrivalTimestamp")
    if not isinstance(arrival, float | int):
        raise EventError(f"Records[{index}].kinesis.approximateArrivalTimestamp is {arrival!r}, not seconds; {_REMEDY}")
    for name in ("eventID", "eventSourceARN"):
        if not isinstance(entry.get(name), str):
            raise EventError(f"Records[{index}].{name} is {entry.get(name)!r}, not text; {_REMEDY}")


def _shard(entry: dict[str, Any]) -> str:
    shard: str = entry["eventID"].partition(":")[0]
    return f"{shard} of {entry['eventSourceARN']}"


def _keys(mapping: dict[str, Any]) -> str:
    return ", ".join(sorted(map(str, mapping))) or "nothing"
