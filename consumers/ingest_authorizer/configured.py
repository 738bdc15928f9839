"""From settings to an authorizer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from kstream import ConfigurationError
from kstream.ingest import (
    ALL_STREAMS,
    ApiKeyAuthorizer,
    JwtAuthorizer,
    KeyHolder,
    streams_by_claim,
    streams_by_scope,
    streams_by_table,
)
from kstream.ingest.authorizing.tokens import AudienceClaim

if TYPE_CHECKING:
    from collections.abc import Collection

    from kstream.ingest import Authorizer
    from kstream.ingest.authorizing.claims import StreamsOf
    from kstream.ingest.authorizing.decisions import AllStreams
    from kstream.settings import AuthorizerSettings

_PREFIX = "KSTREAM_AUTHORIZER_"


def authorizer_from(settings: AuthorizerSettings) -> Authorizer:
    """Raises ``ConfigurationError``, which names the variable and never shows its value."""
    if settings.api_keys is not None:
        if settings.issuer is not None:
            raise ConfigurationError(f"{_PREFIX}ISSUER and {_PREFIX}API_KEYS are both set; choose one")
        return ApiKeyAuthorizer(_holders(settings.api_keys))
    if settings.issuer is None or settings.audience is None:
        raise ConfigurationError(f"set {_PREFIX}ISSUER and {_PREFIX}AUDIENCE for tokens, or {_PREFIX}API_KEYS for keys")
    return JwtAuthorizer(
        issuer=settings.issuer,
        audience=_words(settings.audience),
        jwks_url=settings.jwks_url,
        algorithms=_words(settings.algorithms or "RS256"),
        audience_claim=_audience_claim(settings.audience_claim or "aud"),
        streams=_rule(settings.streams or "scope:put:"),
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _audience_claim(text: str) -> AudienceClaim:
    for claim in get_args(AudienceClaim):
        if claim == text:
            chosen: AudienceClaim = claim
            return chosen
    raise ConfigurationError(f"{_PREFIX}AUDIENCE_CLAIM is one of {', '.join(get_args(AudienceClaim))}")


def _rule(text: str) -> StreamsOf:
    if text.startswith("scope:"):
        return streams_by_scope(text.removeprefix("scope:"))
    if text.startswith("claim:") and text != "claim:":
        return streams_by_claim(text.removeprefix("claim:"))
    table = _json("STREAMS", text)
    if not isinstance(table, dict):
        raise ConfigurationError(f"{_PREFIX}STREAMS is scope:PREFIX, claim:NAME, or a JSON object from scopes to names")
    return streams_by_table({scope: _streams("STREAMS", names) for scope, names in table.items()})


def _holders(text: str) -> list[KeyHolder]:
    holders = _json("API_KEYS", text)
    if not isinstance(holders, list):
        raise ConfigurationError(f"{_PREFIX}API_KEYS is a JSON list")
    try:
        return [
            KeyHolder(holder["name"], holder["key_hash"], _streams("API_KEYS", holder["streams"])) for holder in holders
        ]
    except (TypeError, KeyError):
        shape = '{"name": "...", "key_hash": "sha256:...", "streams": ["..."]}'
        raise ConfigurationError(f"{_PREFIX}API_KEYS has entries like {shape}") from None


def _streams(variable: str, given: Any) -> Collection[str] | AllStreams:
    # "*" from whoever deploys is a decision; from a token it never is.
    if given == "*":
        return ALL_STREAMS
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ConfigurationError(f'{_PREFIX}{variable}: streams are a list of names, or "*" for all')
    return given


def _json(variable: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigurationError(f"{_PREFIX}{variable} is not JSON") from None
