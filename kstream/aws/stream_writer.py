"""Puts records into a stream with PutRecords, and tells for each what became of it.

PutRecords is not atomic and promises no order: each entry answers a sequence number or an error of its own, and the
whole call may fail as well (API reference of Kinesis, "PutRecords"). Here both come out in one shape, one result for
each entry in the entries' order, so that whoever puts never has to choose between an exception and half an answer.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from kstream.aws.failures import THROTTLED
from kstream.aws.lazy_client import LazyClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_kinesis import KinesisClient

MAX_ENTRIES = 500
# AWS takes 10 MiB in one call since 2025; emulators still hold to the 5 MiB of before. Two calls cost little.
MAX_CALL_BYTES = 5 * 1024 * 1024


class Entry(NamedTuple):
    """One record on its way into a stream."""

    data: bytes
    partition_key: str


class Written(NamedTuple):
    """Kinesis has it."""

    sequence_number: str
    shard_id: str


class FailureKind(StrEnum):
    """What a failure means to whoever may try again."""

    THROTTLED = "throttled"
    """The shard or the account is over its rate: later."""
    INTERNAL = "internal"
    """Kinesis failed, or was not reached: again. The record may be in the stream nevertheless if an answer was lost."""
    INVALID = "invalid"
    """Kinesis refuses the request as it stands: never again unchanged."""
    OTHER = "other"
    """No such stream, no permission, no credentials: somebody has to repair something first."""


class NotWritten(NamedTuple):
    """Kinesis does not have it, as far as is known. ``code`` is Kinesis' or botocore's own name for the reason."""

    kind: FailureKind
    code: str
    message: str


EntryResult = Written | NotWritten

_THROTTLED = THROTTLED | {"KMSThrottlingException"}
_INTERNAL = frozenset({"InternalFailure", "InternalFailureException", "InternalServerError", "ServiceUnavailable"})
_INVALID = frozenset({"InvalidArgumentException", "SerializationException", "ValidationException"})


class StreamWriter:
    """PutRecords over boto3. Thread-safe; the boto3 client is made at the first put, and shared.

    ``endpoint_url``, ``region``  where Kinesis is; as ``kstream.aws.clients`` reads them when None.
    ``client``                    a boto3 Kinesis client in place of an own one.
    """

    def __init__(
        self, *, endpoint_url: str | None = None, region: str | None = None, client: KinesisClient | None = None
    ) -> None:
        self._client = LazyClient("kinesis", client, endpoint_url=endpoint_url, region=region)

    def put_records(self, stream: str, entries: Sequence[Entry]) -> list[EntryResult]:
        """One result for each entry, in their order. Raises nothing for what AWS or the network does.

        ``ConfigurationError`` alone passes: no client can be made, without boto3, credentials or a region.
        Takes any number of entries: calls of at most 500 entries and 5 MiB, one after the other.
        """
        results: list[EntryResult] = []
        for chunk in _chunks(entries):
            results += self._call(stream, chunk)
        return results

    def _call(self, stream: str, entries: Sequence[Entry]) -> list[EntryResult]:
        kinesis = self._client.get()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = kinesis.put_records(
                StreamName=stream, Records=[{"Data": data, "PartitionKey": key} for data, key in entries]
            )
        except ClientError as error:
            return [_whole_call_failed(error.response)] * len(entries)
        except BotoCoreError as error:
            return [_not_reached(error)] * len(entries)
        results = [_result(entry) for entry in answer["Records"]]
        if len(results) != len(entries):
            message = f"PutRecords answered {len(results)} results for {len(entries)} records of stream {stream}"
            return [NotWritten(FailureKind.INTERNAL, "InternalFailure", message)] * len(entries)
        return results


def kind_of(code: str, http_status: int = 400) -> FailureKind:
    """What an error code of Kinesis means, with the status that carried it."""
    if code in _THROTTLED:
        return FailureKind.THROTTLED
    if code in _INTERNAL or http_status >= 500:
        return FailureKind.INTERNAL
    return FailureKind.INVALID if code in _INVALID else FailureKind.OTHER


def _result(entry: Mapping[str, Any]) -> EntryResult:
    code = entry.get("ErrorCode")
    if code:
        return NotWritten(kind_of(code), code, entry.get("ErrorMessage", ""))
    return Written(entry["SequenceNumber"], entry["ShardId"])


def _whole_call_failed(response: Mapping[str, Any]) -> NotWritten:
    error = response.get("Error", {})
    code = error.get("Code", "Unknown")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return NotWritten(kind_of(code, status), code, error.get("Message", ""))


def _not_reached(error: Exception) -> NotWritten:
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError

    # Timeouts, refused and broken connections; the rest (no credentials, no region) does not pass by itself.
    kind = FailureKind.INTERNAL if isinstance(error, NoConnection | HTTPClientError) else FailureKind.OTHER
    return NotWritten(kind, type(error).__name__, str(error))


def _chunks(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    start = size = 0
    for index, (data, key) in enumerate(entries):
        # A character of a key takes at most four bytes; counting it so spares encoding it.
        weight = len(data) + 4 * len(key)
        if index > start and (index - start == MAX_ENTRIES or size + weight > MAX_CALL_BYTES):
            yield entries[start:index]
            start, size = index, 0
        size += weight
    if start < len(entries):
        yield entries[start:]
