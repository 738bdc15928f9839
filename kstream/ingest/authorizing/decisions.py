"""An authorizer's answer."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal

from kstream.core.errors import ConfigurationError
from kstream.ingest.contract import checked_stream_name

if TYPE_CHECKING:
    from collections.abc import Mapping

ContextValue = str | int | float | bool


class AllStreams(Enum):
    """See ``ALL_STREAMS``."""

    ALL = "all streams"


ALL_STREAMS: Final = AllStreams.ALL
"""Every stream of the API, also those that are added later. No name and no ``*`` in a token ever comes to this."""


@dataclass(frozen=True, slots=True)
class Grant:
    """This caller may put.

    ``principal``  who it is; API Gateway shows it in access logs as ``$context.authorizer.principalId``.
    ``streams``    *every* stream it may put to, and not only the one asked for: API Gateway keeps the answer and uses it
                   for the caller's next requests. Or ``ALL_STREAMS``. None at all is the same as ``Deny``.
    ``context``    goes on to the access log and templates as ``$context.authorizer.{key}``: text, numbers, booleans.
    ``usage_key``  the usage plan's API key, where the API takes it from its authorizer (``apiKeySource: AUTHORIZER``).

    Raises ``ConfigurationError`` for what API Gateway would refuse, or would read as a wildcard.
    """

    principal: str
    streams: Collection[str] | AllStreams
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    usage_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_text("principal", self.principal)
        if self.usage_key is not None:
            _check_text("usage_key", self.usage_key)
        if self.streams is not ALL_STREAMS:
            if isinstance(self.streams, str) or not isinstance(self.streams, Collection):
                raise ConfigurationError("a Grant's streams are a list of names, or ALL_STREAMS; not one text")
            object.__setattr__(self, "streams", frozenset(map(_checked_name, self.streams)))
        for key, value in self.context.items():
            _check_context(key, value)

    def covers(self, stream: str) -> bool:
        return isinstance(self.streams, AllStreams) or stream in self.streams


@dataclass(frozen=True, slots=True)
class Deny:
    """This caller may not put, to any stream.

    ``reason``     for the log alone; the caller never sees it. Put no token into it.
    ``principal``  who it is, where that is known.
    ``status``     403: known, and not allowed; API Gateway keeps this answer as long as a grant. 401: not known; not
                   kept, and the caller may try again with other credentials.
    """

    reason: str
    principal: str = "unknown"
    status: Literal[401, 403] = 403


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"a Grant's {name} is text, and not empty")


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigurationError(f"a stream's name in a Grant is text, not {type(name).__name__}")
    return checked_stream_name(name)


def _check_context(key: object, value: object) -> None:
    # Developer guide, "Output from an API Gateway Lambda authorizer": no object, no list, no null.
    if not isinstance(key, str) or not key:
        raise ConfigurationError("a Grant's context has a key that is not text")
    if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        kind = type(value).__name__
        raise ConfigurationError(f"context[{key!r}] is a {kind}; API Gateway takes text, numbers and booleans only")
