"""API Gateway's own token checks: JWT authorizers of any issuer, and Cognito's user pools.

They know scopes and no streams: each operation's security requirement names the scopes of which a token needs one
(API reference, "PutMethod", ``authorizationScopes``). A token that is good and has none of them is 403: API Gateway's
ACCESS_DENIED, for "an authorization failure" of a caller who is known (developer guide, "Gateway response types").
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.claims import scopes_in
from kstream.ingest.authorizing.fetching import key_set_at
from kstream.ingest.authorizing.function import AuthorizerUnavailable
from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.ingest.authorizing.tokens import ANY_AUDIENCE, JwtVerifier, TokenRefused, issuer_claimed
from kstream.ingest.enforcing.call import Allowed, Kind, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from kstream.ingest.authorizing.jwks import KeySource
    from kstream.ingest.enforcing.call import Call, Verdict

_log = logging.getLogger(__name__)


class JwtLock:
    """A ``Lock`` for ``jwt``.

    ``verifiers``  by issuer. REST APIs look for the audience in ``aud`` alone (API reference, ``JwtIssuerInput``); it is
                   HTTP APIs that take ``client_id`` in its absence.
    ``header``     where the token is, alone or behind ``Bearer``.
    """

    def __init__(self, verifiers: Mapping[str, JwtVerifier], *, header: str = "Authorization") -> None:
        self._verifiers = dict(verifiers)
        self._header = header.lower()

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:  # noqa: ARG002 - a lock's signature
        words = call.headers.get(self._header, "").split()
        if len(words) != 1 and (len(words) != 2 or words[0].lower() != "bearer"):
            return Refused(Kind.UNAUTHORIZED, "Unauthorized", absent=not words)
        return checked(words[-1], self._verifiers, scopes)


class CognitoLock:
    """A ``Lock`` for ``cognito``: tokens of user pools.

    ``pools``       region and id of each.
    ``client_ids``  the app clients; None for any of the pool, as in API Gateway.
    ``keys``        by issuer, in place of the pools' own key sets.

    As in API Gateway it takes ID tokens, and where the operation names scopes, access tokens: only these have scopes.
    """

    def __init__(
        self,
        pools: Collection[tuple[str, str]],
        *,
        client_ids: Collection[str] | None = None,
        keys: Mapping[str, KeySource] | None = None,
        header: str = "Authorization",
    ) -> None:
        if not pools:
            raise ConfigurationError("a Cognito lock has at least one user pool")
        audience = ANY_AUDIENCE if client_ids is None else client_ids
        self._header = header.lower()
        self._id: dict[str, JwtVerifier] = {}
        self._access: dict[str, JwtVerifier] = {}
        for region, pool in pools:
            issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool}"
            source = (keys or {}).get(issuer) or IssuerKeys(key_set_at(f"{issuer}/.well-known/jwks.json"))
            self._id[issuer] = JwtVerifier(source, issuer=issuer, audience=audience, required={"token_use": "id"})
            self._access[issuer] = JwtVerifier(
                source,
                issuer=issuer,
                audience=audience,
                audience_claim="client_id",
                required={"token_use": "access"},
            )

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:
        return JwtLock(self._access if scopes else self._id, header=self._header).check(call, scopes, before)


def checked(token: str, verifiers: Mapping[str, JwtVerifier], scopes: Sequence[str]) -> Verdict:
    """The verdict on a token, by the verifier of the issuer that it claims to be from."""
    verifier = verifiers.get(issuer_claimed(token) or "")
    if verifier is None:
        _log.info("a token is refused: it is no JWT, or from an issuer that is not configured")
        return Refused(Kind.UNAUTHORIZED, "Unauthorized")
    try:
        claims = verifier.verify(token)
    except TokenRefused as refused:
        _log.info("a token is refused: %s", refused)
        return Refused(Kind.UNAUTHORIZED, "Unauthorized")
    except AuthorizerUnavailable as error:
        _log.warning("nobody gets in just now: %s", error)
        return Refused(Kind.AUTHORIZER_FAILURE, "Internal server error")
    if scopes and not scopes_in(claims) & set(scopes):
        return Refused(Kind.ACCESS_DENIED, "User is not authorized to access this resource")
    return Allowed(_context(claims))


def _context(claims: Mapping[str, Any]) -> dict[str, str]:
    simple = {f"claims.{name}": str(value) for name, value in claims.items() if isinstance(value, str | int | float)}
    return simple | {"principalId": str(claims.get("sub", ""))}
