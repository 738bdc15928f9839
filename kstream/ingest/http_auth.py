"""Auth in whatever form it was given, as httpx wants it."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from kstream.core.errors import ConfigurationError
from kstream.ingest.auth import AsyncAuth, AsyncOnly, BearerToken, Renewable, Signer, is_async
from kstream.ingest.errors import NotAuthorized

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from kstream.ingest.auth import SetHeaders, Together


class RequestAuth(httpx.Auth):
    """Before each sending, and once more after a 401 if there is something new to try."""

    requires_request_body = True

    def __init__(self, auths: Together) -> None:
        # A signature is of the headers that there are: so who sets some comes first.
        self._auths = sorted(auths, key=lambda auth: isinstance(auth, Signer))
        self._signers = [auth for auth in auths if isinstance(auth, Signer)]

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for auth in self._auths:
            _nothing_to_await(_apply(auth, request))
        response = yield request
        # All of them: nobody says which one was refused.
        if response.status_code == 401:
            renewed = [_nothing_to_await(_renew(auth, request)) for auth in self._auths]
            if any(renewed):
                for signer in self._signers:
                    _apply(signer, request)
                yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        for auth in self._auths:
            await _apply_awaited(auth, request)
        response = yield request
        if response.status_code == 401:
            renewed = [await _renew_awaited(auth, request) for auth in self._auths]
            if any(renewed):
                for signer in self._signers:
                    await _apply_awaited(signer, request)
                yield request


def as_httpx(auth: httpx.Auth | SetHeaders | Signer | Together | None, *, awaits: bool) -> httpx.Auth | None:
    """``awaits``: whether the client can await. Raises ``ConfigurationError`` for what is no auth, or not for it."""
    if auth is None or isinstance(auth, httpx.Auth):
        return auth
    auths = auth if isinstance(auth, tuple) else (auth,)
    if not auths:
        raise ConfigurationError("auth= is an empty tuple; leave it out, if the API asks nobody who they are")
    for one in auths:
        _check(one, awaits=awaits)
    return RequestAuth(auths)


def _check(auth: object, *, awaits: bool) -> None:
    if isinstance(auth, type) or not (isinstance(auth, Signer) or callable(auth)):
        kind = f"the class {auth.__name__}" if isinstance(auth, type) else f"a value of type {type(auth).__name__}"
        raise ConfigurationError(
            f"auth= is {kind}; give BearerToken(...), ApiKey(...), SigV4(), a function, or a tuple of these"
        )
    if not awaits and (is_async(auth) or (isinstance(auth, BearerToken) and auth.awaits)):
        raise AsyncOnly("auth=")


def _apply(auth: SetHeaders | Signer, request: httpx.Request) -> object:
    with _told():
        if not isinstance(auth, Signer):
            return auth(request.headers)
        request.headers.update(auth.sign(request.method, str(request.url), dict(request.headers), request.content))
    return None


def _renew(auth: object, request: httpx.Request) -> object:
    with _told():
        return isinstance(auth, Renewable) and auth.renew(request.headers)


async def _apply_awaited(auth: object, request: httpx.Request) -> None:
    with _told():
        await (auth.set_awaited(request.headers) if isinstance(auth, AsyncAuth) else _awaited(_apply, auth, request))


async def _renew_awaited(auth: object, request: httpx.Request) -> object:
    with _told():
        if isinstance(auth, AsyncAuth):
            return await auth.renew_awaited(request.headers)
        return await _awaited(_renew, auth, request)


async def _awaited(step: Callable[[Any, httpx.Request], object], auth: object, request: httpx.Request) -> object:
    import asyncio

    # On a thread: it may ask an issuer for a token, or a metadata service for credentials. An ``async def`` only makes its
    # coroutine there.
    left = await asyncio.to_thread(step, auth, request)
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
