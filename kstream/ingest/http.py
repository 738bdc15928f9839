"""A request and a response, as the gateway sees them: no server, no sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kstream.ingest.contract import JSON, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its body.

    ``path``        decoded, without the query.
    ``headers``     names in lower case; values as HTTP carries them (each character one byte); repeated ones joined by
                    ``", "``.
    ``request_id``  given by the server, unique.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    request_id: str


@dataclass(frozen=True, slots=True)
class Response:
    """``body`` is JSON. ``headers`` come besides Content-Type and Content-Length."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    content_type: str = JSON


class Application(Protocol):
    """What a server serves. Thread-safe; may block; raises nothing."""

    @property
    def max_body_bytes(self) -> int:
        """A server reads no more than this."""
        ...

    def refuse(self, head: Head) -> Response | None:
        """The answer, if it is known before the body is read and the request is refused. Does not block."""
        ...

    def handle(self, head: Head, body: bytes) -> Response:
        """The answer to a whole request. Also to one that ``refuse`` was not asked about."""
        ...


class Refusal(Exception):
    """A request that ends in the error envelope. Never leaves the gateway."""

    def __init__(self, code: ErrorCode, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self, request_id: str) -> Response:
        return envelope(self.code, self.message, request_id, self.headers)


def envelope(code: ErrorCode, message: str, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    body = {"error": {"code": str(code), "message": message, "requestId": request_id}}
    return Response(code.status, json.dumps(body).encode(), headers or {})


def too_large(limit: int) -> Refusal:
    return Refusal(
        ErrorCode.TOO_LARGE, f"the request's body is over {limit:,} bytes; put the records in smaller batches"
    )
