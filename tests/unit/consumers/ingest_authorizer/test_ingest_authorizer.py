"""The ready Lambda authorizer: what the environment can say, and that nothing else lets anybody in."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from consumers.ingest_authorizer.configured import authorizer_from
from kstream import ConfigurationError
from kstream.ingest import ALL_STREAMS, ApiKeyAuthorizer, AuthorizationRequest, Grant, JwtAuthorizer, hash_api_key
from kstream.settings import AuthorizerSettings
from tests.support.authorizing import request_event

KEY = "a-key-that-is-long-enough"
KEYS = json.dumps([{"name": "shop", "key_hash": hash_api_key(KEY), "streams": ["orders"]}])
TOKENS = {"issuer": "https://issuer.test/", "audience": "ingest"}


def test_api_keys() -> None:
    authorizer = authorizer_from(AuthorizerSettings(api_keys=KEYS))
    assert isinstance(authorizer, ApiKeyAuthorizer)
    request = AuthorizationRequest.from_event(request_event({"x-api-key": KEY}))
    assert authorizer.authorize(request) == Grant("shop", ["orders"])
    everything = authorizer_from(AuthorizerSettings(api_keys=KEYS.replace('["orders"]', '"*"')))
    assert everything.authorize(request) == Grant("shop", ALL_STREAMS)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"jwks_url": "https://issuer.test/keys", "algorithms": "RS256, ES256", "audience": "a,b"},
        {"streams": "claim:streams", "audience_claim": "either"},
        {"streams": '{"producer": ["orders"], "operator": "*"}'},
    ],
)
def test_tokens(more: dict[str, str]) -> None:
    assert isinstance(authorizer_from(AuthorizerSettings(**(TOKENS | more))), JwtAuthorizer)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"issuer": "https://issuer.test/"},
        {"audience": "ingest"},
        {**TOKENS, "api_keys": KEYS},
        {**TOKENS, "audience": ","},
        {**TOKENS, "algorithms": "HS256"},
        {**TOKENS, "algorithms": "none"},
        {**TOKENS, "algorithms": ","},
        {**TOKENS, "jwks_url": "http://issuer.test/keys"},
        {**TOKENS, "audience_claim": "sub"},
        {**TOKENS, "streams": "scope:"},
        {**TOKENS, "streams": "claim:"},
        {**TOKENS, "streams": "*"},
        {**TOKENS, "streams": '{"producer": "orders"}'},
        {**TOKENS, "streams": '{"producer": ["*"]}'},
        {"api_keys": "not json"},
        {"api_keys": "{}"},
        {"api_keys": "[]"},
        {"api_keys": '[{"name": "shop"}]'},
        {"api_keys": '["shop"]'},
        {"api_keys": KEYS.replace('["orders"]', '["*"]')},
        {"api_keys": json.dumps([{"name": "shop", "key_hash": KEY, "streams": ["orders"]}])},
    ],
)
def test_what_cannot_work_fails_when_it_starts_and_shows_no_key(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        authorizer_from(AuthorizerSettings(**given))
    assert KEY not in str(caught.value)


def test_it_runs_from_the_environment_and_brings_along_neither_boto3_nor_a_web_framework() -> None:
    program = (
        "import json, sys; from consumers.ingest_authorizer.function import lambda_handler as f;"
        "answer = f(json.loads(sys.stdin.read()), None);"
        "print(json.dumps([answer, sorted({'boto3', 'botocore', 'httpx', 'uvicorn', 'asyncio'} & set(sys.modules))]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(request_event({"X-Api-Key": KEY})),
        env={"KSTREAM_AUTHORIZER_API_KEYS": KEYS, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    answer, heavy = json.loads(run.stdout)
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    assert heavy == []
