"""Events for authorizers, and key sources without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.testing.clock import VirtualClock
from tests.support.issuer import ec_jwk, rsa_jwk

if TYPE_CHECKING:
    from collections.abc import Mapping

STAGE = "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod"
ARN = f"{STAGE}/POST/streams/orders/records"


def token_event(token: Any = None, arn: str = ARN) -> dict[str, Any]:
    return {"type": "TOKEN", "methodArn": arn, "authorizationToken": token}


def request_event(headers: Mapping[str, Any] | None = None, arn: str = ARN, **fields: Any) -> dict[str, Any]:
    return {
        "type": "REQUEST",
        "methodArn": arn,
        "headers": dict(headers or {}),
        "queryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.7"}},
        **fields,
    }


class KeySet:
    """``fetch`` of ``IssuerKeys``: gives ``document``, or raises ``error`` where there is one. Counts its readings."""

    def __init__(self, *jwks: dict[str, Any]) -> None:
        self.document: Any = {"keys": list(jwks or [rsa_jwk("k1"), ec_jwk("e1")])}
        self.error: Exception | None = None
        self.readings = 0

    def __call__(self) -> Any:
        self.readings += 1
        if self.error is not None:
            raise self.error
        return self.document

    def keys(self, clock: VirtualClock | None = None, **times: float) -> IssuerKeys:
        return IssuerKeys(self, clock=clock or VirtualClock(), **times)


def resources(answer: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The effect and the resources of an answer's one statement."""
    [statement] = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    return statement["Effect"], statement["Resource"]
