"""The contract of the ingest API, in words and numbers. ``kstream.ingest.openapi`` writes it as one document.

Operations, for each configured stream:

``POST /streams/{name}/records``
    The body is the record. As ``application/octet-stream`` it is taken byte for byte, whatever it holds. As
    ``application/json`` or ``text/plain`` it is text: byte for byte if it is UTF-8 and not empty; with anything else in
    it, or U+FFFD, it is refused (API Gateway has put U+FFFD in place of what is not UTF-8 before we see it), and an
    empty body comes as ``{}``, as API Gateway has it.
    The partition key is the header ``X-Partition-Key`` (ASCII, 1 to 256 characters), or the request id.
    200: ``{"sequenceNumber": "...", "shardId": "..."}``.

``POST /streams/{name}/records/batch``
    ``{"records": [{"data": "text"} | {"dataBase64": "..."}, ...]}``, 1 to 500 of them, each with an optional
    ``"partitionKey"`` (without one: the request id and the record's index, so that such records spread over the
    shards). Unknown properties are refused: a misspelt key would scatter records silently.
    200 when all are in the stream, 207 when some are: ``{"failedCount": n, "records": [...]}``, in the request's order,
    each ``{"sequenceNumber", "shardId"}`` or ``{"errorCode", "errorMessage"}``.

A stream may have envelopes (``IngestStream.envelope``): then each of its records stands behind its request's
    ``traceparent``, ``tracestate`` and ``X-Amzn-Trace-Id``, and a consumer finds them in ``record.headers``, in lower
    case. Of one that is too long, or has characters that JSON escapes or ``# $ ' [ ]``, nothing is kept.

Headers are found as clients spell them: ``X-Partition-Key``, ``X-partition-key``, in capitals, in lower case.

``GET /health``
    200: ``{"status": "ok"}``.

Every other answer has the one envelope ``{"error": {"code", "message", "requestId"}}``; see ``ErrorCode``. In a 207
only the failed records may be sent again; after any envelope, none is known to be in the stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kstream.core.errors import ConfigurationError

HEALTH_PATH: Final = "/health"
PARTITION_KEY_HEADER: Final = "x-partition-key"
JSON: Final = "application/json"
TEXT: Final = "text/plain"
BINARY: Final = "application/octet-stream"
RETRY_AFTER_SECONDS: Final = 1

MAX_KEY_CHARACTERS: Final = 256
# What the envelope keeps of a request's headers, and how many characters of each at most. A traceparent has 55 today (W3C
# Trace Context, 3.2); a tracestate of 512 must be passed on whole (3.3.1.5).
KEPT_HEADERS: Final = MappingProxyType({"traceparent": 128, "tracestate": 512, "x-amzn-trace-id": 256})
# Nothing that JSON escapes, on whatever engine, and nothing that Velocity reads in a string. A part of a pattern that Java
# and Python read alike.
KEPT_CHARACTERS: Final = "[ !%&(-Z^-~]"
# By which a record grows, whatever its headers are.
MOST_ENVELOPE_BYTES: Final = 1024
# The batch's keys. Quotes, backslashes and controls are what a template could be attacked with; so the model lets none
# pass. Use ``fullmatch``: a ``$`` would allow a newline at the end. Half of a surrogate pair is no text, and has no
# bytes.
PARTITION_KEY: Final = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]{1,256}')
# Kinesis takes "." and ".." as well, but no path can hold them: clients and servers take such a step back out.
STREAM_NAME: Final = re.compile(r"(?!\.{1,2}\Z)[a-zA-Z0-9_.-]{1,128}")


class ErrorCode(StrEnum):
    """The envelope's codes, each with its one status."""

    BAD_REQUEST = "BadRequest"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    """No such path, or not with this method: API Gateway does not tell the two apart."""
    TOO_LARGE = "TooLarge"
    UNSUPPORTED_MEDIA_TYPE = "UnsupportedMediaType"
    THROTTLED = "Throttled"
    """Kinesis took no record of the request because of its rate, or the API is over its own; ``Retry-After`` says when
    to come back, in seconds."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The API key's quota for the day, the week or the month is used up. Nobody says when the period ends: there is no
    ``Retry-After``."""
    GATEWAY_FAILED = "GatewayFailed"
    """The API itself failed; nothing was put."""
    STREAM_FAILED = "StreamFailed"
    """The stream failed, could not be reached, or is not there."""

    @property
    def status(self) -> int:
        return _STATUS[self]


_STATUS: Final = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.THROTTLED: 429,
    ErrorCode.QUOTA_EXCEEDED: 429,
    ErrorCode.GATEWAY_FAILED: 500,
    ErrorCode.STREAM_FAILED: 502,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may come to. The defaults are AWS's: API Gateway's payload, Kinesis' PutRecords and records.

    ``body_bytes``    of one request.
    ``record_bytes``  data and partition key (in UTF-8) of one record; up to 10 MiB where the stream allows it.
    ``records``       of one batch.
    """

    body_bytes: int = 10 * 1024 * 1024
    record_bytes: int = 1024 * 1024
    records: int = 500


def records_path(stream: str) -> str:
    return f"/streams/{stream}/records"


def batch_path(stream: str) -> str:
    return f"/streams/{stream}/records/batch"


def checked_stream_name(name: str) -> str:
    """The name, if Kinesis allows it and a path can hold it; else ``ConfigurationError``."""
    if not STREAM_NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no stream name: 1 to 128 letters, digits and _ . - (Kinesis' rule), and not '.' or '..'"
        )
    return name
