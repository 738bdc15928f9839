"""What the door sees of a request, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class LocalApi:
    """How the API's ARNs would read, were it deployed."""

    region: str = "us-east-1"
    account: str = "000000000000"
    api_id: str = "local"
    stage: str = "local"

    def method_arn(self, method: str, path: str) -> str:
        return f"arn:aws:execute-api:{self.region}:{self.account}:{self.api_id}/{self.stage}/{method}{path}"


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose operation is known.

    ``path``     as it was asked for, decoded, without the query; begins with ``/``. For signatures: what may be done goes
                 by ``resource``.
    ``headers``  names in lower case; of a repeated one the last.
    ``query``    pairs, decoded, in the order they came.
    ``body``     a function, because most locks do not need the body.
    ``repeated`` all values of the headers that came more than once.
    ``routed``   the document's own path of the operation; empty if it is ``path``.
    Its ``repr`` shows nothing that the caller sent but method and path.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    source_ip: str = "127.0.0.1"
    request_id: str = ""
    body: Callable[[], bytes] = field(default=bytes, repr=False)
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    routed: str = ""

    @property
    def resource(self) -> str:
        """The path as policies know it. Slashes at the end of ``path`` are passed over by routing: a policy that goes by
        ``path`` would be passed by with one more of them."""
        return self.routed or self.path

    def values(self, header: str) -> Sequence[str]:
        """All values of a header that is there, in their order."""
        return self.repeated.get(header) or (self.headers[header],)


class Kind(StrEnum):
    """API Gateway's names of its own responses ("Gateway response types")."""

    UNAUTHORIZED = "UNAUTHORIZED"
    ACCESS_DENIED = "ACCESS_DENIED"
    MISSING_AUTHENTICATION_TOKEN = "MISSING_AUTHENTICATION_TOKEN"  # noqa: S105 - a response's name
    INVALID_SIGNATURE = "INVALID_SIGNATURE"
    EXPIRED_TOKEN = "EXPIRED_TOKEN"  # noqa: S105 - a response's name
    INVALID_API_KEY = "INVALID_API_KEY"
    THROTTLED = "THROTTLED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    AUTHORIZER_FAILURE = "AUTHORIZER_FAILURE"
    AUTHORIZER_CONFIGURATION_ERROR = "AUTHORIZER_CONFIGURATION_ERROR"

    @property
    def status(self) -> int:
        return _STATUS.get(self, 403)


_STATUS = {
    Kind.UNAUTHORIZED: 401,
    Kind.THROTTLED: 429,
    Kind.QUOTA_EXCEEDED: 429,
    Kind.AUTHORIZER_FAILURE: 500,
    Kind.AUTHORIZER_CONFIGURATION_ERROR: 500,
}


class Allowed(NamedTuple):
    """Come in. ``context`` is what ``$context.authorizer`` holds, ``principalId`` included; all of it text."""

    context: Mapping[str, str] = {}
    usage_key: str | None = None

    def __repr__(self) -> str:
        return f"Allowed(context={dict(self.context)!r})"


class Refused(NamedTuple):
    """Stay out. ``message`` is for the caller and tells no more than API Gateway's own does.

    ``absent``: nothing was offered to this lock, so another lock's refusal says more.
    """

    kind: Kind
    message: str
    absent: bool = False

    @property
    def status(self) -> int:
        return self.kind.status


Verdict = Allowed | Refused


class Lock(Protocol):
    """One security scheme. Thread-safe; may block; raises nothing."""

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:
        """``scopes`` are the requirement's; ``before`` is what the locks said that this requirement names before it."""
        ...
