"""The client's reading and writing of the contract: from items to a request, from an answer to results. No I/O."""

from __future__ import annotations

import json
import math
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from kstream.ingest.contract import JSON, PARTITION_KEY_HEADER, batch_path, records_path
from kstream.ingest.errors import BadAnswer, Throttled, Unavailable, error_for
from kstream.ingest.results import PutResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kstream.ingest.errors import IngestError

MAX_RETRY_AFTER = 60.0
# What reading an answer raises that is none of ours; RecursionError, if it is nested deeply.
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
_THROTTLED = "ProvisionedThroughputExceededException"


class Request(NamedTuple):
    """A POST. ``path`` is relative to the API's address."""

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """``headers``: names in lower case, or a mapping that ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def batch_request(stream: str, fragments: Iterable[bytes]) -> Request:
    return Request(batch_path(stream), {"content-type": JSON}, b'{"records":[%b]}' % b",".join(fragments))


def single_request(stream: str, data: bytes, key: str | None) -> Request:
    headers = {"content-type": "application/octet-stream"}
    if key is not None:
        headers[PARTITION_KEY_HEADER] = key
    return Request(records_path(stream), headers, data)


def fits_header(key: str | None) -> bool:
    """Whether a header carries this key unchanged: HTTP trims blanks, and leaves other than ASCII to chance."""
    return key is None or (key.isascii() and key.isprintable() and key == key.strip())


def read_batch(answer: Answer, count: int) -> list[PutResult | IngestError]:
    """One result for each of ``count`` records. An error that they all share is one object."""
    if answer.status not in (200, 207):
        return [read_error(answer)] * count
    try:
        records = json.loads(answer.body)["records"]
        if len(records) != count:
            raise ValueError(f"{len(records)} results for {count} records")
        return [_result(record, answer.status) for record in records]
    except _UNREADABLE as error:
        return [_unreadable(answer, error)] * count


def read_single(answer: Answer) -> list[PutResult | IngestError]:
    """The one record's result."""
    if answer.status != 200:
        return [read_error(answer)]
    try:
        return [_result(json.loads(answer.body), 200)]
    except _UNREADABLE as error:
        return [_unreadable(answer, error)]


def read_error(answer: Answer) -> IngestError:
    """The error envelope; or, from whatever stands between, the status and the body's beginning."""
    try:
        error = json.loads(answer.body)["error"]
        message, code, request_id = str(error["message"]), str(error["code"]), str(error.get("requestId"))
    except _UNREADABLE:
        return error_for(answer.status, _elsewhere(answer) or _beginning(answer) or "without a word")
    return error_for(answer.status, f"{code}: {message} (request {request_id})", code, request_id)


def retry_after(answer: Answer, now: float) -> float:
    """Seconds that the answer asks to wait, at most a minute; 0 if it does not. ``now``: seconds since the epoch.

    RFC 9110, 10.2.3: seconds, or a date.
    """
    value = answer.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            # Always UTC, also in the form that does not say so (RFC 9110, 5.6.7).
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if math.isfinite(seconds) else 0.0


def _result(record: dict[str, Any], status: int) -> PutResult | IngestError:
    code = record.get("errorCode")
    if code is None:
        sequence_number, shard_id = record["sequenceNumber"], record["shardId"]
        if type(sequence_number) is not str or type(shard_id) is not str:
            raise TypeError("sequenceNumber and shardId are not text")
        return PutResult(sequence_number, shard_id)
    kind = Throttled if code == _THROTTLED else Unavailable
    return kind(f"{code}: {record.get('errorMessage', '')}", status=status, code=str(code))


def _unreadable(answer: Answer, error: Exception) -> BadAnswer:
    return BadAnswer(
        f"the answer is not the ingest API's ({error}); check the address: {_beginning(answer)}", status=answer.status
    )


def _elsewhere(answer: Answer) -> str:
    """Of a redirect, where to. Without what may hold a secret: credentials, and the query."""
    location = answer.headers.get("location", "").partition("?")[0][:200]
    if not 300 <= answer.status < 400 or not location or "@" in location:
        return ""
    return f"it points to {location!r}, and no redirect is followed: give the address that is meant"


def _beginning(answer: Answer) -> str:
    return answer.body[:200].decode("utf-8", "replace")
