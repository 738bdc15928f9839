"""What must hold in every document of every API, and some documents whole."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from openapi_spec_validator import validate

from kstream.core.errors import ConfigurationError
from kstream.ingest.api import (
    ApiKeys,
    Cognito,
    Iam,
    IngestApi,
    IngestStream,
    Jwt,
    LambdaFunction,
    Unlocked,
)
from kstream.ingest.contract import KEPT_HEADERS, STREAM_NAME, ErrorCode
from kstream.ingest.engine.authorization import everyone
from kstream.ingest.gateway import Gateway
from kstream.ingest.openapi import deployed, published
from kstream.ingest.openapi.templates import MOST_TEMPLATE_BYTES
from tests.support.ingest import MemoryStreams

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parents[3] / "golden" / "openapi"

ROLE = {"Fn::GetAtt": ["IngestRole", "Arn"]}
FUNCTION = LambdaFunction(invocation_uri={"Fn::Sub": "${Authorizer.Arn}"}, credentials=ROLE, cache_seconds=60)
LOCKS = st.sampled_from(
    [
        (Unlocked(),),
        (Iam(),),
        (Jwt("https://issuer.example", ("ingest",)),),
        (Jwt("https://issuer.example", ("other",), ("ES256",)),),
        (Cognito(("arn:aws:cognito-idp:eu-west-1:000000000000:userpool/p",)),),
        (Cognito(("arn:aws:cognito-idp:eu-west-1:000000000000:userpool/p",), ("ingest/orders",)),),
        (Jwt("https://issuer.example", ("ingest",), scopes=("put:orders", "admin")), ApiKeys()),
        (FUNCTION,),
        (LambdaFunction(invocation_uri="arn:f", kind="request", header="X-Token"),),
        (ApiKeys(),),
        (Iam(), ApiKeys()),
        (ApiKeys(), FUNCTION),
    ]
)
STREAMS = st.builds(
    IngestStream,
    name=st.from_regex(STREAM_NAME, fullmatch=True),
    locks=LOCKS,
    role=st.sampled_from([ROLE, "arn:aws:iam::000000000000:role/ingest"]),
    region=st.sampled_from([None, "eu-west-1", "cn-north-1", "us-gov-west-1"]),
    cors_origins=st.just(("*",))
    | st.lists(st.sampled_from(["https://a.example", "http://localhost:3000"]), unique=True, max_size=2).map(tuple),
    key_required=st.booleans(),
    envelope=st.booleans(),
)
APIS = st.builds(
    IngestApi, streams=st.lists(STREAMS, min_size=1, max_size=4, unique_by=lambda stream: stream.name).map(tuple)
)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


@given(APIS)
def test_every_operation_says_who_may_use_it(api: IngestApi) -> None:
    """And only what puts nothing, or puts into a stream that is unlocked by name, is open to all."""
    locked = {f"/streams/{stream.name}/": Unlocked() not in stream.locks for stream in api.streams}
    for document in (deployed(api), published(api)):
        schemes = document["components"].get("securitySchemes", {})
        for method, path, operation in operations(document):
            security = operation["security"]
            assert all(name in schemes for requirement in security for name in requirement)
            must_be = method == "post" and next(found for prefix, found in locked.items() if path.startswith(prefix))
            assert bool(security) == must_be, (method, path)
            assert all(security), "an empty requirement lets anybody in"


@given(APIS)
def test_no_default_is_a_success_and_no_body_passes_unseen(api: IngestApi) -> None:
    for _, path, operation in operations(deployed(api)):
        integration = operation["x-amazon-apigateway-integration"]
        assert integration["passthroughBehavior"] == "never"
        if integration["type"] == "aws":
            assert int(integration["responses"]["default"]["statusCode"]) >= 500
            assert {pattern: found["statusCode"] for pattern, found in integration["responses"].items()} == {
                "200": "200",
                "400": "400",
                "default": "502",
            }
            assert integration["credentials"]
        else:
            assert path == "/health" or operation["security"] == []


@given(APIS)
def test_every_payload_is_text_whatever_a_client_accepts(api: IngestApi) -> None:
    """Developer guide, "Content type conversions": else ``Accept: application/octet-stream`` would have JSON decoded from
    base64, which fails with 500; and a mock can do nothing with binary content at all."""
    for _, _, operation in operations(deployed(api)):
        integration = operation["x-amazon-apigateway-integration"]
        for part in (integration, *integration["responses"].values()):
            assert part["contentHandling"] == "CONVERT_TO_TEXT"


@given(APIS)
def test_no_refusal_is_left_to_a_default_of_another_meaning(api: IngestApi) -> None:
    """The defaults say "the request cannot be taken" and "the API failed"; so each other kind has words of its own."""
    model = botocore.session.get_session().get_service_model("apigateway")
    kinds = set(model.shape_for("GatewayResponseType").metadata["enum"])
    assert kinds - set(deployed(api)["x-amazon-apigateway-gateway-responses"]) == {"API_CONFIGURATION_ERROR"}


@given(APIS)
def test_every_status_that_can_be_answered_is_told(api: IngestApi) -> None:
    for document in (deployed(api), published(api)):
        for method, path, operation in operations(document):
            if method == "post":
                successes = {"200", "207"} if path.endswith("/batch") else {"200"}
                assert set(operation["responses"]) == successes | {str(code.status) for code in ErrorCode}


@given(APIS)
def test_a_stream_is_named_in_the_template_and_taken_from_no_request(api: IngestApi) -> None:
    document = deployed(api)
    for stream in api.streams:
        for path in (f"/streams/{stream.name}/records", f"/streams/{stream.name}/records/batch"):
            integration = document["paths"][path]["post"]["x-amazon-apigateway-integration"]
            for template in integration["requestTemplates"].values():
                assert set(re.findall(r'"StreamName":"([^"]*)"', template)) == {stream.name}
                assert "@" not in template
                assert len(template.encode()) < MOST_TEMPLATE_BYTES


@given(APIS)
def test_documents_are_openapi_and_json(api: IngestApi) -> None:
    for document in (deployed(api), published(api)):
        validate(json.loads(json.dumps(document)))


@given(APIS)
def test_producers_are_told_nothing_of_amazon(api: IngestApi) -> None:
    text = json.dumps(published(api))
    for word in ("x-amazon", '"arn:', "Fn::", "$input", 'PutRecord"', "kinesis"):
        assert word not in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:1",
        "",
        "ingest.example/v1",
        "ftp://ingest.example",
        "https://user:pw@ingest.example",
        "https://h ost",
    ],
)
def test_producers_are_told_an_address_of_http_or_none(url: str) -> None:
    api = IngestApi(streams=(IngestStream(name="orders", locks=(Iam(),)),))
    with pytest.raises(ConfigurationError, match="the ingest API's address"):
        published(api, url=url)
    assert published(api, url="https://ingest.example/v1")["servers"] == [{"url": "https://ingest.example/v1"}]
    assert "servers" not in published(api)


@given(APIS)
def test_the_gateway_of_this_machine_runs_every_document(api: IngestApi) -> None:
    Gateway(deployed(api), MemoryStreams(), authorize=everyone)


@given(APIS)
def test_what_an_api_gateway_import_cannot_take_is_not_in_it(api: IngestApi) -> None:
    """Developer guide, "important notes for REST APIs": schemes of the type apiKey, alphanumeric model names."""
    document = deployed(api)
    assert all(scheme["type"] == "apiKey" for scheme in document["components"].get("securitySchemes", {}).values())
    assert all(name.isalnum() for name in document["components"]["schemas"])
    assert not re.search(r'"(minItems|maxItems|discriminator|example|readOnly|exclusiveMinimum)"', json.dumps(document))
    for _, _, operation in operations(document):
        integration = operation["x-amazon-apigateway-integration"]
        for response in integration["responses"].values():
            told = operation["responses"][response["statusCode"]] if integration["type"] == "aws" else None
            for header in response.get("responseParameters", {}):
                declared = (told or next(iter(operation["responses"].values())))["headers"]
                assert header.removeprefix("method.response.header.") in declared


@given(APIS)
def test_schemas_are_draft_4(api: IngestApi) -> None:
    for schema in deployed(api)["components"]["schemas"].values():
        Draft4Validator.check_schema(schema)


@given(APIS)
def test_equal_locks_are_one_authorizer_and_others_are_not(api: IngestApi) -> None:
    """Streams that share an authorizer share its cache, and its Lambda. Scopes are each stream's own."""
    locks = {
        repr(replace(lock, scopes=()) if isinstance(lock, Jwt | Cognito) else lock)
        for stream in api.streams
        for lock in stream.locks
        if lock != Unlocked()
    }
    assert len(deployed(api)["components"].get("securitySchemes", {})) == len(locks)


def security(api: IngestApi, *, of: str = "/streams/orders/records") -> tuple[Any, Any]:
    """Of API Gateway's document, and of the producers'; schemes by their kinds."""

    def plain(requirement: dict[str, list[str]]) -> dict[str, list[str]]:
        return {name.rstrip("0123456789abcdef"): scopes for name, scopes in requirement.items()}

    documents = (deployed(api), published(api))
    told = [[plain(one) for one in document["paths"][of]["post"]["security"]] for document in documents]
    return told[0], told[1]


def test_scopes_are_told_as_api_gateway_wants_them_and_as_openapi_has_them() -> None:
    """API Gateway: a token needs one of the requirement's. OpenAPI: all of an alternative's, and any alternative."""
    jwt = Jwt("https://issuer.example/", ("ingest",), scopes=("put:orders", "admin"))
    api = IngestApi(
        streams=(
            IngestStream(name="orders", locks=(jwt, ApiKeys())),
            IngestStream(name="clicks", locks=(replace(jwt, scopes=()),)),
        )
    )
    assert security(api) == (
        [{"jwt": ["put:orders", "admin"], "apiKey": []}],
        [{"jwt": ["put:orders"], "apiKey": []}, {"jwt": ["admin"], "apiKey": []}],
    )
    assert security(api, of="/streams/clicks/records") == ([{"jwt": []}], [{"jwt": []}])
    schemes = published(api)["components"]["securitySchemes"]
    [scheme] = [scheme for scheme in schemes.values() if scheme["type"] == "openIdConnect"]
    assert scheme["openIdConnectUrl"] == "https://issuer.example/.well-known/openid-configuration"
    cognito = Cognito(("arn:aws:cognito-idp:eu-west-1:000000000000:userpool/p",), ("ingest/orders",))
    api = IngestApi(streams=(IngestStream(name="orders", locks=(cognito,)),))
    assert security(api) == ([{"cognito": ["ingest/orders"]}], [{"cognito": []}])
    assert "ingest/orders" in published(api)["paths"]["/streams/orders/records"]["post"]["description"]


@given(APIS)
def test_trace_headers_are_told_of_where_they_are_kept(api: IngestApi) -> None:
    """To producers, and to browsers: a page may not send a header that nobody has allowed."""
    for stream in api.streams:
        for path in (f"/streams/{stream.name}/records", f"/streams/{stream.name}/records/batch"):
            told = {one["name"] for one in published(api)["paths"][path]["post"].get("parameters", ())}
            assert told - {"X-Partition-Key"} == (set(KEPT_HEADERS) if stream.envelope else set())
            item = deployed(api)["paths"][path]
            assert not told & {one["name"] for one in item["post"].get("parameters", ())} & set(KEPT_HEADERS)
            if stream.cors_origins:
                headers = item["options"]["x-amazon-apigateway-integration"]["responses"]["default"][
                    "responseParameters"
                ]
                allowed = headers["method.response.header.Access-Control-Allow-Headers"].strip("'").split(",")
                assert set(KEPT_HEADERS) & set(allowed) == (set(KEPT_HEADERS) if stream.envelope else set())


def test_a_stream_without_envelopes_is_put_into_as_if_there_were_none() -> None:
    """Not a letter of its templates speaks of them."""
    api = IngestApi(streams=(IngestStream(name="orders", locks=(Unlocked(),)),))
    with_them = IngestApi(streams=(IngestStream(name="orders", locks=(Unlocked(),), envelope=True),))
    assert "envelope" not in json.dumps(deployed(api))
    assert "eyJrc3RyZWFt" not in json.dumps(deployed(api))
    assert "eyJrc3RyZWFt" in json.dumps(deployed(with_them))


GOLDEN_APIS = {
    "one-unlocked": IngestApi(streams=(IngestStream(name="orders", locks=(Unlocked(),)),)),
    "every-kind": IngestApi(
        title="Shop",
        version="2",
        streams=(
            IngestStream(name="orders", locks=(Iam(), ApiKeys()), role=ROLE),
            IngestStream(
                name="returns",
                locks=(Jwt("https://issuer.example", ("ingest",), scopes=("put:returns", "admin")),),
                key_required=True,
            ),
            IngestStream(
                name="clicks",
                locks=(FUNCTION,),
                cors_origins=("https://shop.example", "https://www.shop.example"),
                region="eu-west-1",
            ),
            IngestStream(
                name="views",
                locks=(Cognito(({"Fn::GetAtt": ["Pool", "Arn"]},), ("ingest/views",)),),
                cors_origins=("https://shop.example",),
                envelope=True,
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN_APIS)
@pytest.mark.parametrize("rendering", ["deployed", "published"])
def test_documents_change_only_on_purpose(name: str, rendering: str) -> None:
    """After a change that is meant: ``python -m tests.unit.ingest.openapi.golden``, and read the difference."""
    api = GOLDEN_APIS[name]
    document = deployed(api) if rendering == "deployed" else published(api, url="https://ingest.example/v1")
    assert document == json.loads((GOLDEN / f"{name}.{rendering}.json").read_text("utf-8"))
