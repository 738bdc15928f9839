"""Auth in whatever form it was given, as httpx wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from kstream.core.errors import ConfigurationError
from kstream.ingest.auth import Renewable, Signer
from kstream.ingest.errors import NotAuthorized

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from kstream.ingest.auth import SetHeaders


class RequestAuth(httpx.Auth):
    """Before each sending, and once more after a 401 if there is something new to try."""

    requires_request_body = True

    def __init__(self, auth: SetHeaders | Signer) -> None:
        self._auth = auth

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._apply(request)
        response = yield request
        if response.status_code == 401 and self._renew(request):
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        import asyncio

        # On a thread: it may ask an issuer for a token, or a metadata service for credentials.
        await asyncio.to_thread(self._apply, request)
        response = yield request
        if response.status_code == 401 and await asyncio.to_thread(self._renew, request):
            yield request

    def _apply(self, request: httpx.Request) -> None:
        try:
            if isinstance(self._auth, Signer):
                request.headers.update(
                    self._auth.sign(request.method, str(request.url), dict(request.headers), request.content)
                )
            else:
                self._auth(request.headers)
        except Exception as error:
            raise _failed(error) from error

    def _renew(self, request: httpx.Request) -> bool:
        auth: object = self._auth
        try:
            return isinstance(auth, Renewable) and auth.renew(request.headers)
        except Exception as error:
            raise _failed(error) from error


def as_httpx(auth: httpx.Auth | SetHeaders | Signer | None) -> httpx.Auth | None:
    return auth if auth is None or isinstance(auth, httpx.Auth) else RequestAuth(auth)


def _failed(error: Exception) -> NotAuthorized:
    if isinstance(error, ConfigurationError):
        return NotAuthorized(str(error))
    # Without its text, which may hold a secret; the cause has it.
    return NotAuthorized(f"auth= raised {type(error).__name__} instead of setting headers")
