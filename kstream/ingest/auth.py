"""Ways to say who puts. Anything else is an ``httpx.Auth``, or a function that sets headers.

``AsyncIngestClient`` takes functions that are ``async def`` as well, and awaits them on its event loop.

``SigV4``        AWS credentials, for ``iam``. Needs boto3 (extra ``aws``).
``BearerToken``  a JWT, or any other token.
``ApiKey``       API Gateway's own keys.

None of them shows its secret in ``repr``, in a log or in an error.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from kstream.aws.sigv4 import SigV4
from kstream.core.errors import ConfigurationError
from kstream.ingest.credentials import checked_secret

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

__all__ = ["ApiKey", "AsyncAuth", "AsyncOnly", "BearerToken", "Renewable", "SetHeaders", "SigV4", "Signer", "Together"]

SetHeaders = Callable[[MutableMapping[str, str]], Awaitable[None] | None]
"""Called with a request's headers before each sending, retries included; sets what it needs. Thread-safe. May block:
``AsyncIngestClient`` calls it on a thread, and awaits what it returns on its event loop."""


class AsyncOnly(ConfigurationError):
    """Auth that has to be awaited was given to ``IngestClient``, which has no event loop."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is async, and IngestClient awaits nothing: use AsyncIngestClient, or a plain def")


@runtime_checkable
class Signer(Protocol):
    """Auth that depends on the whole request. Thread-safe; may block."""

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers to set. ``headers``: those there are, names in lower case, ``host`` among them."""
        ...


Together = tuple[SetHeaders | Signer, ...]
"""For a stream that asks for an API key besides: ``(SigV4(), ApiKey(key))``. Each sets headers of its own, and who signs
does so last."""


@runtime_checkable
class Renewable(Protocol):
    """Auth that may have something better after a 401. Thread-safe; may block."""

    def renew(self, headers: MutableMapping[str, str]) -> bool:
        """``headers`` are those that were refused. Sets new ones; False if it has none, and the 401 stands."""
        ...


@runtime_checkable
class AsyncAuth(Protocol):
    """Auth that ``AsyncIngestClient`` awaits on its event loop, in place of calling it on a thread."""

    async def set_awaited(self, headers: MutableMapping[str, str]) -> None:
        """``SetHeaders``."""
        ...

    async def renew_awaited(self, headers: MutableMapping[str, str]) -> bool:
        """``Renewable.renew``."""
        ...


class BearerToken:
    """``Authorization: Bearer ...``. Thread-safe.

    With a function in place of the token: it is called for the first request, and again once the API answers 401 to a
    token it gave (it has expired); that request is then sent once more. So it need not know when tokens expire. It may be
    ``async def`` for ``AsyncIngestClient``, which awaits it on its event loop; ``IngestClient`` refuses such a one.

    Raises ``ConfigurationError`` for what is no token: None (an environment variable that is not set), empty, with a line
    break. What a function gives is looked at as well, and then the put is ``NotAuthorized``.
    """

    def __init__(self, token: str | Callable[[], str | Awaitable[str]]) -> None:
        self._source = token if callable(token) else None
        self._token = None if callable(token) else checked_secret("BearerToken(token)", token, blanks=False)
        self._lock = threading.Lock()
        # Of one event loop: whoever comes while a token is fetched waits for that one.
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    @property
    def awaits(self) -> bool:
        """Whether its function is ``async def``, so that it is for ``AsyncIngestClient`` alone."""
        return is_async(self._source)

    def __call__(self, headers: MutableMapping[str, str]) -> None:
        headers["authorization"] = f"Bearer {self._current()}"

    def renew(self, headers: MutableMapping[str, str]) -> bool:
        refused = headers.get("authorization")
        if self._source is None:
            return False
        self._forget(refused)
        self(headers)
        return headers.get("authorization") != refused

    async def set_awaited(self, headers: MutableMapping[str, str]) -> None:
        headers["authorization"] = f"Bearer {await self._current_awaited()}"

    async def renew_awaited(self, headers: MutableMapping[str, str]) -> bool:
        refused = headers.get("authorization")
        if self._source is None:
            return False
        self._forget(refused)
        await self.set_awaited(headers)
        return headers.get("authorization") != refused

    def _forget(self, refused: str | None) -> None:
        with self._lock:
            # Another thread may have been here first.
            if refused == f"Bearer {self._token}":
                self._token = None

    def _current(self) -> str:
        with self._lock:
            if self._token is None:
                given = self._ask()
                if inspect.isawaitable(given):
                    if inspect.iscoroutine(given):
                        given.close()  # else Python warns, somewhere, that nobody awaited it
                    raise AsyncOnly("the function of BearerToken")
                self._token = _fetched(given)
            return self._token

    async def _current_awaited(self) -> str:
        import asyncio

        with self._lock:
            turn = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with turn:
            token = self._token
            if token is None:
                # Not on the loop, as it may block; an ``async def`` there only makes its coroutine.
                given = await asyncio.to_thread(self._ask)
                token = self._token = _fetched(await given if inspect.isawaitable(given) else given)
            return token

    def _ask(self) -> str | Awaitable[str]:
        assert self._source is not None
        try:
            return self._source()
        except StopIteration as error:
            # No future takes it, and whoever awaits that one would wait for ever.
            raise RuntimeError("the function of BearerToken raised StopIteration") from error

    def __repr__(self) -> str:
        return "BearerToken(...)"


class ApiKey:
    """API Gateway's ``x-api-key``. Raises ``ConfigurationError`` for what is no key, as ``BearerToken`` does."""

    def __init__(self, key: str) -> None:
        self._key = checked_secret("ApiKey(key)", key)

    def __call__(self, headers: MutableMapping[str, str]) -> None:
        headers["x-api-key"] = self._key

    def __repr__(self) -> str:
        return "ApiKey(...)"


def is_async(function: object) -> bool:
    """Whether calling it makes a coroutine; as far as can be told before."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _fetched(given: object) -> str:
    return checked_secret("what the function of BearerToken gave", given, blanks=False)
