"""The operations: what a client sees of each, and the integration behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kstream.ingest.api import LambdaFunction
from kstream.ingest.contract import BINARY, JSON, KEPT_HEADERS, MAX_KEY_CHARACTERS, MOST_ENVELOPE_BYTES, TEXT, ErrorCode
from kstream.ingest.openapi import security, templates
from kstream.ingest.openapi.responses import answer_headers, cors_headers, failures, success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.ingest.api import IngestStream

Operation = dict[str, Any]

BODY_VALIDATOR: Final = "body"
_ALLOWED_HEADERS = (
    "Content-Type",
    "X-Partition-Key",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Date",
    "X-Amz-Security-Token",
)


def put_record(stream: IngestStream, *, deployed: bool) -> Operation:
    content = {media_type: {"schema": schema} for media_type, schema in _RECORD_CONTENT.items()}
    key = {
        "name": "X-Partition-Key",
        "in": "header",
        "required": stream.key_required,
        "description": "Printable ASCII. Without it, " + ("400." if stream.key_required else "it is the request id."),
        "schema": {"type": "string", "maxLength": MAX_KEY_CHARACTERS},
    }
    if stream.key_required:
        # HTTP takes blanks away at both ends.
        key["schema"] = {"type": "string", "maxLength": MAX_KEY_CHARACTERS, "pattern": "[^ \t]"}
    return {
        "operationId": f"putRecord-{stream.name}",
        "summary": f"Put one record into {stream.name}: the body, byte for byte",
        **_scopes_told(stream),
        "parameters": [key, *_kept_headers(stream, deployed=deployed)],
        # A record may be empty.
        "requestBody": {"required": False, "content": content},
        "security": security.requirement(stream, deployed=deployed),
        "responses": {"200": success("PutAnswer", stream), **failures(stream)},
        "x-amazon-apigateway-integration": _kinesis(
            stream,
            "PutRecord",
            {
                JSON: templates.put_text(stream),
                TEXT: templates.put_text(stream),
                BINARY: templates.put_binary(stream),
            },
            answer=templates.answer_record(stream),
            refused=templates.refused(stream, batch=False),
        ),
    }


def put_batch(stream: IngestStream, *, deployed: bool) -> Operation:
    model = batch_model(stream)
    return {
        "operationId": f"putBatch-{stream.name}",
        "summary": f"Put up to 500 records into {stream.name}",
        **_scopes_told(stream),
        **({"parameters": kept} if (kept := _kept_headers(stream, deployed=deployed)) else {}),
        "requestBody": {"required": True, "content": {JSON: {"schema": _ref(model)}}},
        "security": security.requirement(stream, deployed=deployed),
        "responses": {
            "200": success("BatchAnswer", stream),
            "207": success("BatchAnswer", stream, "Some records are in the stream; the others may be put again."),
            **failures(stream),
        },
        "x-amazon-apigateway-request-validator": BODY_VALIDATOR,
        "x-amazon-apigateway-integration": _kinesis(
            stream,
            "PutRecords",
            {JSON: templates.put_batch(stream)},
            answer=templates.answer_batch(stream),
            refused=templates.refused(stream, batch=True),
        ),
    }


def batch_model(stream: IngestStream) -> str:
    """The name of the model of a batch's body."""
    return "KeyedBatch" if stream.key_required else "Batch"


def health() -> Operation:
    return {
        "operationId": "health",
        "summary": "Whether the API is there. Says nothing of the streams",
        "security": [],
        "responses": {"200": {"description": "It is.", "content": {JSON: {"schema": _ref("Health")}}}},
        # Of some type even where it has no body, as by clients that always say one; of others API Gateway answers 415.
        "x-amazon-apigateway-integration": _mock(200, {}, '{"status":"ok"}', (JSON, TEXT)),
    }


def preflight(stream: IngestStream, method: str) -> Operation:
    """What a browser asks before it puts (CORS). It carries no credentials, so it has no lock."""
    headers = {
        **cors_headers(stream),
        "Access-Control-Allow-Methods": f"'{method},OPTIONS'",
        "Access-Control-Allow-Headers": f"'{','.join(_allowed_headers(stream))}'",
        "Access-Control-Max-Age": "'600'",
    }
    names = dict.fromkeys(["Access-Control-Allow-Origin", *headers])
    return {
        "summary": "Whether a web page may put (CORS)",
        "security": [],
        "responses": {
            "204": {
                "description": "The headers say what is allowed.",
                "headers": {name: {"schema": {"type": "string"}} for name in names},
            }
        },
        "x-amazon-apigateway-integration": _mock(204, headers, templates.preflight(stream)),
    }


def _allowed_headers(stream: IngestStream) -> list[str]:
    of_the_locks = (lock.header for lock in stream.locks if isinstance(lock, LambdaFunction))
    names = (*_ALLOWED_HEADERS, *(KEPT_HEADERS if stream.envelope else ()), *of_the_locks)
    # Names of headers know no case (RFC 9110, 5.1).
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


_RECORD_CONTENT: Final = {
    BINARY: {"type": "string", "format": "binary"},
    JSON: {},
    TEXT: {"type": "string", "pattern": "^[^\ufffd]*$"},
}


def _kinesis(
    stream: IngestStream, action: str, requests: dict[str, str], *, answer: str, refused: str
) -> dict[str, Any]:
    headers = {f"method.response.header.{name}": value for name, value in answer_headers(stream).items()}

    def response(status: int, template: str) -> dict[str, Any]:
        # Converted to text whatever the client accepts: otherwise a client that accepts application/octet-stream
        # would get our JSON base64-decoded ("Content type conversions in API Gateway").
        mapped: dict[str, Any] = {
            "statusCode": str(status),
            "contentHandling": "CONVERT_TO_TEXT",
            "responseTemplates": {JSON: template},
        }
        return {**mapped, "responseParameters": headers} if headers else mapped

    return {
        "type": "aws",
        "httpMethod": "POST",
        "uri": _action_uri(stream.region, action),
        "credentials": stream.role,
        "passthroughBehavior": "never",
        "contentHandling": "CONVERT_TO_TEXT",
        # Kinesis speaks JSON 1.1; without this, API Gateway passes the client's own Content-Type on.
        "requestParameters": {"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"},
        "requestTemplates": requests,
        "responses": {
            "200": response(200, answer),
            "400": response(400, refused),
            "default": response(ErrorCode.STREAM_FAILED.status, templates.failed(stream)),
        },
    }


def _action_uri(region: str | None, action: str) -> str | dict[str, str]:
    if region is None:
        return {"Fn::Sub": f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:kinesis:action/{action}"}
    return f"arn:{_partition(region)}:apigateway:{region}:kinesis:action/{action}"


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _mock(status: int, headers: dict[str, str], template: str, media_types: Sequence[str] = (JSON,)) -> dict[str, Any]:
    # A mock has no credentials, no stream, and nothing of the request in its answer. It knows no binary content: what is not
    # converted to text, because a client sends or accepts application/octet-stream, ends in 500.
    response: dict[str, Any] = {
        "statusCode": str(status),
        "contentHandling": "CONVERT_TO_TEXT",
        "responseTemplates": {JSON: template},
    }
    if headers:
        response["responseParameters"] = {f"method.response.header.{name}": value for name, value in headers.items()}
    return {
        "type": "mock",
        "passthroughBehavior": "never",
        "contentHandling": "CONVERT_TO_TEXT",
        "requestTemplates": dict.fromkeys(media_types, f'{{"statusCode": {status}}}'),
        "responses": {"default": response},
    }


def _kept_headers(stream: IngestStream, *, deployed: bool) -> list[dict[str, Any]]:
    """For producers. API Gateway hands all headers to a template, declared or not."""
    if deployed or not stream.envelope:
        return []
    return [
        {
            "name": name,
            "in": "header",
            "description": f"Kept with each record of the request, if it has at most {most} characters, and none that JSON "
            f"escapes or of # $ ' [ ]. A record has {MOST_ENVELOPE_BYTES} bytes less to itself for these headers.",
            "schema": {"type": "string"},
        }
        for name, most in KEPT_HEADERS.items()
    ]


def _scopes_told(stream: IngestStream) -> dict[str, str]:
    """For those who read the document: not every scheme of OpenAPI may name scopes."""
    return {"description": f"The token has the scope {' or '.join(stream.scopes)}."} if stream.scopes else {}


def _ref(model: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model}"}
