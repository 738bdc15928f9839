"""Ways to say who puts. Anything else is an ``httpx.Auth``, or a function that sets headers.

``SigV4``        AWS credentials, for ``iam``. Needs boto3 (extra ``aws``).
``BearerToken``  a JWT, or any other token.
``ApiKey``       API Gateway's own keys.

None of them shows its secret in ``repr``, in a log or in an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kstream.aws.sigv4 import SigV4

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ApiKey", "BearerToken", "Renewable", "SetHeaders", "SigV4", "Signer"]

SetHeaders = Callable[[MutableMapping[str, str]], None]
"""Called with a request's headers before each sending, retries included; sets what it needs. Thread-safe. May block:
``AsyncIngestClient`` calls it on a thread."""


@runtime_checkable
class Signer(Protocol):
    """Auth that depends on the whole request. Thread-safe; may block."""

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers to set. ``headers``: those there are, names in lower case, ``host`` among them."""
        ...


@runtime_checkable
class Renewable(Protocol):
    """Auth that may have something better after a 401. Thread-safe; may block."""

    def renew(self, headers: MutableMapping[str, str]) -> bool:
        """``headers`` are those that were refused. Sets new ones; False if it has none, and the 401 stands."""
        ...


class BearerToken:
    """``Authorization: Bearer ...``. Thread-safe.

    With a function in place of the token: it is called for the first request, and again once the API answers 401 to a
    token it gave (it has expired); that request is then sent once more. So it need not know when tokens expire.
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._source = token if callable(token) else None
        self._token = None if callable(token) else token
        self._lock = threading.Lock()

    def __call__(self, headers: MutableMapping[str, str]) -> None:
        headers["authorization"] = f"Bearer {self._current()}"

    def renew(self, headers: MutableMapping[str, str]) -> bool:
        if self._source is None:
            return False
        refused = headers.get("authorization")
        with self._lock:
            # Another thread may have been here first.
            if refused == f"Bearer {self._token}":
                self._token = None
        self(headers)
        return headers.get("authorization") != refused

    def _current(self) -> str:
        with self._lock:
            if self._token is None:
                assert self._source is not None
                self._token = self._source()
            return self._token

    def __repr__(self) -> str:
        return "BearerToken(...)"


class ApiKey:
    """API Gateway's ``x-api-key``."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, headers: MutableMapping[str, str]) -> None:
        headers["x-api-key"] = self._key

    def __repr__(self) -> str:
        return "ApiKey(...)"
