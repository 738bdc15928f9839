"""What API Gateway answers by itself, in the one envelope (``x-amazon-apigateway-gateway-responses``).

These templates are no Velocity: variables are put in as they are (developer guide, "Gateway responses"). Of those only
two are ours to use: the request id, and ``$context.error.messageString``, which comes quoted and escaped.
``validationErrorString`` does not: it would let a request break its answer's JSON.
"""

from __future__ import annotations

import json
from typing import Any

from kstream.ingest.contract import JSON, RETRY_AFTER_SECONDS, ErrorCode

_NOT_HERE = "there is no such path here, or not with this method; check the stream's name"
_NOT_HERE_OR_UNSIGNED = "the request has no credentials, or there is no such path here with this method"


def gateway_responses(*, signed: bool, cors: bool) -> dict[str, Any]:
    """One response for each kind that a request can come to, by its name in API Gateway.

    ``signed``  some stream takes signed requests: then a request without a signature and one for a path that is not
                there are one kind, which must be 403, and otherwise is 404.
    ``cors``    some stream may be put to from web pages: they shall be able to read these answers too.
    """
    refused, failed = ErrorCode.FORBIDDEN, ErrorCode.GATEWAY_FAILED
    responses = {
        "DEFAULT_4XX": _response(ErrorCode.BAD_REQUEST, "the request cannot be taken as it is"),
        "DEFAULT_5XX": _response(failed, "the API failed; put the same again later"),
        "BAD_REQUEST_BODY": _response(ErrorCode.BAD_REQUEST, None),
        "BAD_REQUEST_PARAMETERS": _response(ErrorCode.BAD_REQUEST, None),
        "UNAUTHORIZED": _response(ErrorCode.UNAUTHORIZED, "the request has no valid credentials"),
        "EXPIRED_TOKEN": _response(refused, "the credentials are no longer valid"),
        "INVALID_SIGNATURE": _response(refused, "the signature does not match the request"),
        "INVALID_API_KEY": _response(refused, "the API key is missing, or not one of this API"),
        "ACCESS_DENIED": _response(refused, "these credentials may not put into this stream"),
        "WAF_FILTERED": _response(refused, "a firewall in front of the API refused the request"),
        "AUTHORIZER_FAILURE": _response(failed, "the authorizer failed; nothing was put"),
        "AUTHORIZER_CONFIGURATION_ERROR": _response(failed, "the authorizer failed; nothing was put"),
        "MISSING_AUTHENTICATION_TOKEN": _response(refused, _NOT_HERE_OR_UNSIGNED)
        if signed
        else _response(ErrorCode.NOT_FOUND, _NOT_HERE),
        "RESOURCE_NOT_FOUND": _response(ErrorCode.NOT_FOUND, _NOT_HERE),
        "REQUEST_TOO_LARGE": _response(
            ErrorCode.TOO_LARGE, "the body is over 10 MiB; put the records in smaller batches"
        ),
        "UNSUPPORTED_MEDIA_TYPE": _response(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            "a record is application/octet-stream, application/json or text/plain; a batch is application/json",
        ),
        "THROTTLED": _throttled("the API is over its rate; put the same again later"),
        # Of the plan's day, week or month nothing is known here, so there is no Retry-After.
        "QUOTA_EXCEEDED": _response(
            ErrorCode.QUOTA_EXCEEDED, "the API key's quota is used up until its day, week or month ends"
        ),
        "INTEGRATION_FAILURE": _response(ErrorCode.STREAM_FAILED, "the stream was not reached"),
        "INTEGRATION_TIMEOUT": _response(ErrorCode.STREAM_FAILED, "the stream did not answer in time"),
    }
    # Of a default, each kind keeps the status of its own.
    for name in ("DEFAULT_4XX", "DEFAULT_5XX"):
        del responses[name]["statusCode"]
    if cors:
        for response in responses.values():
            parameters = response.setdefault("responseParameters", {})
            if "gatewayresponse.header.Retry-After" in parameters:
                parameters["gatewayresponse.header.Access-Control-Expose-Headers"] = "'Retry-After'"
            parameters["gatewayresponse.header.Access-Control-Allow-Origin"] = "'*'"
    return responses


def _response(code: ErrorCode, message: str | None) -> dict[str, Any]:
    quoted = "$context.error.messageString" if message is None else json.dumps(message)
    template = f'{{"error":{{"code":"{code}","message":{quoted},"requestId":"$context.requestId"}}}}'
    return {"statusCode": code.status, "responseTemplates": {JSON: template}}


def _throttled(message: str) -> dict[str, Any]:
    retry_after = {"gatewayresponse.header.Retry-After": f"'{RETRY_AFTER_SECONDS}'"}
    return {**_response(ErrorCode.THROTTLED, message), "responseParameters": retry_after}
