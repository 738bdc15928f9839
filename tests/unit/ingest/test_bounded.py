"""``put_all`` holds a few requests' worth of records, however many pass: counted by the records that are alive."""

from __future__ import annotations

import asyncio
import json
import weakref
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kstream import AsyncIngestClient, IngestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = 100_000
BATCH = 100
LANES = 3


class Payload(str):
    """Text that can be counted while it lives."""

    __slots__ = ("__weakref__",)


class Alive:
    """Makes payloads, and knows how many of them there are."""

    def __init__(self) -> None:
        self._alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self.most = 0

    def records(self) -> Iterator[tuple[str, str]]:
        for number in range(RECORDS):
            # Two that are equal are one to a set: so each has a number.
            payload = Payload(number)
            self._alive.add(payload)
            if number % 50 == 0:
                self.most = max(self.most, len(self._alive))
            yield payload, f"k{number % 17}"


def answered(request: httpx.Request) -> httpx.Response:
    one = {"sequenceNumber": "1", "shardId": "shardId-000000000000"}
    results = [one] * request.content.count(b'"dataBase64"')
    return httpx.Response(200, content=json.dumps({"failedCount": 0, "records": results}).encode())


async def answered_later(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(0)
    return answered(request)


OPTIONS: dict[str, Any] = {"stream": "orders", "max_in_flight": LANES, "max_batch_records": BATCH}


def put(alive: Alive) -> int:
    with IngestClient("http://api.test", transport=httpx.MockTransport(answered), **OPTIONS) as api:
        return api.put_all(alive.records()).put


def put_async(alive: Alive) -> int:
    async def run() -> int:
        transport = httpx.MockTransport(answered_later)
        async with AsyncIngestClient("http://api.test", transport=transport, **OPTIONS) as api:
            return (await api.put_all(alive.records())).put

    return asyncio.run(run())


@pytest.mark.parametrize("run", [put, put_async])
def test_of_many_records_a_few_requests_worth_is_alive(run: Any) -> None:
    """For each lane one request under way and one that waits; a settled one may be on its way to be forgotten."""
    alive = Alive()
    assert run(alive) == RECORDS
    assert BATCH <= alive.most <= 3 * LANES * BATCH
