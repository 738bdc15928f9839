"""``put_all`` of both clients over a million records: the peak of what Python allocates, beside that over 20,000.

The records are made one by one, and what answers is in the same process and keeps nothing: so what is left to grow is the
client. Peaks of ``tracemalloc``, which sees every allocation of Python's and slows them all; it says nothing about time.

Of a lane one request is under way and one waits, and both at their largest at once in every lane is rare: so the peak over
few records is chance, and the bound is on what all lanes may hold. Eight bytes left behind by each record would break it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from typing import TYPE_CHECKING

import httpx

from benchmarks.result import Bound, Result
from kstream import AsyncIngestClient, IngestClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "http://in-process.invalid"
STREAM = "orders"
RECORDS = 1_000_000
FEW = 20_000
PAYLOAD = b'{"order": 4711, "amount": 17.5, "note": "%s"}' % (b"x" * 156)
LANES = 4
# Records in the buffer: for each lane one request under way, and one that waits.
WINDOW = 2 * LANES * 500


def records(count: int) -> Iterator[tuple[bytes, str]]:
    for number in range(count):
        yield PAYLOAD, f"c-{number % 1_000}"


def answered(request: httpx.Request) -> httpx.Response:
    """Every record of the request is in the stream. Counted by a key that each has once; the JSON is not read."""
    count = request.content.count(b'"dataBase64"')
    one = {
        "sequenceNumber": "49650000000000000000000000000000000000000000000000000042",
        "shardId": "shardId-000000000000",
    }
    return httpx.Response(200, content=json.dumps({"failedCount": 0, "records": [one] * count}).encode())


async def answered_later(request: httpx.Request) -> httpx.Response:
    return answered(request)


def put(count: int) -> int:
    transport = httpx.MockTransport(answered)
    with IngestClient(URL, stream=STREAM, transport=transport, max_in_flight=LANES) as api:
        return api.put_all(records(count)).put


def put_async(count: int) -> int:
    async def run() -> int:
        transport = httpx.MockTransport(answered_later)
        async with AsyncIngestClient(URL, stream=STREAM, transport=transport, max_in_flight=LANES) as api:
            return (await api.put_all(records(count))).put

    return asyncio.run(run())


def peak(run: Callable[[int], int], count: int) -> int:
    """Bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        done = run(count)
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if done != count:
        raise RuntimeError(f"{done:,} of {count:,} records were put")
    return allocated


def run(*, quick: bool = False) -> Result:
    many = RECORDS // 10 if quick else RECORDS
    rows: list[tuple[str, ...]] = []
    bounds = []
    for name, client in (("IngestClient", put), ("AsyncIngestClient", put_async)):
        client(WINDOW)  # first use: imports, caches
        small, large = peak(client, FEW), peak(client, many)
        rows.append((name, f"{small / 1e6:.2f} MB", f"{large / 1e6:.2f} MB"))
        promise = f"{name}, peak over {many:,} records, bytes for each of the {WINDOW:,} in the buffer"
        bounds.append(Bound(promise, large / WINDOW, at_most=2_000))
    columns = ("client", f"peak over {FEW:,}", f"over {many:,}")
    return Result(
        f"put_all of {many:,} records of {len(PAYLOAD)} bytes, {LANES} requests at a time", columns, rows, bounds
    )
