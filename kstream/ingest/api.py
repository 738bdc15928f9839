"""What an ingest API is made of: its streams, who may put into each, and from which web pages.

From this the one OpenAPI document is written (``kstream.ingest.openapi``): deployed, published, and run on this machine.

A value of type ``Text`` may be a CloudFormation function in place of text, ``{"Fn::GetAtt": [...]}`` for one; it stands
in the document as it is, where CloudFormation replaces it. A stream's name may not: it stands inside the templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kstream.core.errors import ConfigurationError
from kstream.ingest import given
from kstream.ingest.contract import KEPT_HEADERS, PARTITION_KEY_HEADER, checked_stream_name

Text = str | Mapping[str, Any]

# RFC 6749, 3.3: what a scope may be made of.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|\*")
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# What the records themselves are told by, and what HTTP needs.
_TAKEN_HEADERS = frozenset({PARTITION_KEY_HEADER, "content-type", "content-length", "host", "origin", *KEPT_HEADERS})
_JWT_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})


@dataclass(frozen=True, slots=True)
class Unlocked:
    """Anyone. For this machine alone: ``IngestStream`` takes it only by itself, and ``deploy`` refuses it."""


@dataclass(frozen=True, slots=True)
class Iam:
    """Signed requests (SigV4) of principals whose policy allows ``execute-api:Invoke``."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """Tokens of an OpenID Connect issuer, checked by API Gateway itself (``JWT`` authorizers of REST APIs, see
    ``JwtConfigurationInput`` in API Gateway's service model).

    ``issuer``     an https URL, exactly as in ``iss``.
    ``audiences``  ``aud`` must name one of them.
    ``scopes``     of which ``scope`` or ``scp`` must name one. None: every token of these audiences may put.
    """

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    scopes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given.keep(
            self,
            issuer=given.word("Jwt(issuer", self.issuer),
            audiences=given.each("Jwt(audiences", self.audiences, given.text),
            algorithms=given.each("Jwt(algorithms", self.algorithms, given.word),
            scopes=_scopes("Jwt(scopes", self.scopes),
        )
        if not _is_issuer(self.issuer):
            shown = "that is given" if "@" in self.issuer else repr(self.issuer)
            raise ConfigurationError(
                f"the issuer {shown} is not an https URL without user, query and fragment, as API Gateway asks for"
            )
        if not self.audiences:
            raise ConfigurationError(f"issuer {self.issuer} has no audience; name at least one")
        if unknown := set(self.algorithms) - _JWT_ALGORITHMS or not self.algorithms:
            raise ConfigurationError(f"algorithms {unknown} of {self.issuer}: take some of {sorted(_JWT_ALGORITHMS)}")


@dataclass(frozen=True, slots=True)
class Cognito:
    """Tokens of Cognito user pools, named by their ARNs.

    ``scopes``  of which an access token must have one, each ``{resource server}/{scope}``. Without them API Gateway takes
                ID tokens, and with them access tokens (API reference, "PutMethod", ``authorizationScopes``).
    """

    user_pools: tuple[Text, ...]
    scopes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given.keep(
            self,
            user_pools=given.each("Cognito(user_pools", self.user_pools, given.word_or_function),
            scopes=_scopes("Cognito(scopes", self.scopes),
        )
        if not self.user_pools:
            raise ConfigurationError("a Cognito authorizer has no user pool; name the ARN of at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaFunction:
    """A Lambda authorizer: one that sees a token (``kind="token"``), or the request's head (``"request"``).

    ``invocation_uri``  ``arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations``.
    ``header``          what it goes by: letters, digits, ``-`` and ``_``, and none that the records need.
    ``cache_seconds``   how long API Gateway reuses an answer; whole seconds, 0 for never, at most 3,600.
    """

    invocation_uri: Text
    kind: str = "token"
    header: str = "Authorization"
    credentials: Text | None = None
    cache_seconds: int = 300

    def __post_init__(self) -> None:
        if self.kind not in ("token", "request"):
            raise ConfigurationError(f"a Lambda authorizer is of kind 'token' or 'request', not {self.kind!r}")
        given.word_or_function("LambdaFunction(invocation_uri", self.invocation_uri)
        if self.credentials is not None:
            given.word_or_function("LambdaFunction(credentials", self.credentials)
        header = given.word("LambdaFunction(header", self.header)
        if not _HEADER.fullmatch(header) or header.lower() in _TAKEN_HEADERS:
            raise ConfigurationError(
                f"LambdaFunction(header={header!r}): a header's name, of letters, digits, - and _, and none of "
                f"{', '.join(sorted(_TAKEN_HEADERS))}"
            )
        if type(self.cache_seconds) is not int or not 0 <= self.cache_seconds <= 3600:
            raise ConfigurationError(
                f"cache_seconds is {self.cache_seconds!r}; API Gateway takes whole seconds, 0 to 3600"
            )


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """API Gateway's keys with a usage plan, in ``x-api-key``. Amazon says to use no key as the only lock."""


Lock = Unlocked | Iam | Jwt | Cognito | LambdaFunction | ApiKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestStream:
    """One stream of the API.

    ``locks``          who may put. API Gateway takes one authorizer for an operation, and an API key besides.
    ``role``           the ARN of the role by which API Gateway puts into the stream.
    ``region``         the stream's; None for the one that the API is deployed to.
    ``cors_origins``   web origins whose pages may put, like ``https://shop.example``; ``*`` for any.
    ``key_required``   records without a partition key are refused, instead of being spread over the shards.
    ``envelope``       records are put behind the trace headers of their request, for ``record.headers``. Consumers without
                       kstream have to know: docs/guides/ingest.md.

    Raises ``ConfigurationError`` for what API Gateway cannot do, and for a stream without a lock.
    """

    name: str
    locks: tuple[Lock, ...]
    role: Text = "arn:aws:iam::000000000000:role/ingest"
    region: str | None = None
    cors_origins: tuple[str, ...] = ()
    key_required: bool = False
    envelope: bool = False

    def __post_init__(self) -> None:
        where = f"IngestStream(name={checked_stream_name(given.text('IngestStream(name', self.name))!r}, "
        given.keep(
            self,
            locks=given.each(f"{where}locks", self.locks, lambda _, lock: self._lock(lock)),
            cors_origins=given.each(f"{where}cors_origins", self.cors_origins, given.word),
        )
        given.word_or_function(f"{where}role", self.role)
        if self.region is not None:
            given.region(f"{where}region", self.region)
        given.flag(f"{where}key_required", self.key_required)
        given.flag(f"{where}envelope", self.envelope)
        if not self.locks:
            raise ConfigurationError(
                f"stream {self.name} has no lock: name who may put (Iam(), Jwt(...), ApiKeys(), ...)"
            )
        if any(lock in self.locks[:place] for place, lock in enumerate(self.locks)):
            raise ConfigurationError(f"stream {self.name} has one lock twice; once is enough")
        if Unlocked() in self.locks and len(self.locks) > 1:
            raise ConfigurationError(f"stream {self.name} is Unlocked() and locked at once; leave Unlocked() out")
        if len(self.authorizers) > 1:
            names = ", ".join(type(lock).__name__ for lock in self.authorizers)
            raise ConfigurationError(
                f"stream {self.name} has {names}, but API Gateway takes one authorizer for an operation, "
                "and ApiKeys() besides; choose one, or write a Lambda authorizer that knows them all"
            )
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigurationError(
                    f"{origin!r} of stream {self.name} is no web origin like 'https://shop.example'"
                )
        if "*" in self.cors_origins and len(self.cors_origins) > 1:
            raise ConfigurationError(
                f"cors_origins of stream {self.name} has '*', which is every origin, beside others"
            )

    def _lock(self, lock: object) -> Lock:
        if not isinstance(lock, Lock):
            raise ConfigurationError(
                f"stream {self.name}: {lock!r} is no lock; give instances, like Iam(), Jwt(...) or ApiKeys()"
            )
        return lock

    @property
    def scopes(self) -> tuple[str, ...]:
        """Of which a token must have one; empty if any token of the right issuer will do, or none is asked for."""
        return next((lock.scopes for lock in self.locks if isinstance(lock, Jwt | Cognito)), ())

    @property
    def authorizers(self) -> tuple[Lock, ...]:
        """The locks that API Gateway counts as authorizers."""
        return tuple(lock for lock in self.locks if not isinstance(lock, ApiKeys | Unlocked))


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestApi:
    """The whole API. ``title`` and ``version`` are what its published document is called."""

    streams: tuple[IngestStream, ...]
    title: str = "Ingest"
    version: str = "1"

    def __post_init__(self) -> None:
        given.keep(self, streams=given.each("IngestApi(streams", self.streams, _stream))
        given.text("IngestApi(title", self.title)
        given.text("IngestApi(version", self.version)
        if not self.streams:
            raise ConfigurationError("the ingest API has no stream; name at least one")
        names = [stream.name for stream in self.streams]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"a stream stands twice in the ingest API: {', '.join(sorted(names))}")


def _is_issuer(issuer: str) -> bool:
    try:
        parts = urlsplit(issuer)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme == "https" and bool(parts.hostname) and plain


def _scopes(where: str, scopes: object) -> tuple[str, ...]:
    kept = given.each(where, scopes, _scope)
    if len(set(kept)) < len(kept):
        raise ConfigurationError(f"{where}={kept!r}): one stands there twice")
    return kept


def _scope(where: str, scope: object) -> str:
    if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
        raise ConfigurationError(f"{where}={scope!r}): scopes are text without blanks, quotes and backslashes")
    return scope


def _stream(where: str, stream: object) -> IngestStream:
    if not isinstance(stream, IngestStream):
        raise ConfigurationError(f"{where}={stream!r}): an IngestStream(...)")
    return stream


def unlocked(*names: str, envelope: bool = False) -> IngestApi:
    """An API that anyone may put through: for this machine."""
    streams = (IngestStream(name=name, locks=(Unlocked(),), envelope=envelope) for name in names)
    return IngestApi(streams=tuple(streams))
