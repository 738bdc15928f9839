"""One put is one request; and a lost answer is told apart from a refusal."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kstream.aws.record_put import NotPut, PutUnknown, RecordPut

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSAL = b'{"__type": "%s", "message": "no"}'


@contextmanager
def kinesis(status: int | None, code: str = "") -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers every request so, or (None) hears it and hangs up. Its URL, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(65_536))
                    if status is not None:
                        body = _REFUSAL % code.encode()
                        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                        connection.sendall(head.encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (None, "", PutUnknown),
        (500, "InternalFailure", PutUnknown),
        (503, "ServiceUnavailable", PutUnknown),
        (400, "ResourceNotFoundException", NotPut),
        (400, "ProvisionedThroughputExceededException", NotPut),
    ],
)
def test_it_asks_once_and_tells_what_is_known(status: int | None, code: str, kind: type) -> None:
    with kinesis(status, code) as (url, heard):
        result = RecordPut(endpoint_url=url).put("orders", b"{}", "k")

    assert isinstance(result, kind), result
    assert len(heard) == 1
    if isinstance(result, NotPut):
        assert result.throttled == (code == "ProvisionedThroughputExceededException")


def test_where_nothing_listens_nothing_was_put() -> None:
    with socket.socket() as held:  # so that nobody else listens there
        held.bind(("127.0.0.1", 0))
        result = RecordPut(endpoint_url=f"http://127.0.0.1:{held.getsockname()[1]}").put("orders", b"{}", "k")

    assert isinstance(result, NotPut)
    assert not result.throttled
