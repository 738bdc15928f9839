"""The integration with Kinesis: the JSON that a request template has written, put; and Kinesis' answer to it, as JSON.

Behind it stands the port ``PutRecords``. What Kinesis checks before it takes anything is checked here: base64, key and
record lengths, 1 to 500 records (API reference of Kinesis, "PutRecords"). It believes nothing of the template's request.
"""

from __future__ import annotations

import json
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kstream.aws.stream_writer import Entry, FailureKind, NotWritten
from kstream.ingest.contract import MAX_KEY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.aws.stream_writer import EntryResult
    from kstream.ingest.contract import Limits


# What Kinesis says of single records ("PutRecordsResultEntry"). With any other error it has refused the whole call.
_OF_A_RECORD = "ProvisionedThroughputExceededException"


class PutRecords(Protocol):
    """Puts entries into a stream.

    Thread-safe; blocks until all are settled. One result for each entry, in their order. What happens to a record is a
    result and not an exception; should it raise all the same, the gateway answers 502 to the whole request.
    """

    def __call__(self, stream: str, entries: Sequence[Entry], /) -> Sequence[EntryResult]: ...


class KinesisAnswer(NamedTuple):
    """HTTP status and JSON."""

    status: int
    document: dict[str, Any]


class _Refused(Exception):
    """Kinesis' 400."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.answer = KinesisAnswer(400, {"__type": kind, "message": message})


class KinesisIntegration:
    """``PutRecord`` and ``PutRecords`` of Kinesis' JSON API. Thread-safe."""

    def __init__(self, put_records: PutRecords, limits: Limits) -> None:
        self._put_records = put_records
        self._limits = limits

    def call(self, action: str, request: str) -> KinesisAnswer:
        """Kinesis' answer. Raises what the port raises, and ``ValueError`` if that forgets a record."""
        try:
            try:
                document = json.loads(request)
                stream = _text(document, "StreamName")
                if action == "PutRecords":
                    records = document.get("Records")
                    if type(records) is not list:
                        raise _Refused("SerializationException", "Records is not a list")
                    entries = self._entries(records, "records.{}.member.data")
                else:
                    entries = self._entries([document], "data")
            except (ValueError, TypeError, AttributeError) as error:
                raise _Refused("SerializationException", f"not a request that Kinesis can read: {error}") from None
        except _Refused as refused:
            return refused.answer
        results = self._put_records(stream, entries)
        if len(results) != len(entries):
            raise ValueError(f"putting {len(entries)} records into {stream} gave {len(results)} results")
        return _batch_answer(results) if action == "PutRecords" else _record_answer(results[0])

    def _entries(self, records: list[Any], place: str) -> list[Entry]:
        """``place``: what Kinesis calls the data of one of them, counted from 1."""
        most = self._limits.records
        if not 1 <= len(records) <= most:
            raise _Refused("ValidationException", f"{len(records)} records: 'records' must have 1 to {most}")
        limit = self._limits.record_bytes
        entries: list[Entry] = []
        for number, record in enumerate(records, 1):
            try:
                data, key = a2b_base64(record["Data"], strict_mode=True), record["PartitionKey"]
            except KeyError as error:
                raise _Refused("ValidationException", f"{error} must not be null") from None
            except ValueError as error:
                raise _Refused("SerializationException", f"Value at '{place.format(number)}': {error}") from None
            if type(key) is not str or not 1 <= len(key) <= MAX_KEY_CHARACTERS:
                raise _Refused("ValidationException", f"'partitionKey' must have 1 to {MAX_KEY_CHARACTERS} characters")
            if len(data) + len(key.encode()) > limit:
                raise _Refused(
                    "ValidationException",
                    f"1 validation error detected: Value at '{place.format(number)}' failed to satisfy constraint: "
                    f"Member must have length less than or equal to {limit}",
                )
            entries.append(Entry(data, key))
        return entries


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if type(value) is not str:
        raise _Refused("ValidationException", f"{name} must be text")
    return value


def _record_answer(result: EntryResult) -> KinesisAnswer:
    if isinstance(result, NotWritten):
        status = 500 if result.kind is FailureKind.INTERNAL else 400
        return KinesisAnswer(status, {"__type": result.code, "message": result.message})
    return KinesisAnswer(200, {"SequenceNumber": result.sequence_number, "ShardId": result.shard_id})


def _batch_answer(results: Sequence[EntryResult]) -> KinesisAnswer:
    failures = [result for result in results if isinstance(result, NotWritten)]
    whole = _of_the_call(failures) if len(failures) == len(results) else None
    if whole is not None:
        return _record_answer(whole)
    records = [
        {"ErrorCode": result.code, "ErrorMessage": result.message}
        if isinstance(result, NotWritten)
        else {"SequenceNumber": result.sequence_number, "ShardId": result.shard_id}
        for result in results
    ]
    return KinesisAnswer(200, {"FailedRecordCount": len(failures), "Records": records})


def _of_the_call(failures: Sequence[NotWritten]) -> NotWritten | None:
    """What befell the call rather than its records, of which none was put.

    Kinesis tells of single records only that they were throttled by their shard, or failed inside.
    """
    for failure in failures:
        if failure.kind in (FailureKind.INVALID, FailureKind.OTHER):
            return failure
    if all(failure.kind is FailureKind.THROTTLED for failure in failures):
        return next((failure for failure in failures if failure.code != _OF_A_RECORD), None)
    return None
