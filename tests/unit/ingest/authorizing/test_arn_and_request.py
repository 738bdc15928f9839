"""Authorizers' events: what is read from them, what is refused, and what never shows."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.errors import EventError
from kstream.ingest.authorizing.arn import MethodArn
from kstream.ingest.authorizing.request import AuthorizationRequest
from tests.support.authorizing import ARN, STAGE, request_event, token_event


def test_a_method_arn_is_taken_apart_and_put_together() -> None:
    arn = MethodArn.parse(ARN)
    assert (arn.region, arn.account, arn.api_id, arn.stage) == ("eu-west-1", "123456789012", "abc123", "prod")
    assert (arn.method, arn.path, arn.stream) == ("POST", "/streams/orders/records", "orders")
    assert str(arn) == ARN
    assert arn.stage_arn == STAGE
    assert MethodArn.parse(ARN + "/batch").stream == "orders"


@pytest.mark.parametrize(
    "path",
    ["GET/health", "GET/streams/orders/records", "POST/streams/a/b/records", "POST/streams/a/records/x", "POST/"],
)
def test_other_methods_put_to_no_stream(path: str) -> None:
    assert MethodArn.parse(f"{STAGE}/{path}").stream is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "*",
        "arn:aws:lambda:r:1:a/s/POST/x",
        f"{STAGE}",
        f"{STAGE}/*/x",
        f"{STAGE}/post/x",
        ARN.replace("prod", "*"),
    ],
)
def test_what_is_no_method_arn_is_refused(text: Any) -> None:
    with pytest.raises(EventError):
        MethodArn.parse(text)


def test_a_token_event() -> None:
    request = AuthorizationRequest.from_event(token_event("Bearer t0ken"))
    assert (request.type, request.token, request.stream) == ("TOKEN", "Bearer t0ken", "orders")
    assert request.bearer_token() == "t0ken"
    assert (request.headers, request.query, request.source_ip) == ({}, {}, None)


def test_a_request_event() -> None:
    event = request_event({"AUTHORIZATION": "bearer t0ken", "X-Api-Key": "k3y"}, queryStringParameters={"a": "b"})
    request = AuthorizationRequest.from_event(event)
    assert (request.type, request.bearer_token(), request.source_ip) == ("REQUEST", "t0ken", "192.0.2.7")
    assert request.headers["x-api-key"] == "k3y"
    assert request.query == {"a": "b"}


@pytest.mark.parametrize(
    ("given", "token"),
    [
        ("Bearer t", "t"),
        ("bEARER   t ", "t"),
        ("t", "t"),
        ("Bearer", None),
        ("Bearer a b", None),
        ("Basic dTpw", None),
        ("", None),
        (None, None),
    ],
)
def test_bearer_tokens(given: str | None, token: str | None) -> None:
    assert AuthorizationRequest.from_event(token_event(given)).bearer_token() == token


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "TOKEN",
        {},
        {"type": "OTHER", "methodArn": ARN},
        {"type": "TOKEN"},
        token_event(7),
        {**request_event(), "headers": ["authorization"]},
        {**request_event(), "queryStringParameters": "a=b"},
    ],
)
def test_what_is_no_event_of_an_authorizer_is_refused(event: Any) -> None:
    with pytest.raises(EventError):
        AuthorizationRequest.from_event(event)


def test_missing_parts_are_empty() -> None:
    event = {"type": "REQUEST", "methodArn": ARN, "requestContext": None, "headers": None}
    request = AuthorizationRequest.from_event(event)
    assert (request.token, request.headers, request.source_ip) == (None, {}, None)


def test_the_repr_shows_nothing_that_the_caller_sent() -> None:
    event = request_event({"authorization": "Bearer t0ken-t0ken", "x-api-key": "k3yk3yk3y"})
    event["queryStringParameters"] = {"access_token": "s3cr3ts3cr3t"}
    shown = repr(AuthorizationRequest.from_event(event))
    assert not [secret for secret in ("t0ken", "k3y", "s3cr3t") if secret in shown]


@pytest.mark.parametrize("secret", ["header-part", "payload-part", "signature-part", "Bearer header-part.payload-part"])
def test_texts_that_repeat_a_credential_are_withheld(secret: str) -> None:
    request = AuthorizationRequest.from_event(token_event("Bearer header-part.payload-part.signature-part"))
    assert secret not in request.withheld(f"bad token: {secret}")
    assert request.withheld("an ordinary reason") == "an ordinary reason"
