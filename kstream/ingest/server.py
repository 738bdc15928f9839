"""The gateway on a port of this machine: uvicorn on a thread of its own (extra ``local``)."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from kstream.core.errors import ConfigurationError, KstreamError
from kstream.ingest.asgi import AsgiGateway

if TYPE_CHECKING:
    from types import TracebackType

    from kstream.ingest.http import Application

_GRACE_SECONDS = 10


class GatewayServer:
    """Serves an application from entering to leaving the context.

    ``port``     0 takes a free one; ``port`` and ``url`` tell which. A port in use is a ``ConfigurationError``.
    ``host``     the loopback by default: an unlocked gateway is for this machine alone.
    ``workers``  threads that put, and so the puts in flight.

    Leaving lets requests under way end, for some seconds. Enter and leave on any thread, once.
    """

    def __init__(self, application: Application, *, host: str = "127.0.0.1", port: int = 0, workers: int = 8) -> None:
        self._application = application
        self._host = host
        self._workers = workers
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.port = port

    @property
    def url(self) -> str:
        """The base of all paths. Valid inside the context."""
        return f"http://{self._host}:{self.port}"

    def __enter__(self) -> Self:
        if find_spec("uvicorn") is None:
            raise ConfigurationError("the ingest gateway needs uvicorn: pip install 'kstream[local]'")
        bound = _bind(self._host, self.port)
        self.port = bound.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(bound,), name=f"ingest-gateway-{self.port}")
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise KstreamError(f"the ingest gateway did not start on port {self.port}") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._thread is not None
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, bound: socket.socket) -> None:
        try:
            with bound, ThreadPoolExecutor(self._workers, thread_name_prefix="ingest-put") as executor:
                asyncio.run(self._serve(bound, executor))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in __enter__
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, bound: socket.socket, executor: ThreadPoolExecutor) -> None:
        import uvicorn

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config = uvicorn.Config(
            AsgiGateway(self._application, executor),
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            # Nothing stands before it, so who is connected is who calls: X-Forwarded-For is only what a caller says.
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = uvicorn.Server(config)
        # A listening socket already takes connections; uvicorn serves them as soon as its loop turns.
        bound.listen(config.backlog)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        self._ready.set()
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping.cancel()
        await serving


def _bind(host: str, port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off; without it each answer waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            remedy = "stop what listens there, or choose another port (0 takes a free one)"
            raise ConfigurationError(f"port {port} of {host} is in use; {remedy}") from None
        raise ConfigurationError(f"the ingest gateway cannot listen on {host}:{port}: {error.strerror}") from error
    return bound
