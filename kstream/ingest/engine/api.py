"""The deployed document, read: for each path and method, what has to be done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kstream.core.errors import ConfigurationError
from kstream.ingest.contract import JSON
from kstream.ingest.engine.failures import fixed
from kstream.ingest.engine.model import models_of
from kstream.ingest.engine.velocity import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.ingest.engine.authorization import Security
    from kstream.ingest.engine.model import Model

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


@dataclass(frozen=True, slots=True)
class IntegrationResponse:
    """Chosen if ``pattern`` matches the whole status; the one without a pattern is the default."""

    pattern: re.Pattern[str] | None
    status: int
    headers: Mapping[str, str]
    template: Template


@dataclass(frozen=True, slots=True)
class Operation:
    """``action`` is Kinesis' (``PutRecord``, ``PutRecords``); None for a mock.

    ``resource``  the path as the document has it, however it was written in the request.
    ``security``  the requirement; empty: open to all.
    ``models``, ``templates``  by media type.
    """

    resource: str
    action: str | None
    security: Security
    models: Mapping[str, Model]
    templates: Mapping[str, Template]
    responses: tuple[IntegrationResponse, ...]

    def response_to(self, status: int) -> IntegrationResponse:
        """By the status of what stands behind."""
        text = str(status)
        for response in self.responses:
            if response.pattern is not None and response.pattern.fullmatch(text):
                return response
        return self.responses[-1]


class Api:
    """Everything that the gateway needs of a document. Raises ``ConfigurationError`` or ``TemplateError`` for what it
    cannot run: it refuses to start, rather than to run a part."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._templates: dict[str, Template] = {}
        self.binary_media_types = frozenset(document.get("x-amazon-apigateway-binary-media-types", ()))
        self._operations = {
            (method.upper(), path): self._operation(method.upper(), path, item[method])
            for path, item in document["paths"].items()
            for method in _METHODS
            if method in item
        }

    def operation(self, method: str, path: str) -> Operation | None:
        """API Gateway passes over slashes at the end."""
        return self._operations.get((method, path)) or self._operations.get((method, path.rstrip("/")))

    def _operation(self, method: str, path: str, operation: Mapping[str, Any]) -> Operation:
        name = f"{method} {path}"
        if "security" not in operation:
            raise ConfigurationError(f"{name} does not say who may use it (security)")
        if len(operation["security"]) > 1:
            raise ConfigurationError(f"{name} leaves a choice of who may use it; API Gateway knows no choice")
        integration = operation["x-amazon-apigateway-integration"]
        if integration["passthroughBehavior"] != "never":
            raise ConfigurationError(f"{name} lets bodies through that no template has seen (passthroughBehavior)")
        action = None if integration["type"] == "mock" else _kinesis_action(name, integration)
        responses = integration["responses"]
        if "default" not in responses:
            raise ConfigurationError(f"{name} has no default response")
        ordered = [*(pattern for pattern in responses if pattern != "default"), "default"]
        return Operation(
            path,
            action,
            operation["security"],
            self._models(operation),
            {media: self._template(name, text) for media, text in integration["requestTemplates"].items()},
            tuple(self._response(name, pattern, responses[pattern]) for pattern in ordered),
        )

    def _models(self, operation: Mapping[str, Any]) -> dict[str, Model]:
        validator = operation.get("x-amazon-apigateway-request-validator")
        validators = self._document.get("x-amazon-apigateway-request-validators", {})
        if validator is None or not validators[validator]["validateRequestBody"]:
            return {}
        return models_of(operation["requestBody"]["content"], self._document["components"]["schemas"])

    def _response(self, name: str, pattern: str, response: Mapping[str, Any]) -> IntegrationResponse:
        prefix = "method.response.header."
        headers = {
            header.removeprefix(prefix).lower(): fixed(value)
            for header, value in response.get("responseParameters", {}).items()
        }
        return IntegrationResponse(
            None if pattern == "default" else re.compile(pattern),
            int(response["statusCode"]),
            headers,
            self._template(name, response["responseTemplates"][JSON]),
        )

    def _template(self, name: str, text: str) -> Template:
        # Most texts stand in the document many times.
        if text not in self._templates:
            self._templates[text] = Template(text, name=f"a template of {name}")
        return self._templates[text]


def _kinesis_action(name: str, integration: Mapping[str, Any]) -> str:
    uri = integration["uri"]
    text: str = uri if isinstance(uri, str) else uri["Fn::Sub"]
    target, _, action = text.partition(":action/")
    if integration["type"] != "aws" or not target.endswith(":kinesis") or action not in ("PutRecord", "PutRecords"):
        raise ConfigurationError(f"{name} is integrated with {text!r}; the gateway here puts into Kinesis alone")
    return action
