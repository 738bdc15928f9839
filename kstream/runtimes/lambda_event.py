"""Lambda's event, read strictly: what it should not be raises ``EventError``, and is never taken for success.

What DynamoDB Streams and SQS deliver is read in modules of their own. Of Kinesis:

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
from kstream.runtimes.entries import REMEDY, fields_in, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KINESIS = "aws:kinesis"


def batch_of(event: object) -> Batch:
    """The batch that an event delivers. Raises ``EventError`` naming what is wrong and where."""
    if not isinstance(event, dict):
        raise EventError(f"the event is {type(event).__name__}, not an object with Records; {REMEDY}")
    entries = event.get("Records")
    if not isinstance(entries, list):
        raise EventError(f"the event has no list of Records, but {fields_in(event)}; {REMEDY}")
    if not entries:
        return Batch.plain([])
    if source_of(entries[0]) != _KINESIS and (read := _other_reader(source_of(entries[0]))) is not None:
        return read(entries)
    check = partial(_check_all, entries)
    _check_all(entries, (0, len(entries) - 1))
    try:
        return Batch.from_entries(entries, check)
    except (KeyError, TypeError, AttributeError):
        check()
        raise


def _other_reader(source: object) -> Callable[[list[Any]], Batch] | None:
    # Imported by the first such event: a function has one source, and that is Kinesis or it is not.
    if source == "aws:dynamodb":
        from kstream.runtimes import change_event

        return change_event.batch_of
    if source == "aws:sqs":
        from kstream.runtimes import queue_event

        return queue_event.batch_of
    return None


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
        raise EventError(f"Records[{index}] is {type(entry).__name__}, not an object; {REMEDY}")
    source = source_of(entry)
    if source != _KINESIS:
        raise EventError(f"Records[{index}] comes from {source!r}, not {_KINESIS!r}; {REMEDY}")
    kinesis = entry.get("kinesis")
    if not isinstance(kinesis, dict):
        raise EventError(f"Records[{index}] has no kinesis object, but {fields_in(entry)}; {REMEDY}")
    for name in ("data", "partitionKey", "sequenceNumber"):
        if not isinstance(kinesis.get(name), str):
            raise EventError(f"Records[{index}].kinesis.{name} is {kinesis.get(name)!r}, not text; {REMEDY}")
    if not kinesis["sequenceNumber"].isdecimal():
        raise EventError(f"Records[{index}].kinesis.sequenceNumber is {kinesis['sequenceNumber']!r}, not a number")
    arrival = kinesis.get("approximateArrivalTimestamp")
    if not isinstance(arrival, float | int):
        raise EventError(f"Records[{index}].kinesis.approximateArrivalTimestamp is {arrival!r}, not seconds; {REMEDY}")
    for name in ("eventID", "eventSourceARN"):
        if not isinstance(entry.get(name), str):
            raise EventError(f"Records[{index}].{name} is {entry.get(name)!r}, not text; {REMEDY}")


def _shard(entry: dict[str, Any]) -> str:
    shard: str = entry["eventID"].partition(":")[0]
    return f"{shard} of {entry['eventSourceARN']}"
