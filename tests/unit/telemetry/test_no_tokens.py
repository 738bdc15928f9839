"""With every logger at DEBUG and every field written out, no token is in a line: neither a client's nor an authorizer's."""

from __future__ import annotations

import io
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from kstream.ingest import ApiKey, Authorizer, BearerToken, Deny, IngestClient
from kstream.ingest.errors import NotAuthorized
from kstream.telemetry import ContextFilter, JsonFormatter
from tests.support.authorizing import request_event, token_event
from tests.unit.telemetry.test_plain_values import strictly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.ingest import AuthorizationRequest, Grant

TOKEN = "s3cr3t-t0ken"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(ContextFilter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


class Refuses(BaseHTTPRequestHandler):
    """An API that lets nobody in, and is careless enough to say whom."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


@pytest.mark.parametrize("auth", [BearerToken(TOKEN), BearerToken(lambda: TOKEN), ApiKey(TOKEN)], ids=repr)
def test_a_client_s(written: io.StringIO, auth: Any) -> None:
    server = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with (
            IngestClient(f"http://127.0.0.1:{server.server_port}", stream="orders", auth=auth) as client,
            pytest.raises(NotAuthorized),
        ):
            client.put(b"{}", partition_key="k")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    lines = [strictly(line) for line in written.getvalue().splitlines()]
    assert any("send_request_headers" in line["message"] for line in lines), "the wire's own lines are among them"
    assert TOKEN not in written.getvalue()


class Careless(Authorizer):
    def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
        if "x-raise" in request.headers:
            raise LookupError(f"no such token: {request.token}")
        return Deny(f"not {request.token}", status=403)


@pytest.mark.parametrize(
    "event",
    [
        token_event(f"Bearer {TOKEN}"),
        request_event({"Authorization": f"Bearer {TOKEN}"}),
        request_event({"Authorization": f"Bearer {TOKEN}", "X-Raise": "yes"}),
    ],
)
def test_an_authorizer_s(written: io.StringIO, event: dict[str, Any]) -> None:
    Careless().as_lambda()(event, None)
    assert strictly(written.getvalue().splitlines()[0])["logger"].startswith("kstream.ingest.authorizing")
    assert TOKEN not in written.getvalue()
