"""Sending the client's requests over httpx."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from kstream.aws.clients import is_loopback
from kstream.core.errors import ConfigurationError
from kstream.ingest.errors import ClientClosed, Unavailable
from kstream.ingest.http_auth import as_httpx
from kstream.ingest.wire import Answer

if TYPE_CHECKING:
    from kstream.ingest.auth import SetHeaders, Signer, Together
    from kstream.ingest.putting import Options
    from kstream.ingest.wire import Request


class HttpSender:
    """POSTs to the API at ``options.url``. Thread-safe. Follows no redirect: the API has none."""

    def __init__(
        self,
        options: Options,
        auth: httpx.Auth | SetHeaders | Signer | Together | None,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._base = options.url.rstrip("/")
        self._http = httpx.Client(transport=transport, **_httpx_options(options, auth, awaits=False))

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises ``Unavailable`` for none, ``NotAuthorized`` if ``auth`` failed, and
        ``ClientClosed``."""
        try:
            response = self._http.post(self._base + request.path, headers=request.headers, content=request.body)
        except httpx.LocalProtocolError:
            raise _unsendable() from None
        except httpx.RequestError as error:
            raise _unreachable(self._base, error) from error
        except RuntimeError:
            # httpx has no error of its own for this.
            if self._http.is_closed:
                raise ClientClosed from None
            raise
        return Answer(response.status_code, response.headers, response.content)

    def close(self) -> None:
        self._http.close()


class AsyncHttpSender:
    """``HttpSender`` on an event loop: the first that it is used on. On another it raises ``ConfigurationError``."""

    def __init__(
        self,
        options: Options,
        auth: httpx.Auth | SetHeaders | Signer | Together | None,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._base = options.url.rstrip("/")
        self._http = httpx.AsyncClient(transport=transport, **_httpx_options(options, auth, awaits=True))
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        if (self._loop or loop) is not loop:
            # Connections that were kept belong to the first, and fail in whatever way.
            raise ConfigurationError(
                "an AsyncIngestClient is for one event loop, and this is another: make one in each asyncio.run(...)"
            )
        self._loop = loop
        try:
            response = await self._http.post(self._base + request.path, headers=request.headers, content=request.body)
        except httpx.LocalProtocolError:
            raise _unsendable() from None
        except httpx.RequestError as error:
            raise _unreachable(self._base, error) from error
        except RuntimeError:
            # httpx has no error of its own for this.
            if self._http.is_closed:
                raise ClientClosed from None
            raise
        return Answer(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        await self._http.aclose()


def _httpx_options(
    options: Options, auth: httpx.Auth | SetHeaders | Signer | Together | None, *, awaits: bool
) -> dict[str, Any]:
    try:
        httpx.URL(options.url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the ingest API's address is {options.url!r}: {error}") from None
    return {
        "auth": as_httpx(auth, awaits=awaits),
        "timeout": options.timeout,
        "limits": httpx.Limits(max_keepalive_connections=options.max_in_flight),
        # A proxy named in the environment is for the world outside, never for the gateway on this machine.
        "trust_env": not is_loopback(options.url),
    }


def _unsendable() -> ConfigurationError:
    # httpx quotes the header that it refuses, and with it the secret: neither its words nor its traceback go further.
    return ConfigurationError(
        "a header of the request cannot be sent, because a credential or a header's value holds a line break or another "
        "control character: strip what is read from a file"
    )


def _unreachable(base: str, error: httpx.RequestError) -> Unavailable:
    return Unavailable(f"no answer from {base} ({type(error).__name__}: {error}); does the ingest API run there?")
