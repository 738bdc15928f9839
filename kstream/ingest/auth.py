"""Ways to say who puts. Anything else is an ``httpx.Auth``, or a function that sets headers."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

SetHeaders = Callable[[MutableMapping[str, str]], None]
"""Called with a request's headers before each sending, retries included; sets what it needs. Thread-safe."""


class BearerToken:
    """``Authorization: Bearer ...``. A function in place of the token is asked before each request, and may refresh."""

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token

    def __call__(self, headers: MutableMapping[str, str]) -> None:
        token = self._token if isinstance(self._token, str) else self._token()
        headers["authorization"] = f"Bearer {token}"

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
