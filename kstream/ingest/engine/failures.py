"""What the gateway answers by itself: the document's gateway responses, filled in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kstream.core.errors import ConfigurationError
from kstream.ingest.contract import JSON
from kstream.ingest.http import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\$context(?:\.[A-Za-z]+)+")


@dataclass(frozen=True, slots=True)
class _GatewayResponse:
    status: int
    template: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Failures:
    """The gateway responses of a document. Thread-safe."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        responses = document.get("x-amazon-apigateway-gateway-responses", {})
        self._responses = {kind: _read(kind, response) for kind, response in responses.items()}
        if not {"DEFAULT_4XX", "DEFAULT_5XX"} <= self._responses.keys():
            raise ConfigurationError("the document has no gateway responses DEFAULT_4XX and DEFAULT_5XX")

    def response(self, kind: str, request_id: str, message: str = "") -> Response:
        """The answer for a kind of failure, by API Gateway's name for it. ``message`` is ``$context.error.message``."""
        found = self._responses.get(kind) or self._responses["DEFAULT_5XX"]
        values = {
            "$context.requestId": request_id,
            "$context.error.messageString": json.dumps(message),
            "$context.error.responseType": kind,
        }
        body = _VARIABLE.sub(lambda variable: values.get(variable.group(), ""), found.template)
        return Response(found.status, body.encode(), dict(found.headers))


def _read(kind: str, response: Mapping[str, Any]) -> _GatewayResponse:
    status = int(response.get("statusCode") or (500 if kind.endswith("5XX") else 400))
    prefix = "gatewayresponse.header."
    headers = {
        name.removeprefix(prefix).lower(): fixed(value)
        for name, value in response.get("responseParameters", {}).items()
    }
    return _GatewayResponse(status, response["responseTemplates"][JSON], headers)


def fixed(value: str) -> str:
    """The text of a mapping expression that is no more than text, in single quotes."""
    if len(value) < 2 or value[0] != "'" or value[-1] != "'":
        raise ConfigurationError(f"the header mapping {value!r} is not a fixed text; the gateway here knows no other")
    return value[1:-1]
