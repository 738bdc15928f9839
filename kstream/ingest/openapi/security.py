"""Who may put, as security schemes and the requirement of each operation.

API Gateway knows schemes of the type ``apiKey`` alone; what they really are stands in its extensions (developer guide,
"x-amazon-apigateway-authorizer object"). For producers the same schemes are told in OpenAPI's own words.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, assert_never

from kstream.ingest.api import ApiKeys, Cognito, Iam, Jwt, LambdaFunction, Unlocked

if TYPE_CHECKING:
    from kstream.ingest.api import IngestApi, IngestStream, Lock

Scheme = dict[str, Any]


def requirement(stream: IngestStream, *, deployed: bool) -> list[dict[str, list[str]]]:
    """What an operation of this stream asks for: all of its locks at once. Empty, but there, if it is unlocked.

    ``deployed``: one alternative, whose scopes are what API Gateway makes its ``authorizationScopes`` of; a token needs
    one of them. In OpenAPI a token needs all scopes of an alternative, and some alternative will do: so producers are
    told one for each scope. There only schemes of OpenID Connect may name scopes.
    """
    names = {name: lock for lock in stream.locks if (name := scheme_name(lock)) is not None}
    if not names:
        return []
    if deployed:
        return [{name: list(_scopes(lock)) for name, lock in names.items()}]
    told = next((lock.scopes for lock in names.values() if isinstance(lock, Jwt)), ()) or (None,)
    return [
        {name: [scope] if scope and isinstance(lock, Jwt) else [] for name, lock in names.items()} for scope in told
    ]


def _scopes(lock: Lock) -> tuple[str, ...]:
    return lock.scopes if isinstance(lock, Jwt | Cognito) else ()


def schemes(api: IngestApi, *, deployed: bool) -> dict[str, Scheme]:
    """All schemes of all streams, by name; those of Amazon's document if ``deployed``."""
    return {name: _deployed(lock) if deployed else _published(lock) for name, lock in _locks(api).items()}


def scheme_name(lock: Lock) -> str | None:
    """The name of the lock's scheme: the same for equal locks, so that streams share an authorizer and its cache. Scopes
    are each operation's own, and make no other scheme."""
    match lock:
        case Unlocked():
            return None
        case Iam():
            return "iam"
        case ApiKeys():
            return "apiKey"
        case Jwt():
            return f"jwt{_fingerprint(_deployed(lock))}"
        case Cognito():
            return f"cognito{_fingerprint(_deployed(lock))}"
        case LambdaFunction():
            return f"lambda{_fingerprint(_deployed(lock))}"
        case _ as unknown:
            # Never an open door for want of a name.
            assert_never(unknown)


def _locks(api: IngestApi) -> dict[str, Lock]:
    named = ((scheme_name(lock), lock) for stream in api.streams for lock in stream.locks)
    return {name: lock for name, lock in named if name is not None}


def _deployed(lock: Lock) -> Scheme:
    match lock:
        case Iam():
            return {**_header("Authorization"), "x-amazon-apigateway-authtype": "awsSigv4"}
        case ApiKeys():
            return _header("x-api-key")
        case Cognito(user_pools):
            return {
                **_header("Authorization"),
                "x-amazon-apigateway-authtype": "cognito_user_pools",
                "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": list(user_pools)},
            }
        case Jwt(issuer, audiences, algorithms):
            return {
                **_header("Authorization"),
                "x-amazon-apigateway-authtype": "jwt",
                "x-amazon-apigateway-authorizer": {
                    "type": "jwt",
                    "identitySource": "method.request.header.Authorization",
                    "jwtConfiguration": {
                        "issuers": [{"issuer": issuer, "audiences": list(audiences)}],
                        "defaultAlgorithms": list(algorithms),
                    },
                },
            }
        case LambdaFunction():
            authorizer: Scheme = {
                "type": lock.kind,
                "authorizerUri": lock.invocation_uri,
                "authorizerResultTtlInSeconds": lock.cache_seconds,
                "identitySource": f"method.request.header.{lock.header}",
            }
            if lock.credentials is not None:
                authorizer["authorizerCredentials"] = lock.credentials
            return {
                **_header(lock.header),
                "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": authorizer,
            }
        case Unlocked():
            raise ValueError("an unlocked stream has no scheme")


def _published(lock: Lock) -> Scheme:
    match lock:
        case Jwt(issuer, audiences):
            description = f"A token of {issuer} for {' or '.join(audiences)}."
            discovery = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            return {"type": "openIdConnect", "openIdConnectUrl": discovery, "description": description}
        case Cognito():
            return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        case Iam():
            return {**_header("Authorization"), "description": "AWS Signature Version 4, service execute-api."}
        case LambdaFunction():
            return _header(lock.header)
        case _:
            return _header("x-api-key")


def _header(name: str) -> Scheme:
    return {"type": "apiKey", "name": name, "in": "header"}


def _fingerprint(scheme: Scheme) -> str:
    return hashlib.sha256(json.dumps(scheme, sort_keys=True, default=dict).encode()).hexdigest()[:8]
