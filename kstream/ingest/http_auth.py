"""Auth in whatever form it was given, as httpx wants it."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from kstream.core.errors import ConfigurationError
from kstream.ingest.auth import AsyncAuth, AsyncOnly, BearerToken, Renewable, Signer, is_async
from kstream.ingest.errors import NotAuthorized

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from kstream.ingest.auth import SetHeaders


class RequestAuth(httpx.Auth):
    """Before each sending, and once more after a 401 if there is something new to try."""

    requires_request_body = True

    def __init__(self, auth: SetHeaders | Signer) -> None:
        self._auth = auth

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        _nothing_to_await(self._apply(request))
        response = yield request
        if response.status_code == 401 and _nothing_to_await(self._renew(request)):
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        auth: object = self._auth
        with _told():
            await (auth.set_awaited(request.headers) if isinstance(auth, AsyncAuth) else _awaited(self._apply, request))
        response = yield request
        if response.status_code != 401:
            return
        with _told():
            renewed = await (
                auth.renew_awaited(request.headers) if isinstance(auth, AsyncAuth) else _awaited(self._renew, request)
            )
        if renewed:
            yield request

    def _apply(self, request: httpx.Request) -> object:
        with _told():
            if not isinstance(self._auth, Signer):
                return self._auth(request.headers)
            request.headers.update(
                self._auth.sign(request.method, str(request.url), dict(request.headers), request.content)
            )
        return None

    def _renew(self, request: httpx.Request) -> object:
        auth: object = self._auth
        with _told():
            return isinstance(auth, Renewable) and auth.renew(request.headers)


def as_httpx(auth: httpx.Auth | SetHeaders | Signer | None, *, awaits: bool) -> httpx.Auth | None:
    """``awaits``: whether the client can await. Raises ``ConfigurationError`` for what is no auth, or not for it."""
    if auth is None or isinstance(auth, httpx.Auth):
        return auth
    given: object = auth
    if isinstance(given, type) or not (isinstance(given, Signer) or callable(given)):
        kind = f"the class {given.__name__}" if isinstance(given, type) else f"a value of type {type(given).__name__}"
        raise ConfigurationError(f"auth= is {kind}; give BearerToken(...), ApiKey(...), SigV4(), or a function")
    if not awaits and (is_async(auth) or (isinstance(auth, BearerToken) and auth.awaits)):
        raise AsyncOnly("auth=")
    return RequestAuth(auth)


async def _awaited(step: Callable[[httpx.Request], object], request: httpx.Request) -> object:
    import asyncio

    # On a thread: it may ask an issuer for a token, or a metadata service for credentials. An ``async def`` only makes its
    # coroutine there.
    left = await asyncio.to_thread(step, request)
    return await left if inspect.isawaitable(left) else left


def _nothing_to_await(left: object) -> object:
    if inspect.isawaitable(left):
        if inspect.iscoroutine(left):
            left.close()  # else Python warns, somewhere, that nobody awaited it
        raise AsyncOnly("auth=")
    return left


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (AsyncOnly, NotAuthorized):
        raise
    except ConfigurationError as error:
        raise NotAuthorized(str(error)) from error
    except Exception as error:
        # Without its text, which may hold a secret; the cause has it.
        raise NotAuthorized(f"auth= raised {type(error).__name__} instead of setting headers") from error
