"""The authorizer for JWTs of any issuer. Needs PyJWT (extra ``jwt``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.ingest.authorizer import Authorizer
from kstream.ingest.authorizing.claims import streams_by_scope
from kstream.ingest.authorizing.decisions import AllStreams, Deny, Grant
from kstream.ingest.authorizing.fetching import key_set_at, key_set_of
from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.ingest.authorizing.tokens import JwtVerifier, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kstream.ingest.authorizing.claims import StreamsOf
    from kstream.ingest.authorizing.decisions import ContextValue
    from kstream.ingest.authorizing.jwks import KeySource
    from kstream.ingest.authorizing.request import AuthorizationRequest
    from kstream.ingest.authorizing.tokens import AudienceClaim


class JwtAuthorizer(Authorizer):
    """Lets in whoever brings a valid token, to the streams that the token's scopes name. Thread-safe.

    ``issuer``      what ``iss`` must be. Its keys are found by its discovery document, unless ``jwks_url`` says where.
    ``audience``    what ``aud`` must name: one, or several of which one suffices.
    ``algorithms``  those allowed. Never ``none``, and no shared secrets.
    ``streams``     from claims to streams: ``streams_by_scope()`` (``put:orders``), ``streams_by_claim``,
                    ``streams_by_table``, or a function of your own.
    ``leeway``      seconds by which clocks may differ.
    ``audience_claim``, ``required``  see ``JwtVerifier``.
    ``keys``        a ``KeySource`` in place of the issuer's own key set.

    No token, or one that is not valid: 401. A valid one without a stream: 403. The keys cannot be had: 500.

    **Revoking.** A token is valid until it expires, and API Gateway keeps the answer up to an hour more
    (``authorizerResultTtlInSeconds``, 300 if not set). Keep tokens short-lived, and the time to live with them.

    Raises ``ConfigurationError``, also if PyJWT is missing.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Collection[str],
        jwks_url: str | None = None,
        algorithms: Collection[str] = ("RS256",),
        streams: StreamsOf | None = None,
        leeway: float = 30.0,
        audience_claim: AudienceClaim = "aud",
        required: Mapping[str, str] | None = None,
        keys: KeySource | None = None,
    ) -> None:
        if keys is None:
            keys = IssuerKeys(key_set_of(issuer) if jwks_url is None else key_set_at(jwks_url))
        self._streams = streams or streams_by_scope()
        self._verifier = JwtVerifier(
            keys,
            issuer=issuer,
            audience=audience,
            algorithms=algorithms,
            leeway=leeway,
            audience_claim=audience_claim,
            required=required,
        )

    def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
        token = request.bearer_token()
        if token is None:
            return Deny("there is no bearer token", status=401)
        try:
            claims = self._verifier.verify(token)
        except TokenRefused as refused:
            return Deny(f"the token is refused: {refused}", status=401)
        principal = self.principal(claims)
        if principal is None:
            return Deny("the token is refused: it names nobody (sub)", status=401)
        streams = self._streams(claims)
        if not isinstance(streams, AllStreams):
            streams = list(streams)
            if not streams:
                return Deny("the token is valid, and allows no stream", principal)
        return Grant(principal, streams, self.context(claims))

    def principal(self, claims: Mapping[str, Any]) -> str | None:
        """Who it is: ``sub``, else ``client_id``. None refuses the token. Override it where another claim says it."""
        for name in ("sub", "client_id"):
            value = claims.get(name)
            if isinstance(value, str) and value:
                return value
        return None

    def context(self, claims: Mapping[str, Any]) -> Mapping[str, ContextValue]:  # noqa: ARG002 - for subclasses
        """What goes on to access logs and templates: nothing. Override it to pass on claims."""
        return {}
