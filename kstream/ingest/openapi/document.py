"""The whole document, for Amazon and for producers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.ingest.address import checked_address
from kstream.ingest.api import Iam
from kstream.ingest.contract import BINARY, HEALTH_PATH, batch_path, records_path
from kstream.ingest.openapi import models, operations, security
from kstream.ingest.openapi.failures import gateway_responses

if TYPE_CHECKING:
    from kstream.ingest.api import IngestApi

Document = dict[str, Any]


def deployed(api: IngestApi) -> Document:
    """OpenAPI 3.0 with API Gateway's extensions: the ``Body`` of an ``AWS::ApiGateway::RestApi``, or an import."""
    signed = any(Iam() in stream.locks for stream in api.streams)
    cors = any(stream.cors_origins for stream in api.streams)
    return {
        **_document(api, deployed=True),
        "x-amazon-apigateway-binary-media-types": [BINARY],
        "x-amazon-apigateway-api-key-source": "HEADER",
        "x-amazon-apigateway-request-validators": {
            operations.BODY_VALIDATOR: {"validateRequestBody": True, "validateRequestParameters": False}
        },
        "x-amazon-apigateway-gateway-responses": gateway_responses(signed=signed, cors=cors),
    }


def published(api: IngestApi, *, url: str | None = None) -> Document:
    """What producers are given: nothing of Amazon's in it, no ARN, no template. ``url`` is the base of all paths.

    Raises ``ConfigurationError`` for a ``url`` that ``IngestClient`` would not take either.
    """
    document: Document = _without_extensions(_document(api, deployed=False))
    for path in document["paths"].values():
        path.pop("options", None)
    return document if url is None else {**document, "servers": [{"url": checked_address(url)}]}


def _document(api: IngestApi, *, deployed: bool) -> Document:
    paths: dict[str, Any] = {HEALTH_PATH: {"get": operations.health()}}
    schemas = {
        "PutAnswer": models.put_answer(),
        "BatchAnswer": models.batch_answer(),
        "Error": models.error(),
        "Health": models.health(),
    }
    for stream in api.streams:
        paths[records_path(stream.name)] = {"post": operations.put_record(stream, deployed=deployed)}
        paths[batch_path(stream.name)] = {"post": operations.put_batch(stream, deployed=deployed)}
        if stream.cors_origins:
            for path in (records_path(stream.name), batch_path(stream.name)):
                paths[path]["options"] = operations.preflight(stream, "POST")
        model = models.batch(key_required=stream.key_required, published=not deployed)
        schemas[operations.batch_model(stream)] = model
    components: Document = {"schemas": schemas}
    if schemes := security.schemes(api, deployed=deployed):
        components["securitySchemes"] = schemes
    return {
        "openapi": "3.0.1",
        "info": {"title": api.title, "version": api.version},
        "paths": paths,
        "components": components,
    }


def _without_extensions(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_extensions(inner) for name, inner in value.items() if not name.startswith("x-amazon-")}
    return [_without_extensions(inner) for inner in value] if isinstance(value, list) else value
