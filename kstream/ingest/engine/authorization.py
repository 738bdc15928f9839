"""The port between routing and validation: may this request do what it asks for?

Behind it stands ``kstream.ingest.enforcing.door.Door.check``, or ``everyone``. An operation whose security is ``[]``
(health, CORS, a stream that is ``Unlocked``) asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from kstream.ingest.enforcing.call import Allowed

if TYPE_CHECKING:
    from kstream.ingest.enforcing.call import Call, Verdict

Security = Sequence[Mapping[str, Sequence[str]]]
"""An operation's security requirement: OpenAPI's, of one alternative, naming schemes that must all agree."""


class Authorize(Protocol):
    """Thread-safe; may block. If it raises, the request is denied with 500: nothing passes by accident.

    Of a refusal its ``kind`` counts: the document says with which status and in which words it is answered.
    """

    def __call__(self, call: Call, security: Security, /) -> Verdict: ...


def everyone(call: Call, security: Security, /) -> Allowed:  # noqa: ARG001 - the port's shape
    """Lets anyone do anything. For ``kstream dev``, which asks for it by name."""
    return Allowed()
