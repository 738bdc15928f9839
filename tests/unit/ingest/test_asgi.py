"""The ASGI face: bodies in pieces, bodies that are too much, clients that leave."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kstream.ingest.asgi import AsgiGateway, _head
from kstream.ingest.contract import Limits
from kstream.ingest.gateway import unlocked_gateway
from tests.support.ingest import MemoryStreams

Message = dict[str, Any]
SCOPE = {"type": "http", "method": "POST", "path": "/streams/orders/records", "headers": []}


def chunk(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def run(
    incoming: list[Message], streams: MemoryStreams, scope: Message = SCOPE, limit: int = 10
) -> tuple[list[Message], list[Message]]:
    """What was sent, and what was left unread."""
    left, sent = list(incoming), list[Message]()

    async def receive() -> Message:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    with ThreadPoolExecutor(1) as executor:
        application = unlocked_gateway(["orders"], streams, limits=Limits(body_bytes=limit))
        asyncio.run(AsgiGateway(application, executor)(scope, receive, send))
    return sent, left


def test_a_body_in_pieces_is_one_record() -> None:
    streams = MemoryStreams()
    sent, _ = run([chunk(b"a"), chunk(b""), chunk(b"b"), chunk(b"c", more=False)], streams)
    assert [entry.data for entry in streams.taken()] == [b"abc"]
    start, body = sent
    assert start["status"] == 200
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_a_body_over_the_limit_is_read_no_further_and_ends_the_connection() -> None:
    streams = MemoryStreams()
    sent, left = run([chunk(b"x" * 6)] * 5, streams)
    assert (sent[0]["status"], len(left)) == (413, 3)
    assert (b"connection", b"close") in sent[0]["headers"]
    assert not streams.calls


def test_a_refused_request_is_taken_in_so_that_the_connection_lives() -> None:
    scope = SCOPE | {"path": "/nowhere"}
    sent, left = run([chunk(b"x" * 5), chunk(b"", more=False)], MemoryStreams(), scope)
    assert (sent[0]["status"], left) == (404, [])
    assert (b"connection", b"close") not in sent[0]["headers"]


def test_a_refused_request_is_taken_in_only_within_the_limit() -> None:
    scope = SCOPE | {"path": "/nowhere"}
    sent, left = run([chunk(b"x" * 6)] * 5, MemoryStreams(), scope)
    assert (sent[0]["status"], len(left)) == (404, 3)
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_client_that_leaves_halfway_put_nothing() -> None:
    streams = MemoryStreams()
    sent, _ = run([chunk(b"half"), {"type": "http.disconnect"}], streams)
    assert (sent, streams.calls) == ([], [])


def test_each_request_has_an_id_of_its_own() -> None:
    scope = SCOPE | {"path": "/nowhere"}
    ids = {
        json.loads(run([chunk(b"", more=False)], MemoryStreams(), scope)[0][1]["body"])["error"]["requestId"]
        for _ in "ab"
    }
    assert len(ids) == 2


def test_of_a_repeated_header_the_last_counts_and_all_are_known() -> None:
    """As API Gateway has it: its ``headers`` hold the last value, its ``multiValueHeaders`` all."""
    streams = MemoryStreams()
    scope = SCOPE | {"headers": [(b"X-Partition-Key", b"a"), (b"x-one", b"1"), (b"x-partition-key", b"b")]}
    run([chunk(b"x", more=False)], streams, scope)
    assert streams.taken()[0].partition_key == "b"
    head = _head(scope)
    assert (head.headers, head.repeated) == ({"x-partition-key": "b", "x-one": "1"}, {"x-partition-key": ["a", "b"]})


def test_a_body_that_never_comes_keeps_no_refusal_back() -> None:
    """A length over the limit, and not a byte of it: whoever asks hears 413 all the same."""

    sent = list[Message]()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = SCOPE | {"headers": [(b"content-length", b"99999999999")]}
    with ThreadPoolExecutor(1) as executor:
        application = unlocked_gateway(["orders"], MemoryStreams())
        asyncio.run(AsgiGateway(application, executor, drain_seconds=0.001)(scope, receive, send))
    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]


def test_other_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="lifespan"):
        run([], MemoryStreams(), {"type": "lifespan"})
