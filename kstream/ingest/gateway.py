"""The ingest gateway: the contract as an application, without a server and without boto3.

It knows the configured streams, parses, asks its port to put, and words the answer. A server (``asgi``, or a test)
calls it with a request; ``kstream.aws.stream_writer`` is what usually stands behind the port.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from kstream.aws.stream_writer import FailureKind, NotWritten, Written
from kstream.core.errors import ConfigurationError
from kstream.ingest.contract import (
    BATCH_TYPES,
    HEALTH_PATH,
    JSON,
    RECORD_TYPES,
    RETRY_AFTER_SECONDS,
    ErrorCode,
    Limits,
    batch_path,
    checked_stream_name,
    records_path,
)
from kstream.ingest.http import Refusal, Response, too_large
from kstream.ingest.parsing import batch_entries, single_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kstream.aws.stream_writer import Entry, EntryResult
    from kstream.ingest.http import Head

_log = logging.getLogger(__name__)

# Said in place of Kinesis' own text, which names the account and the shard.
_MESSAGES = {
    FailureKind.THROTTLED: "the stream is over its rate; put this record again later",
    FailureKind.INTERNAL: "the stream failed on this record; put it again",
    FailureKind.INVALID: "the stream refuses this record as it is",
    FailureKind.OTHER: "the stream did not take this record",
}


class PutRecords(Protocol):
    """Puts entries into a stream.

    Thread-safe; blocks until all are settled. One result for each entry, in their order. What happens to a record is a
    result and not an exception; should it raise all the same, the gateway answers 502 to the whole request.
    """

    def __call__(self, stream: str, entries: Sequence[Entry], /) -> Sequence[EntryResult]: ...


class _Route(NamedTuple):
    operation: Literal["single", "batch", "health"]
    method: str
    stream: str = ""


class Gateway:
    """The application. Thread-safe, and without state between requests.

    ``streams``      the names that may be put to; any other is 404. A name is never taken from a request.
    ``put_records``  the port to Kinesis.
    Raises ``ConfigurationError`` for no stream, or a name that Kinesis does not allow.
    """

    def __init__(self, streams: Iterable[str], put_records: PutRecords, *, limits: Limits | None = None) -> None:
        self._put_records = put_records
        self._limits = limits or Limits()
        self._routes = {HEALTH_PATH: _Route("health", "GET")}
        for name in streams:
            self._routes[records_path(checked_stream_name(name))] = _Route("single", "POST", name)
            self._routes[batch_path(name)] = _Route("batch", "POST", name)
        if len(self._routes) == 1:
            raise ConfigurationError("the ingest gateway has no stream; name at least one")

    @property
    def max_body_bytes(self) -> int:
        return self._limits.body_bytes

    def refuse(self, head: Head) -> Response | None:
        """The answer to what cannot succeed whatever its body is. Does not block."""
        try:
            self._route(head)
        except Refusal as refusal:
            return refusal.response(head.request_id)
        return None

    def handle(self, head: Head, body: bytes) -> Response:
        """The answer to a whole request. Blocks while Kinesis is asked."""
        try:
            route = self._route(head)
            if len(body) > self._limits.body_bytes:
                raise too_large(self._limits.body_bytes)
            if route.operation == "batch":
                entries = batch_entries(head, body, self._limits)
                return _batch_answer(route.stream, self._put(route.stream, entries))
            if route.operation == "single":
                entry = single_entry(head, body, self._limits)
                return _single_answer(route.stream, self._put(route.stream, [entry])[0])
        except Refusal as refusal:
            return refusal.response(head.request_id)
        return _json(200, {"status": "ok"})

    def _route(self, head: Head) -> _Route:
        route = self._routes.get(head.path)
        if route is None:
            raise Refusal(ErrorCode.NOT_FOUND, f"there is no {_shown(head.path)} here; check the stream's name")
        if head.method != route.method:
            raise Refusal(
                ErrorCode.METHOD_NOT_ALLOWED, f"{head.path} takes {route.method} only", {"allow": route.method}
            )
        if route.operation == "health":
            return route
        accepted = RECORD_TYPES if route.operation == "single" else BATCH_TYPES
        media_type = head.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if media_type not in accepted:
            raise Refusal(
                ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                f"the Content-Type is {_shown(media_type)}; this operation takes {', '.join(sorted(accepted))}",
            )
        length = head.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._limits.body_bytes:
            raise too_large(self._limits.body_bytes)
        return route

    def _put(self, stream: str, entries: Sequence[Entry]) -> Sequence[EntryResult]:
        try:
            results = self._put_records(stream, entries)
        except Exception:  # noqa: BLE001 - the port is the caller's code; never followed by success
            _log.exception("putting %d records into %s raised", len(entries), stream)
            raise Refusal(ErrorCode.STREAM_FAILED, "the stream's writer failed; the gateway's log says why") from None
        if len(results) != len(entries):
            _log.error("putting %d records into %s gave %d results", len(entries), stream, len(results))
            raise Refusal(ErrorCode.STREAM_FAILED, "the stream's writer gave an incomplete answer")
        return results


def _single_answer(stream: str, result: EntryResult) -> Response:
    if isinstance(result, NotWritten):
        raise _nothing_written(stream, [result])
    return _json(200, _written(result))


def _batch_answer(stream: str, results: Sequence[EntryResult]) -> Response:
    failures = [result for result in results if isinstance(result, NotWritten)]
    if len(failures) == len(results):
        raise _nothing_written(stream, failures)
    records = [_written(result) if isinstance(result, Written) else _not_written(result) for result in results]
    return _json(207 if failures else 200, {"failedCount": len(failures), "records": records})


def _written(result: Written) -> dict[str, str]:
    return {"sequenceNumber": result.sequence_number, "shardId": result.shard_id}


def _not_written(result: NotWritten) -> dict[str, str]:
    return {"errorCode": result.code, "errorMessage": _MESSAGES[result.kind]}


def _nothing_written(stream: str, failures: Sequence[NotWritten]) -> Refusal:
    kinds = {failure.kind for failure in failures}
    first = next((failure for failure in failures if failure.kind is not FailureKind.THROTTLED), failures[0])
    if kinds == {FailureKind.THROTTLED}:
        message = f"the stream {stream} is over its rate; put the same again later"
        return Refusal(ErrorCode.THROTTLED, message, {"retry-after": str(RETRY_AFTER_SECONDS)})
    if kinds == {FailureKind.INVALID}:
        return Refusal(ErrorCode.BAD_REQUEST, f"the stream {stream} refuses this request ({first.code})")
    _log.warning("the stream %s took none of %d records: %s: %s", stream, len(failures), first.code, first.message)
    return Refusal(ErrorCode.STREAM_FAILED, f"the stream {stream} did not take the records ({first.code})")


def _json(status: int, body: object) -> Response:
    return Response(status, json.dumps(body, separators=(",", ":")).encode(), {})


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 200 else text[:200] + "...")
