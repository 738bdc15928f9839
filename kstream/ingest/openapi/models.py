"""The models: JSON schema, in the part that draft 4 (API Gateway's validator) and OpenAPI 3.0 have in common."""

from __future__ import annotations

from typing import Any

from kstream.ingest.contract import MAX_KEY_CHARACTERS, ErrorCode, Limits

Schema = dict[str, Any]

# Patterns for a search, so with both ends. ``$`` lets a newline pass behind it in Python and Java, though not in
# ECMAScript. API Gateway's validator speaks ECMAScript, where a character beyond U+FFFF is two: so pairs are allowed, and
# a lone half is not, which would be put as a question mark.
_KEY = r'^(?:[^"\\\x00-\x1f\ud800-\udfff]|[\ud800-\udbff][\udc00-\udfff])+(?![\s\S])'
_BASE64 = r"^(?:[A-Za-z0-9+/]+={0,2})?(?![\s\S])"
# For producers: their validators may know no half characters at all, but can tell base64 whole. Amazon's might run out of
# stack on a group that repeats through a megabyte; there Kinesis refuses the rest.
_PUBLISHED_KEY = r'^[^"\\\x00-\x1f]+$'
_PUBLISHED_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def batch(*, key_required: bool, published: bool) -> Schema:
    """The body of a batch.

    ``published``: with the number of records. API Gateway drops it from what it imports, and the template sees to it; so
    it stands in the published document alone, lest the gateway of this machine refuse what Amazon's lets through.
    """
    records: Schema = {"type": "array", "items": _record(key_required=key_required, published=published)}
    if published:
        records |= {"minItems": 1, "maxItems": Limits().records}
    return {
        "type": "object",
        "required": ["records"],
        "additionalProperties": False,
        "properties": {"records": records},
    }


def put_answer() -> Schema:
    return {
        "type": "object",
        "required": ["sequenceNumber", "shardId"],
        "properties": {"sequenceNumber": {"type": "string"}, "shardId": {"type": "string"}},
    }


def batch_answer() -> Schema:
    one = {
        "type": "object",
        "description": "sequenceNumber and shardId of a record that is in the stream; errorCode and errorMessage else.",
        "properties": {name: {"type": "string"} for name in ("sequenceNumber", "shardId", "errorCode", "errorMessage")},
    }
    return {
        "type": "object",
        "required": ["failedCount", "records"],
        "properties": {"failedCount": {"type": "integer"}, "records": {"type": "array", "items": one}},
    }


def error() -> Schema:
    return {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "requestId"],
                "properties": {
                    "code": {"type": "string", "enum": [code.value for code in ErrorCode]},
                    "message": {"type": "string"},
                    "requestId": {"type": "string"},
                },
            }
        },
    }


def health() -> Schema:
    return {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}


def _record(*, key_required: bool, published: bool) -> Schema:
    key_pattern, base64_pattern = (_PUBLISHED_KEY, _PUBLISHED_BASE64) if published else (_KEY, _BASE64)
    key = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS, "pattern": key_pattern}
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "data": {"type": "string"},
            "dataBase64": {"type": "string", "pattern": base64_pattern},
            "partitionKey": key,
        },
        "oneOf": [{"required": ["data"]}, {"required": ["dataBase64"]}],
    }
    if key_required:
        schema["required"] = ["partitionKey"]
    return schema
