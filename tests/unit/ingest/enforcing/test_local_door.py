"""From the deployed document to locks: every scheme that the document can name is locked as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest.api import ApiKeys, Cognito, Iam, IngestApi, IngestStream, Jwt, LambdaFunction
from kstream.ingest.authorizing.api_keys import new_api_key
from kstream.ingest.enforcing.api_key_lock import PlannedKey
from kstream.ingest.enforcing.call import Kind
from kstream.ingest.enforcing.local_door import Residents, local_door
from kstream.ingest.engine.failures import Failures
from kstream.ingest.openapi import deployed
from kstream.testing.clock import VirtualClock
from tests.support.authorizing import KeySet
from tests.support.door import LOCAL_STAGE, Function, bearing, kind, policy
from tests.support.issuer import AUDIENCE, ISSUER, token

if TYPE_CHECKING:
    from kstream.ingest.api import Lock

URI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:f/invocations"
PATH = "/streams/orders/records"
POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"


def document(*locks: Lock) -> dict[str, Any]:
    written: dict[str, Any] = deployed(IngestApi(streams=(IngestStream(name="orders", locks=locks),)))
    return written


def verdicts(residents: Residents, *locks: Lock, offers: list[Any], clock: VirtualClock | None = None) -> list[Any]:
    written = document(*locks)
    door = local_door(written, residents, clock=clock)
    return [kind(door.check(offer, written["paths"][PATH]["post"]["security"])) for offer in offers]


def test_jwt() -> None:
    residents = Residents(keys={ISSUER: KeySet().keys()})
    offers = [bearing(token()), bearing(token(aud="x")), bearing(token(iss="https://evil.test/")), bearing(None)]
    lock = Jwt(ISSUER, (AUDIENCE,))
    assert verdicts(residents, lock, offers=offers) == [None, *[Kind.UNAUTHORIZED] * 3]


def test_cognito() -> None:
    residents = Residents(keys={POOL: KeySet().keys()}, client_ids=["app"])
    lock = Cognito(("arn:aws:cognito-idp:eu-west-1:1:userpool/eu-west-1_pool",))
    offers = [bearing(token(iss=POOL, aud="app", token_use="id")), bearing(token(iss=POOL, aud="x", token_use="id"))]
    assert verdicts(residents, lock, offers=offers) == [None, Kind.UNAUTHORIZED]
    with pytest.raises(ConfigurationError, match="ARN"):
        local_door(document(Cognito(("pool",))), residents)


@pytest.mark.parametrize("kind_of_event", ["token", "request"])
def test_lambda(kind_of_event: str) -> None:
    clock = VirtualClock()
    function = Function(lambda _: policy("Allow", f"{LOCAL_STAGE}/POST{PATH}"))
    lock = LambdaFunction(invocation_uri=URI, kind=kind_of_event, header="X-Token", cache_seconds=60)
    residents = Residents(functions={URI: function})
    offers = [bearing(None, **{"x-token": "t"}), bearing(None, **{"x-token": "t"}), bearing("t")]
    assert verdicts(residents, lock, offers=offers, clock=clock) == [None, None, Kind.UNAUTHORIZED]
    assert [event["type"] for event in function.events] == [kind_of_event.upper()]
    with pytest.raises(ConfigurationError, match="functions="):
        local_door(document(lock), Residents())


def test_iam_and_a_key_with_its_plan() -> None:
    key = new_api_key()
    function = Function(lambda _: policy("Allow", "*"))
    residents = Residents(functions={URI: function}, api_keys=[PlannedKey.of("shop", key)])
    locks = (LambdaFunction(invocation_uri=URI), ApiKeys())
    offers = [bearing("t", **{"x-api-key": key}), bearing("t"), bearing(None, **{"x-api-key": key})]
    assert verdicts(residents, *locks, offers=offers) == [None, Kind.INVALID_API_KEY, Kind.UNAUTHORIZED]
    assert verdicts(Residents(), Iam(), offers=[bearing("t")]) == [Kind.MISSING_AUTHENTICATION_TOKEN]
    with pytest.raises(ConfigurationError):
        local_door(document(ApiKeys()), Residents())


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "http", "scheme": "bearer"},
        {"type": "apiKey", "name": "X-Other", "in": "header"},
        {"type": "apiKey", "name": "x-api-key", "x-amazon-apigateway-authtype": "unheard-of"},
        {"type": "apiKey", "name": "a", "x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": {}},
    ],
)
def test_a_scheme_that_is_not_known_is_refused_and_not_left_open(scheme: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no lock"):
        local_door({"components": {"securitySchemes": {"strange": scheme}}}, Residents())


@pytest.mark.parametrize("kind_of_refusal", Kind)
def test_the_document_answers_each_refusal_with_api_gateway_s_status(kind_of_refusal: Kind) -> None:
    failures = Failures(document(Iam()))
    assert failures.response(kind_of_refusal.value, "r").status == kind_of_refusal.status
