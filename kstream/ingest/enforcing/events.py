"""The events that API Gateway sends to a Lambda authorizer (developer guide, "Input to a Lambda authorizer").

Names of headers come in lower case, as those of HTTP/2 do; API Gateway leaves them as an HTTP/1.1 client wrote them. Of
what is repeated, ``headers`` and ``queryStringParameters`` have the last value, and the others all of them ("Support for
multi-value parameters in Amazon API Gateway").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kstream.ingest.enforcing.call import Call, LocalApi


def token_event(call: Call, api: LocalApi, token: str) -> dict[str, Any]:
    return {
        "type": "TOKEN",
        "methodArn": api.method_arn(call.method, call.resource),
        "authorizationToken": token,
    }


def request_event(call: Call, api: LocalApi) -> dict[str, Any]:
    query: dict[str, list[str]] = {}
    for name, value in call.query:
        query.setdefault(name, []).append(value)
    return {
        "type": "REQUEST",
        "methodArn": api.method_arn(call.method, call.resource),
        "resource": call.resource,
        "path": call.path,
        "httpMethod": call.method,
        "headers": dict(call.headers),
        "multiValueHeaders": {name: list(call.values(name)) for name in call.headers},
        "queryStringParameters": {name: values[-1] for name, values in query.items()},
        "multiValueQueryStringParameters": query,
        "pathParameters": {},
        "stageVariables": {},
        "requestContext": {
            "accountId": api.account,
            "apiId": api.api_id,
            "stage": api.stage,
            "httpMethod": call.method,
            "path": f"/{api.stage}{call.path}",
            "resourcePath": call.resource,
            "protocol": "HTTP/1.1",
            "requestId": call.request_id,
            "identity": {"sourceIp": call.source_ip, "userAgent": call.headers.get("user-agent")},
        },
    }
