"""An ``Application`` as an ASGI 3 application (asgi.readthedocs.io, "HTTP & WebSocket ASGI Message Format").

Bodies are read up to the application's limit and no further; ``handle`` runs on a small thread pool, because it blocks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kstream.ingest.http import Head

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from concurrent.futures import Executor

    from kstream.ingest.http import Application, Response

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The client went away before its request was complete; there is nobody to answer."""


class AsgiGateway:
    """The ASGI callable.

    ``executor``       runs what blocks; its width bounds the puts in flight.
    ``drain_seconds``  how long the body of a request that is refused may let itself be waited for.
    """

    def __init__(self, application: Application, executor: Executor, *, drain_seconds: float = 5.0) -> None:
        self._application = application
        self._executor = executor
        self._drain_seconds = drain_seconds

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the ingest gateway speaks HTTP, not {scope['type']!r}; serve it with lifespan off")
        try:
            response, whole = await self._answer(_head(scope), receive)
        except Disconnected:
            return
        headers = [
            (b"content-type", response.content_type.encode("latin-1")),
            (b"content-length", str(len(response.body)).encode()),
            *((name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()),
        ]
        if not whole:
            # What is left of the body cannot be told from the next request.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, head: Head, receive: Receive) -> tuple[Response, bool]:
        limit = self._application.max_body_bytes
        refused = self._application.refuse(head)
        if refused is not None:
            # A client that is still writing may not see an answer; so what it sends is taken, within bounds.
            try:
                async with asyncio.timeout(self._drain_seconds):
                    return refused, await _body(receive, limit, keep=False) is not None
            except TimeoutError:
                return refused, False
        body = await _body(receive, limit)
        if body is None:
            return self._application.too_large(head), False
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._application.handle, head, body), True


async def _body(receive: Receive, limit: int, *, keep: bool = True) -> bytes | None:
    """The body (nothing of it unless ``keep``), or None if it is over the limit."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return None
        if keep:
            chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _head(scope: MutableMapping[str, Any]) -> Head:
    values: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    query: bytes = scope.get("query_string", b"")
    client = scope.get("client")
    return Head(
        scope["method"],
        scope["path"],
        {name: given[-1] for name, given in values.items()},
        str(uuid4()),
        query.decode("latin-1"),
        client[0] if client else "",
        {name: given for name, given in values.items() if len(given) > 1},
    )
