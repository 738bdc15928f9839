"""Waiting between attempts, and ending early. What is waited for here is an hour: who does not end early, never ends."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tenacity import wait_fixed

from kstream import AsyncIngestClient, IngestClient
from kstream.core.retry import Retry
from kstream.ingest.errors import ClientClosed, NotAuthorized
from kstream.ingest.pauses import Pauses
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HOUR = 3600.0
PATIENT = Retry(attempts=3, wait=wait_fixed(HOUR))
OPTIONS: dict[str, Any] = {"stream": "orders", "retry": PATIENT, "max_batch_records": 1, "max_in_flight": 2}


def test_a_pause_ends_when_putting_does() -> None:
    ended = threading.Event()
    threading.Timer(0, ended.set).start()
    Pauses(None).wait(HOUR, ended)
    assert ended.is_set()


def test_a_pause_on_an_event_loop_ends_when_putting_does() -> None:
    async def run() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().call_soon(ended.set)
        await Pauses(None).wait_async(HOUR, ended)
        await Pauses(None).wait_async(0.0, asyncio.Event())

    asyncio.run(run())


def test_a_given_clock_says_what_a_pause_is() -> None:
    clock = VirtualClock()
    Pauses(clock).wait(HOUR, threading.Event())
    asyncio.run(Pauses(clock).wait_async(HOUR, asyncio.Event()))
    assert clock.monotonic() == 2 * HOUR


class Throttling:
    """Throttles the first request; answers the others with ``status`` once the first has been answered."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.waiting = threading.Event()

    def answer(self, request: httpx.Request) -> httpx.Response:
        if not self.waiting.is_set():
            return httpx.Response(429, json={"error": {"code": "Throttled", "message": "m", "requestId": "r"}})
        return httpx.Response(self.status, json={"error": {"code": "Unauthorized", "message": "m", "requestId": "r"}})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answer(request)
        self.waiting.set()
        return answer

    async def on_a_loop(self, request: httpx.Request) -> httpx.Response:
        return self(request)


def records(throttling: Throttling, error: BaseException | None) -> Iterator[tuple[str, str]]:
    # Keys a and d go by different lanes.
    yield "a", "a"
    throttling.waiting.wait()
    if error is not None:
        raise error
    yield "b", "d"


async def records_on_a_loop(throttling: Throttling, error: BaseException | None) -> AsyncIterator[tuple[str, str]]:
    yield "a", "a"
    await asyncio.to_thread(throttling.waiting.wait)
    if error is not None:
        raise error
    yield "b", "d"


def put(mode: str, throttling: Throttling, error: BaseException | None = None) -> None:
    if mode == "sync":
        with IngestClient("http://api.test", transport=httpx.MockTransport(throttling), **OPTIONS) as api:
            api.put_all(records(throttling, error))
        return

    async def run() -> None:
        transport = httpx.MockTransport(throttling.on_a_loop)
        async with AsyncIngestClient("http://api.test", transport=transport, **OPTIONS) as api:
            await api.put_all(records_on_a_loop(throttling, error))

    asyncio.run(run())


both = pytest.mark.parametrize("mode", ["sync", "async"])


@both
def test_a_fatal_error_does_not_wait_for_a_lane_that_pauses(mode: str) -> None:
    with pytest.raises(NotAuthorized) as told:
        put(mode, Throttling(401))
    assert told.value.result is not None
    assert sorted(str(failure.error) for failure in told.value.result.failures)[1:] == [
        "not tried again: putting ended early"
    ]


@both
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_what_ends_the_source_does_not_wait_for_a_lane_that_pauses(mode: str, error: type[BaseException]) -> None:
    with pytest.raises(error) as told:
        put(mode, Throttling(200), error())
    assert told.value.__notes__ == ["0 records had been put into orders before this"]


@pytest.mark.parametrize("method", ["put", "put_many", "put_all"])
def test_closing_ends_the_pauses_of_other_threads(method: str) -> None:
    """Who closes a client that is being throttled would else wait through all of its attempts."""
    throttling = Throttling(429)
    told: list[ClientClosed] = []
    client = IngestClient("http://api.test", transport=httpx.MockTransport(throttling), **OPTIONS)

    def put_elsewhere() -> None:
        with pytest.raises(ClientClosed) as closed:
            getattr(client, method)("x" if method == "put" else ["x", "y"])
        told.append(closed.value)

    thread = threading.Thread(target=put_elsewhere)
    thread.start()
    throttling.waiting.wait()
    client.close()
    thread.join()
    (error,) = told
    if method != "put":
        assert error.result is not None
        assert (error.result.put, len(error.result.failures)) == (0, 2)


@pytest.mark.parametrize("method", ["put", "put_many", "put_all"])
def test_closing_ends_the_pauses_of_other_tasks(method: str) -> None:
    throttling = Throttling(429)

    async def run() -> None:
        transport = httpx.MockTransport(throttling.on_a_loop)
        client = AsyncIngestClient("http://api.test", transport=transport, **OPTIONS)
        putting = asyncio.create_task(getattr(client, method)("x" if method == "put" else ["x", "y"]))
        await asyncio.to_thread(throttling.waiting.wait)
        await client.aclose()
        with pytest.raises(ClientClosed):
            await putting

    asyncio.run(run())


def test_no_pause_begins_once_pauses_are_over() -> None:
    pauses = Pauses(None)
    pauses.end()
    assert isinstance(pauses.wait(HOUR, threading.Event()), ClientClosed)
    assert isinstance(asyncio.run(pauses.wait_async(HOUR, asyncio.Event())), ClientClosed)
