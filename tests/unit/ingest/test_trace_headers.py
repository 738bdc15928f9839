"""The trace that a client's requests go on with: said once for each request, and never a reason not to put."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest.async_client import AsyncIngestClient
from kstream.ingest.client import IngestClient
from kstream.ingest.contract import KEPT_HEADERS
from kstream.ingest.gateway import unlocked_gateway
from kstream.testing.clock import VirtualClock
from tests.support.ingest import InProcess, MemoryStreams
from tests.support.ingest_engines import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SPAN: ContextVar[str] = ContextVar("SPAN", default="none")


class Bench:
    """A client before a gateway that makes envelopes. Every second request fails once, as ``faulty`` says."""

    def __init__(self, trace_headers: Callable[[], Mapping[str, str]] | None, *, faulty: bool = False) -> None:
        self.streams = MemoryStreams()
        self.faulty = faulty
        self.transport = InProcess(unlocked_gateway(["orders"], self.streams, envelope=True), before=self._before)
        self.options: dict[str, Any] = {
            "stream": "orders",
            "retry": Retry(attempts=3),
            "clock": VirtualClock(),
            "trace_headers": trace_headers,
            "max_batch_records": 2,
        }

    def _before(self, request: int) -> None:
        if self.faulty and request % 2 == 0:
            raise httpx.ConnectError("gone")

    def client(self, **options: Any) -> IngestClient:
        return IngestClient("http://api.test/", transport=self.transport, **self.options, **options)

    def async_client(self) -> AsyncIngestClient:
        async def serve(request: httpx.Request) -> httpx.Response:
            return self.transport.handle_request(request)

        return AsyncIngestClient("http://api.test/", transport=httpx.MockTransport(serve), **self.options)

    @property
    def sent(self) -> list[dict[str, str]]:
        """Of each request, in the order they came."""
        names = [*KEPT_HEADERS, "authorization"]
        return [
            {name: sent.headers[name] for name in names if name in sent.headers} for sent in self.transport.requests
        ]

    @property
    def kept(self) -> list[dict[str, str]]:
        """Of each record."""
        return [dict(opened(entry.data).headers) for entry in self.streams.taken()]


class Counting:
    def __init__(self) -> None:
        self.calls = 0
        self.threads: set[int] = set()

    def __call__(self) -> dict[str, str]:
        self.calls += 1
        self.threads.add(threading.get_ident())
        return {"traceparent": f"{PARENT[:-2]}{self.calls:02d}"}


def numbered(*numbers: int) -> list[dict[str, str]]:
    return [{"traceparent": f"{PARENT[:-2]}{number:02d}"} for number in numbers]


def test_each_request_goes_on_with_the_trace_under_way_and_its_retries_with_the_same() -> None:
    trace = Counting()
    bench = Bench(trace, faulty=True)
    with bench.client() as api:
        api.put("one")
        api.put_many(["two", "three", "four"]).raise_for_failures()
        api.put_all(["five"]).raise_for_failures()
    assert bench.sent == numbered(1, 1, 2, 2, 3, 3, 4, 4)
    assert bench.kept == numbered(1, 2, 2, 3, 4)


def test_the_function_is_called_on_the_thread_that_puts() -> None:
    """Where its context is: requests are sent on others."""
    trace = Counting()
    bench = Bench(trace)
    with bench.client(max_in_flight=3) as api:
        api.put_many(str(number) for number in range(20)).raise_for_failures()
    assert trace.threads == {threading.get_ident()}
    assert trace.calls == len(bench.sent)


def test_the_asynchronous_client_asks_in_the_context_of_whoever_puts() -> None:
    bench = Bench(lambda: {"tracestate": SPAN.get()})

    async def put(span: str) -> None:
        SPAN.set(span)
        await api.put(span)
        (await api.put_many([span] * 3)).raise_for_failures()

    async def put_both() -> None:
        nonlocal api
        async with bench.async_client() as api:
            await asyncio.gather(put("a=1"), put("b=2"))

    api: Any = None
    asyncio.run(put_both())
    spans = [
        (opened(entry.data).payload.decode(), headers)
        for entry, headers in zip(bench.streams.taken(), bench.kept, strict=True)
    ]
    assert len(spans) == 8
    assert all(headers == {"tracestate": span} for span, headers in spans)


def test_only_trace_headers_are_let_through_in_whatever_case() -> None:
    given = {
        "Traceparent": PARENT,
        "TRACESTATE": "a=b",
        "X-Amzn-Trace-Id": "Root=1",
        "Authorization": "secret",
        "x": "y",
    }
    bench = Bench(lambda: given)
    with bench.client() as api:
        api.put("one")
    assert bench.sent == bench.kept == [{"traceparent": PARENT, "tracestate": "a=b", "x-amzn-trace-id": "Root=1"}]


@pytest.mark.parametrize(
    "value", ["", None, 7, b"00-1", "a\nb: c", "é", 'a"b', "a" * 129, " a", "a ", "\r\n", ["a"]], ids=repr
)
def test_what_no_stream_would_keep_is_not_sent(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(lambda: {"traceparent": value, "tracestate": "a=b"})
    with caplog.at_level(logging.WARNING), bench.client() as api:
        api.put("one")
        api.put("two")
    assert bench.sent == [{"tracestate": "a=b"}] * 2
    assert len(caplog.records) <= 1  # told once
    assert "a\nb" not in caplog.text


def failing() -> dict[str, str]:
    raise RuntimeError("no tracer")


@pytest.mark.parametrize(
    "trace", [failing, lambda: None, lambda: ["traceparent"], lambda: {1: "a"}, lambda: "x", lambda _: {}]
)
def test_a_function_that_fails_is_told_once_and_keeps_no_record_back(
    trace: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(trace)
    with caplog.at_level(logging.WARNING), bench.client() as api:
        api.put("one")
        api.put_many(["two", "three", "four"]).raise_for_failures()
    assert bench.sent == [{}, {}, {}]
    [told] = caplog.records
    assert told.getMessage().startswith("trace_headers: it raised ")


def test_without_it_nothing_is_sent_along() -> None:
    bench = Bench(None)
    with bench.client() as api:
        api.put("one")
    assert bench.sent == bench.kept == [{}]


def test_what_is_no_function_is_refused() -> None:
    for client in (IngestClient, AsyncIngestClient):
        with pytest.raises(ConfigurationError, match="give a function that returns headers"):
            client("http://api.test", stream="orders", trace_headers={"traceparent": PARENT})  # type: ignore[arg-type]


def test_a_request_s_own_headers_are_its_own() -> None:
    bench = Bench(lambda: {"content-type": "text/plain", "x-partition-key": "forged", "traceparent": PARENT})
    with bench.client() as api:
        api.put(json.dumps({"a": 1}), partition_key="k")
    [entry] = bench.streams.taken()
    assert entry.partition_key == "k"
    assert bench.transport.requests[0].headers["content-type"] == "application/octet-stream"
