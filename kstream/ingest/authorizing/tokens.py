"""Verifying a JWT: who signed it, for whom, until when."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.key_set import ALGORITHMS
from kstream.ingest.authorizing.pyjwt import pyjwt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kstream.ingest.authorizing.jwks import KeySource

MAX_TOKEN_CHARACTERS: Final = 16_384
"""API Gateway's limit for all headers together is 10,240 bytes; what is longer did not come through it."""


class AnyAudience(Enum):
    """See ``ANY_AUDIENCE``."""

    ANY = "any audience"


ANY_AUDIENCE: Final = AnyAudience.ANY
"""Whomever the token is for. Only for an issuer whose every token is meant for you, as a user pool of your own."""

AudienceClaim = Literal["aud", "client_id", "either"]


class TokenRefused(Exception):
    """The token is not valid. The message says why, and has nothing of the token in it."""


class JwtVerifier:
    """Verifies tokens of one issuer. Thread-safe.

    ``keys``            the issuer's public keys.
    ``issuer``          what ``iss`` must be, to the letter.
    ``audience``        ``aud`` must name one of these. Without it a token for any other service would open this door; see
                        ``ANY_AUDIENCE``.
    ``algorithms``      those allowed; only ones by public keys can be.
    ``leeway``          seconds by which clocks may differ.
    ``audience_claim``  ``client_id``, or ``either``, for issuers whose access tokens have no ``aud`` (Cognito's).
    ``required``        further claims with their values.

    ``exp``, ``iss`` and the audience are required always, ``nbf`` and ``iat`` are checked where they are. Headers that
    bring or name their own key (``jwk``, ``jku``, ``x5c``, ``x5u``) are ignored. Raises ``ConfigurationError``.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str | Collection[str] | AnyAudience,
        algorithms: Collection[str] = ("RS256",),
        leeway: float = 30.0,
        audience_claim: AudienceClaim = "aud",
        required: Mapping[str, str] | None = None,
    ) -> None:
        self._jwt = pyjwt()
        self._keys = keys
        self._issuer = _named(issuer, "issuer")
        self._any_audience = isinstance(audience, AnyAudience)
        audiences = [audience] if isinstance(audience, str | AnyAudience) else audience
        self._audience = frozenset(_named(one, "audience") for one in audiences if not isinstance(one, AnyAudience))
        self._algorithms = frozenset([algorithms] if isinstance(algorithms, str) else algorithms)
        self._leeway = leeway
        self._audience_claim = audience_claim
        self._required = dict(required or {})
        if not self._audience and not self._any_audience:
            raise ConfigurationError("a JWT verifier names at least one audience")
        if not 0 <= leeway <= 300:
            raise ConfigurationError(f"leeway is {leeway} seconds; 0 to 300, for clocks that differ a little")
        if not self._algorithms or self._algorithms - ALGORITHMS:
            refused = ", ".join(sorted(map(str, self._algorithms - ALGORITHMS))) or "none at all"
            raise ConfigurationError(
                f"algorithms allows {refused}; possible are {', '.join(sorted(ALGORITHMS))}. A shared secret (HS...) "
                "would let anybody sign with the public key, and 'none' is no signature"
            )

    def verify(self, token: str) -> Mapping[str, Any]:
        """The claims. Raises ``TokenRefused``, or ``AuthorizerUnavailable`` if the key cannot be had just now."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise TokenRefused("the token is too long")
        try:
            # The header first: a token that is refused for its algorithm must not make us read the key set.
            header = self._jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if not isinstance(algorithm, str) or algorithm not in self._algorithms:
                raise TokenRefused("its algorithm is not allowed")
            key = self._keys.key(key_id)
            if key is None:
                raise TokenRefused("the issuer has no key of this kid")
            if algorithm not in key.algorithms:
                raise TokenRefused("its algorithm is not that of the key")
            claims: dict[str, Any] = self._jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "iss"], "verify_aud": False, "strict_aud": False},
            )
        except (self._jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenRefused(_REASONS.get(type(error).__name__, "it cannot be read as a JWT")) from None
        # PyJWT takes text with a number in it as well (RFC 7519, 2: NumericDate is a JSON number).
        if any(type(claims.get(name, 0)) not in (int, float) for name in ("exp", "nbf", "iat")):
            raise TokenRefused("it names a time that is no number")
        if not self._any_audience:
            self._check_audience(claims)
        for name, value in self._required.items():
            if claims.get(name) != value:
                raise TokenRefused(f"its {name} is not the required one")
        return claims

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        names = ("aud", "client_id") if self._audience_claim == "either" else (self._audience_claim,)
        for name in names:
            given = claims.get(name)
            values = given if name == "aud" and isinstance(given, list) else [given]
            if given is not None:
                # The first one present decides: an ``aud`` for another service is not healed by a ``client_id``.
                if any(isinstance(value, str) and value in self._audience for value in values):
                    return
                break
        raise TokenRefused("it is for another audience")


def issuer_claimed(token: str) -> str | None:
    """The issuer that a token says it is from. **Not verified**: good for choosing a verifier, and for nothing else."""
    jwt = pyjwt()
    if len(token) > MAX_TOKEN_CHARACTERS:
        return None
    try:
        issuer = jwt.decode(token, options={"verify_signature": False, "verify_aud": False}).get("iss")
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        return None
    return issuer if isinstance(issuer, str) else None


_REASONS: Final = {
    "ExpiredSignatureError": "it has expired",
    "ImmatureSignatureError": "it is not valid yet",
    "InvalidIssuedAtError": "its iat is not a time",
    "InvalidIssuerError": "it is from another issuer",
    "InvalidSignatureError": "its signature does not fit",
    "MissingRequiredClaimError": "it lacks exp or iss",
}


def _named(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"a JWT verifier's {what} is text, and not empty")
    return value
