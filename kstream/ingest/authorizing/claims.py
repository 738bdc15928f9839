"""From a verified token's claims to the streams that its bearer may put to.

Such a rule is a function from the claims to names, or ``ALL_STREAMS``. A name that a token brings is only ever a name:
``*`` in it grants nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.decisions import AllStreams
from kstream.ingest.contract import STREAM_NAME, checked_stream_name

Claims = Mapping[str, Any]
StreamsOf = Callable[[Claims], Iterable[str] | AllStreams]


def scopes_in(claims: Claims) -> frozenset[str]:
    """``scope`` (text with blanks, RFC 8693) and ``scp`` (a list, or text)."""
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        found.update(word for word in words if isinstance(word, str))
    return frozenset(found)


def streams_by_scope(prefix: str = "put:") -> StreamsOf:
    """A scope for each stream: ``put:orders``. Scopes that name no possible stream count for nothing."""
    if not prefix:
        raise ConfigurationError("without a prefix every scope would be a stream; give one, like 'put:'")

    def streams(claims: Claims) -> Iterable[str]:
        names = (scope.removeprefix(prefix) for scope in scopes_in(claims) if scope.startswith(prefix))
        return [name for name in names if STREAM_NAME.fullmatch(name)]

    return streams


def streams_by_claim(claim: str) -> StreamsOf:
    """A claim of its own, with the names in a list, or in text with blanks between them."""

    def streams(claims: Claims) -> Iterable[str]:
        value = claims.get(claim)
        names = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        return [name for name in names if isinstance(name, str) and STREAM_NAME.fullmatch(name)]

    return streams


def streams_by_table(table: Mapping[str, Iterable[str] | AllStreams]) -> StreamsOf:
    """What each scope allows: ``{"shop": ["orders", "clicks"], "operator": ALL_STREAMS}``."""
    checked = {
        scope: names if isinstance(names, AllStreams) else frozenset(map(checked_stream_name, names))
        for scope, names in table.items()
    }

    def streams(claims: Claims) -> Iterable[str] | AllStreams:
        found: set[str] = set()
        for scope in scopes_in(claims) & checked.keys():
            names = checked[scope]
            if isinstance(names, AllStreams):
                return names
            found |= names
        return found

    return streams
