"""From the deployed document to the door of this machine: a lock for each security scheme.

The document says how each scheme is checked, and with which times and headers. Who there is on this machine, it does not
say: that is in ``Residents``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.fetching import key_set_of
from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.ingest.authorizing.tokens import JwtVerifier
from kstream.ingest.enforcing.api_key_lock import ApiKeyLock
from kstream.ingest.enforcing.call import LocalApi
from kstream.ingest.enforcing.door import Door
from kstream.ingest.enforcing.iam_lock import IamLock
from kstream.ingest.enforcing.jwt_lock import CognitoLock, JwtLock
from kstream.ingest.enforcing.lambda_lock import LambdaLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kstream.core.ports import Clock
    from kstream.ingest.authorizing.jwks import KeySource
    from kstream.ingest.enforcing.api_key_lock import PlannedKey
    from kstream.ingest.enforcing.call import Lock
    from kstream.ingest.enforcing.iam_lock import LocalCredentials

_POOL_ARN = re.compile(r"arn:[\w-]+:cognito-idp:([\w-]+):\w+:userpool/([\w-]+)")


@dataclass(frozen=True, slots=True)
class Residents:
    """Who and what there is on this machine, for the schemes that need it.

    ``functions``    Lambda authorizers, by their invocation URI or by their scheme's name.
    ``credentials``  who may sign (``iam``). For tests: never real ones.
    ``api_keys``     API keys with their usage plans.
    ``keys``         key sources by issuer, in place of the issuers' own key sets.
    ``client_ids``   Cognito's app clients; None for any.
    """

    functions: Mapping[str, Callable[[dict[str, Any], Any], object]] = field(default_factory=dict)
    credentials: Sequence[LocalCredentials] = ()
    api_keys: Sequence[PlannedKey] = ()
    keys: Mapping[str, KeySource] = field(default_factory=dict)
    client_ids: Sequence[str] | None = None


def local_door(
    document: Mapping[str, Any], residents: Residents, *, api: LocalApi | None = None, clock: Clock | None = None
) -> Door:
    """``document``: as ``kstream.ingest.openapi.deployed`` writes it.

    Raises ``ConfigurationError`` for a scheme that has no lock here, or whose residents are missing.
    """
    builder = _Builder(residents, api or LocalApi(), clock, document)
    schemes: Mapping[str, Any] = document.get("components", {}).get("securitySchemes", {})
    return Door({name: builder.lock(name, scheme) for name, scheme in schemes.items()})


class _Builder:
    def __init__(self, residents: Residents, api: LocalApi, clock: Clock | None, document: Mapping[str, Any]) -> None:
        self._residents = residents
        self._api = api
        self._clock = clock
        self._key_source = document.get("x-amazon-apigateway-api-key-source", "HEADER")

    def lock(self, name: str, scheme: Mapping[str, Any]) -> Lock:
        authorizer: Mapping[str, Any] = scheme.get("x-amazon-apigateway-authorizer", {})
        header = str(scheme.get("name", "Authorization"))
        match scheme.get("x-amazon-apigateway-authtype"), authorizer.get("type"):
            case "awsSigv4", _:
                return IamLock(self._residents.credentials, api=self._api, clock=self._clock)
            case "custom", "token" | "request":
                return self._lambda(name, authorizer)
            case "cognito_user_pools", _:
                return self._cognito(name, authorizer, header)
            case "jwt", _:
                return self._jwt(authorizer, header)
            case None, None if header.lower() == "x-api-key":
                keys, clock = self._residents.api_keys, self._clock
                source: Literal["HEADER", "AUTHORIZER"] = "AUTHORIZER" if self._key_source == "AUTHORIZER" else "HEADER"
                return ApiKeyLock(keys, source=source, clock=clock)
        raise ConfigurationError(f"the security scheme {name!r} has no lock on this machine")

    def _lambda(self, name: str, authorizer: Mapping[str, Any]) -> Lock:
        uri = authorizer.get("authorizerUri")
        functions = self._residents.functions
        function = functions.get(name) or (functions.get(uri) if isinstance(uri, str) else None)
        if function is None:
            raise ConfigurationError(
                f"the security scheme {name!r} calls the Lambda function {uri!r}, which is not on this machine; "
                "name its handler in Residents(functions=...)"
            )
        sources = [source for source in authorizer.get("identitySource", "").split(",") if source.strip()]
        return LambdaLock(
            function,
            type="TOKEN" if authorizer["type"] == "token" else "REQUEST",
            identity_sources=sources,
            validation=authorizer.get("identityValidationExpression"),
            result_ttl=authorizer.get("authorizerResultTtlInSeconds", 300),
            api=self._api,
            clock=self._clock,
        )

    def _cognito(self, name: str, authorizer: Mapping[str, Any], header: str) -> Lock:
        pools = [_POOL_ARN.fullmatch(str(arn)) for arn in authorizer.get("providerARNs", [])]
        if not all(pools):
            raise ConfigurationError(f"the security scheme {name!r} names a user pool that is no ARN of one")
        named = [(pool[1], pool[2]) for pool in pools if pool]
        keys = self._residents.keys
        return CognitoLock(named, client_ids=self._residents.client_ids, keys=keys, header=header)

    def _jwt(self, authorizer: Mapping[str, Any], header: str) -> Lock:
        configuration = authorizer["jwtConfiguration"]
        verifiers = {
            trusted["issuer"]: JwtVerifier(
                self._residents.keys.get(trusted["issuer"]) or IssuerKeys(key_set_of(trusted["issuer"])),
                issuer=trusted["issuer"],
                audience=trusted["audiences"],
                algorithms=configuration["defaultAlgorithms"],
            )
            for trusted in configuration["issuers"]
        }
        return JwtLock(verifiers, header=header)
