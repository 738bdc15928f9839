"""The Lambda Runtime API (version 2018-06-01) for one runtime, on a free port of 127.0.0.1.

What AWS says about it: "Using the Lambda runtime API for custom runtimes" in the Lambda Developer Guide.
"""

from __future__ import annotations

import threading
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from socket import socket

_PREFIX = "/2018-06-01/runtime/"


class Kind(Enum):
    """What a runtime can tell, and, beside it, whoever watches its process."""

    READY = auto()  # it asks for its next invocation
    ANSWER = auto()
    ERROR = auto()
    INIT_ERROR = auto()
    ENDED = auto()  # its process has ended
    STOPPED = auto()  # we were told to stop


class Signal(NamedTuple):
    kind: Kind
    request_id: str = ""
    body: bytes = b""


class Invocation(NamedTuple):
    headers: Mapping[str, str]
    payload: bytes


class RuntimeApi:
    """A server that one runtime talks to. What it says comes out of ``signals``, in order. Thread-safe."""

    def __init__(self) -> None:
        self.signals: SimpleQueue[Signal] = SimpleQueue()
        self._offered: SimpleQueue[Invocation | None] = SimpleQueue()
        self._server = _Server(self.signals, self._offered)
        self.address = f"127.0.0.1:{self._server.server_port}"
        """What ``AWS_LAMBDA_RUNTIME_API`` has to say."""
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="runtime-api").start()

    def offer(self, invocation: Invocation) -> None:
        """Give the runtime its next invocation, as soon as it asks for it."""
        self._offered.put(invocation)

    def close(self) -> None:
        self._offered.put(None)  # a request that waits for an invocation ends
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, signals: SimpleQueue[Signal], offered: SimpleQueue[Invocation | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signals = signals
        self.offered = offered

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """A runtime that was killed leaves its connection reset. That it has ended is told by its process."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # runtimes keep their connection
    disable_nagle_algorithm = True  # it would add 40 ms to each answer
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}invocation/next":
            self._answer(HTTPStatus.NOT_FOUND)
            return
        self.server.signals.put(Signal(Kind.READY))
        invocation = self.server.offered.get()
        if invocation is None:
            self.close_connection = True
        else:
            self._answer(HTTPStatus.OK, invocation.payload, invocation.headers)

    def do_POST(self) -> None:
        body = self._body()
        match self.path.removeprefix(_PREFIX).split("/"):
            case ["init", "error"]:
                signal = Signal(Kind.INIT_ERROR, body=body)
            case ["invocation", request_id, "response"]:
                signal = Signal(Kind.ANSWER, request_id, body)
            case ["invocation", request_id, "error"]:
                signal = Signal(Kind.ERROR, request_id, body)
            case _:
                self._answer(HTTPStatus.NOT_FOUND)
                return
        # Answered first: who takes the signal may end the runtime, which then would not get its answer.
        self._answer(HTTPStatus.ACCEPTED, b'{"status":"OK"}', {"Content-Type": "application/json"})
        self.server.signals.put(signal)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass  # trailers
        return b"".join(chunks)

    def _answer(self, status: HTTPStatus, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name of the overridden parameter
        pass
