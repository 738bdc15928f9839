"""The answers that an operation can give, as its clients are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kstream.ingest.contract import JSON, ErrorCode

if TYPE_CHECKING:
    from kstream.ingest.api import IngestStream

_DESCRIPTIONS: Final = {
    ErrorCode.BAD_REQUEST: "The request cannot be taken as it is; nothing was put.",
    ErrorCode.UNAUTHORIZED: "No valid credentials.",
    ErrorCode.FORBIDDEN: "Not with these credentials.",
    ErrorCode.NOT_FOUND: "No such path, or not with this method.",
    ErrorCode.TOO_LARGE: "The body, or a record, is over its limit; nothing was put.",
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: "Not with this Content-Type.",
    ErrorCode.THROTTLED: "Over the rate; nothing was put. Again after Retry-After seconds. Without that header, the API "
    "key's quota is used up (QuotaExceeded).",
    ErrorCode.GATEWAY_FAILED: "The API failed; nothing was put.",
    ErrorCode.STREAM_FAILED: "The stream failed, or could not be reached.",
}


def success(model: str, stream: IngestStream, description: str = "Everything is in the stream.") -> dict[str, Any]:
    return _response(model, description, _cors_names(stream))


def failures(stream: IngestStream) -> dict[str, Any]:
    """All that is no success, by status."""
    names = _cors_names(stream)
    return {
        str(code.status): _response(
            "Error", _DESCRIPTIONS[code], [*names, "Retry-After"] if code is ErrorCode.THROTTLED else names
        )
        for code in _DESCRIPTIONS
    }


def cors_headers(stream: IngestStream) -> dict[str, str]:
    """Headers that every answer of this stream carries, with their values in API Gateway's quotes."""
    match stream.cors_origins:
        case ():
            return {}
        case (origin,):
            return {"Access-Control-Allow-Origin": f"'{origin}'"}
        case _:
            return {"Vary": "'Origin'"}


def answer_headers(stream: IngestStream) -> dict[str, str]:
    """``cors_headers``, and what a page may read of an answer besides its body: when to come back."""
    return {**cors_headers(stream), "Access-Control-Expose-Headers": "'Retry-After'"} if stream.cors_origins else {}


def _cors_names(stream: IngestStream) -> list[str]:
    # With several origins it is the template that sets the first; a method response has to know it nevertheless.
    return list(dict.fromkeys(["Access-Control-Allow-Origin", *answer_headers(stream)])) if stream.cors_origins else []


def _response(model: str, description: str, headers: list[str]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": description,
        "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{model}"}}},
    }
    if headers:
        response["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return response
