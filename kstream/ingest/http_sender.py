"""Sending the client's requests over httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from kstream.aws.clients import is_loopback
from kstream.core.errors import ConfigurationError
from kstream.ingest.errors import Unavailable
from kstream.ingest.http_auth import as_httpx
from kstream.ingest.wire import Answer

if TYPE_CHECKING:
    from kstream.ingest.auth import SetHeaders, Signer
    from kstream.ingest.wire import Request


class HttpSender:
    """POSTs to the API at ``url``. Thread-safe. Follows no redirect: the API has none."""

    def __init__(
        self,
        url: str,
        *,
        auth: httpx.Auth | SetHeaders | Signer | None,
        timeout: float,
        transport: httpx.BaseTransport | None,
        connections: int,
    ) -> None:
        self._base = url.rstrip("/")
        self._http = httpx.Client(transport=transport, **_options(url, auth, timeout, connections))

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises ``Unavailable`` for none, ``NotAuthorized`` if ``auth`` failed."""
        try:
            response = self._http.post(self._base + request.path, headers=request.headers, content=request.body)
        except httpx.LocalProtocolError:
            raise _unsendable() from None
        except httpx.RequestError as error:
            raise _unreachable(self._base, error) from error
        return Answer(response.status_code, response.headers, response.content)

    def close(self) -> None:
        self._http.close()


class AsyncHttpSender:
    """``HttpSender`` on an event loop."""

    def __init__(
        self,
        url: str,
        *,
        auth: httpx.Auth | SetHeaders | Signer | None,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None,
        connections: int,
    ) -> None:
        self._base = url.rstrip("/")
        self._http = httpx.AsyncClient(transport=transport, **_options(url, auth, timeout, connections))

    async def send(self, request: Request) -> Answer:
        try:
            response = await self._http.post(self._base + request.path, headers=request.headers, content=request.body)
        except httpx.LocalProtocolError:
            raise _unsendable() from None
        except httpx.RequestError as error:
            raise _unreachable(self._base, error) from error
        return Answer(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        await self._http.aclose()


def _options(
    url: str, auth: httpx.Auth | SetHeaders | Signer | None, timeout: float, connections: int
) -> dict[str, Any]:
    return {
        "auth": as_httpx(auth),
        "timeout": timeout,
        "limits": httpx.Limits(max_keepalive_connections=connections),
        # A proxy named in the environment is for the world outside, never for the gateway on this machine.
        "trust_env": not is_loopback(url),
    }


def _unsendable() -> ConfigurationError:
    # httpx quotes the header that it refuses, and with it the secret: neither its words nor its traceback go further.
    return ConfigurationError(
        "a header of the request cannot be sent, because a credential or a header's value holds a line break or another "
        "control character: strip what is read from a file"
    )


def _unreachable(base: str, error: httpx.RequestError) -> Unavailable:
    return Unavailable(f"no answer from {base} ({type(error).__name__}: {error}); does the ingest API run there?")
