"""API Gateway's own token checks: JWT authorizers of any issuer, and Cognito's user pools.

They know scopes and no streams: each operation's security requirement names the scopes of which a token needs one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from kstream.ingest.authorizing.claims import scopes_in
from kstream.ingest.authorizing.fetching import key_set_at
from kstream.ingest.authorizing.function import AuthorizerUnavailable
from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.ingest.authorizing.tokens import JwtVerifier, TokenRefused
from kstream.ingest.enforcing.call import Allowed, Kind, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from kstream.ingest.authorizing.jwks import KeySource
    from kstream.ingest.enforcing.call import Call, Verdict

_log = logging.getLogger(__name__)


class JwtLock:
    """A ``Lock`` for ``jwt``. ``header``: where the token is, alone or behind ``Bearer``.

    Give it a verifier with ``audience_claim="either"``: API Gateway takes ``aud``, and ``client_id`` in its absence.
    """

    def __init__(self, verifier: JwtVerifier, *, header: str = "Authorization") -> None:
        self._verifier = verifier
        self._header = header.lower()

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:  # noqa: ARG002 - a lock's signature
        words = call.headers.get(self._header, "").split()
        token = words[-1] if words else ""
        if len(words) != 1 and (len(words) != 2 or words[0].lower() != "bearer"):
            return Refused(Kind.UNAUTHORIZED, "Unauthorized", absent=not words)
        try:
            claims = self._verifier.verify(token)
        except TokenRefused as refused:
            _log.info("a token is refused: %s", refused)
            return Refused(Kind.UNAUTHORIZED, "Unauthorized")
        except AuthorizerUnavailable as error:
            _log.warning("nobody gets in just now: %s", error)
            return Refused(Kind.AUTHORIZER_FAILURE, "Internal server error")
        if scopes and not scopes_in(claims) & set(scopes):
            return Refused(Kind.ACCESS_DENIED, "User is not authorized to access this resource")
        return Allowed(_context(claims))


def cognito_lock(
    region: str,
    user_pool_id: str,
    client_ids: Collection[str],
    *,
    token_use: Literal["access", "id"] = "access",  # noqa: S107 - a kind of token
    keys: KeySource | None = None,
) -> JwtLock:
    """The lock for ``cognito``: the user pool's tokens of one kind, for these app clients.

    An ID token names its client in ``aud``, an access token in ``client_id``; scopes are in access tokens alone.
    """
    issuer = f"https://cognito-idp.{region}.amazonaws.com/{user_pool_id}"
    verifier = JwtVerifier(
        keys or IssuerKeys(key_set_at(f"{issuer}/.well-known/jwks.json")),
        issuer=issuer,
        audience=client_ids,
        audience_claim="client_id" if token_use == "access" else "aud",  # noqa: S105 - a kind of token
        required={"token_use": token_use},
    )
    return JwtLock(verifier)


def _context(claims: Mapping[str, Any]) -> dict[str, str]:
    simple = {f"claims.{name}": str(value) for name, value in claims.items() if isinstance(value, str | int | float)}
    return simple | {"principalId": str(claims.get("sub", ""))}
