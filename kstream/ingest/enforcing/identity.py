"""Identity sources: where in a request a Lambda authorizer's caller says who it is.

``method.request.header.NAME``, ``method.request.querystring.NAME`` and, for REQUEST authorizers, ``context.NAME`` of a
few (API reference, "Authorizer", ``identitySource``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.ingest.enforcing.call import Call

_CONTEXT: Final[dict[str, Callable[[Call], str]]] = {
    "context.httpMethod": lambda call: call.method,
    "context.path": lambda call: call.path,
    "context.resourcePath": lambda call: call.resource,
    "context.identity.sourceIp": lambda call: call.source_ip,
}


class IdentitySources:
    """Reads their values out of a request. Raises ``ConfigurationError`` for an expression that is not known."""

    def __init__(self, expressions: Sequence[str]) -> None:
        self._readers = [_reader(expression.strip()) for expression in expressions]

    def values(self, call: Call) -> tuple[str, ...] | None:
        """One for each expression, in their order; None if one of them is absent or empty."""
        values = tuple(reader(call) for reader in self._readers)
        return values if all(values) else None


def _reader(expression: str) -> Callable[[Call], str]:
    header = expression.removeprefix("method.request.header.")
    if header not in ("", expression):
        name = header.lower()
        return lambda call: call.headers.get(name, "")
    parameter = expression.removeprefix("method.request.querystring.")
    if parameter not in ("", expression):
        return lambda call: dict(call.query).get(parameter, "")
    if expression in _CONTEXT:
        return _CONTEXT[expression]
    known = ", ".join(["method.request.header.NAME", "method.request.querystring.NAME", *_CONTEXT])
    raise ConfigurationError(f"{expression!r} is no identity source; known are {known}")
