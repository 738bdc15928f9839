"""Sending the client's requests over httpx."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx

from kstream.ingest.errors import NotAuthorized, Unavailable
from kstream.ingest.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Generator

    from kstream.ingest.auth import SetHeaders
    from kstream.ingest.wire import Request


class HttpSender:
    """POSTs to the API at ``url``. Thread-safe. Follows no redirect: the API has none."""

    def __init__(
        self,
        url: str,
        *,
        auth: httpx.Auth | SetHeaders | None,
        timeout: float,
        transport: httpx.BaseTransport | None,
        connections: int,
    ) -> None:
        self._base = url.rstrip("/")
        host = httpx.URL(url).host
        self._http = httpx.Client(
            auth=_HeaderAuth(auth) if auth is not None and not isinstance(auth, httpx.Auth) else auth,
            timeout=timeout,
            transport=transport,
            limits=httpx.Limits(max_keepalive_connections=connections),
            # A proxy named in the environment is for the world outside, never for the gateway on this machine.
            trust_env=not _is_loopback(host),
        )

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises ``Unavailable`` for none, ``NotAuthorized`` if ``auth`` failed."""
        try:
            response = self._http.post(self._base + request.path, headers=request.headers, content=request.body)
        except httpx.RequestError as error:
            raise Unavailable(
                f"no answer from {self._base} ({type(error).__name__}: {error}); does the ingest API run there?"
            ) from error
        return Answer(response.status_code, response.headers, response.content)

    def close(self) -> None:
        self._http.close()


class _HeaderAuth(httpx.Auth):
    """A function that sets headers, as httpx wants it."""

    def __init__(self, set_headers: SetHeaders) -> None:
        self._set_headers = set_headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        try:
            self._set_headers(request.headers)
        except Exception as error:
            # Without its text, which may hold a secret; the cause has it.
            raise NotAuthorized(f"auth= raised {type(error).__name__} instead of setting headers") from error
        yield request


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
