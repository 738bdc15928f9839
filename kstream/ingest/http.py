"""A request and a response, as the gateway sees them: no server, no sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kstream.ingest.contract import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its body. Its ``repr`` shows neither headers nor query: they may hold credentials.

    ``path``        decoded, without the query.
    ``headers``     names in lower case; values as HTTP carries them (each character one byte); of a repeated one the
                    last, as API Gateway has it.
    ``request_id``  given by the server, unique.
    ``query``       as HTTP carries it, without ``?``.
    ``source_ip``   of whoever is connected; empty if that is not known.
    ``repeated``    all values of the headers that came more than once, in their order.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    request_id: str
    query: str = field(default="", repr=False)
    source_ip: str = ""
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """``body`` is JSON. ``headers`` come besides Content-Type and Content-Length."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    content_type: str = JSON


class Application(Protocol):
    """What a server serves. Thread-safe; may block; raises nothing."""

    @property
    def max_body_bytes(self) -> int:
        """A server reads no more than this."""
        ...

    def refuse(self, head: Head) -> Response | None:
        """The answer, if it is known before the body is read and the request is refused. Does not block."""
        ...

    def too_large(self, head: Head) -> Response:
        """The answer to a body over ``max_body_bytes``. Does not block."""
        ...

    def handle(self, head: Head, body: bytes) -> Response:
        """The answer to a whole request. Also to one that ``refuse`` was not asked about."""
        ...
