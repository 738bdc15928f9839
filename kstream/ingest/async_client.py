"""``AsyncIngestClient``: ``IngestClient`` for an event loop. Needs httpx (extra ``ingest``).

What it decides, it decides with the same code (``putting``, ``delivery``, ``lanes``); so what ``client`` says about
at-least-once and order holds here too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Self

from kstream.clock import SystemClock
from kstream.core.retry import Retry
from kstream.ingest.async_traffic import AsyncTraffic
from kstream.ingest.collectors import Outcomes, Tally
from kstream.ingest.contract import Limits
from kstream.ingest.errors import IngestError
from kstream.ingest.pauses import Pauses
from kstream.ingest.putting import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    Ended,
    Options,
    Putting,
    giving_up,
    needing_httpx,
    refuse_one,
    steps,
)
from kstream.ingest.results import PutFailure
from kstream.ingest.trace_headers import TraceHeaders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    import httpx

    from kstream.core.ports import Clock
    from kstream.ingest.auth import SetHeaders, Signer, Together
    from kstream.ingest.delivery import Delivery
    from kstream.ingest.records import Item, Puttable
    from kstream.ingest.results import BatchResult, BulkResult, Progress, PutResult
    from kstream.ingest.wire import Answer


class AsyncIngestClient:
    """Puts records into one stream through the API at ``url``. For one event loop; an asynchronous context manager, else
    ``await aclose()`` it.

    The options are those of ``IngestClient``. ``auth`` that blocks does so on a thread; ``trace_headers`` is called on the
    event loop, in the context of whoever puts, and must not block. Records may come from an
    asynchronous iterable as well as from any other. Coroutines that put at the same time share connections, and have no
    order among each other. Cancelling one ends its requests; what they carried may be in the stream.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str,
        auth: httpx.Auth | SetHeaders | Signer | Together | None = None,
        retry: Retry | None = None,
        max_in_flight: int = 1,
        max_batch_records: int = MAX_BATCH_RECORDS,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        max_record_bytes: int = Limits().record_bytes,
        strict_order: bool = False,
        timeout: float = 30.0,
        trace_headers: Callable[[], Mapping[str, str]] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._options = Options(
            url=url,
            stream=stream,
            retry=Retry(attempts=8) if retry is None else retry,
            max_in_flight=max_in_flight,
            max_batch_records=max_batch_records,
            max_batch_bytes=max_batch_bytes,
            max_record_bytes=max_record_bytes,
            strict_order=strict_order,
            timeout=timeout,
            uniform=uniform,
            trace_headers=TraceHeaders(trace_headers or dict),
        )
        self._clock: Clock = clock or SystemClock()
        self._pauses = Pauses(clock)
        with needing_httpx("AsyncIngestClient"):
            from kstream.ingest.http_sender import AsyncHttpSender
        self._sender = AsyncHttpSender(self._options, auth, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the connections. Nothing waits unsent: every method returns when its records are settled. Of those that
        have not returned, what was under way or would have been tried again is ``ClientClosed``."""
        self._pauses.end()
        await self._sender.close()

    async def put(self, data: Puttable, *, partition_key: str | None = None) -> PutResult:
        """``IngestClient.put``."""
        delivery = self._options.single(data, partition_key)
        outcome = (await self._drive(delivery, asyncio.Event())).outcomes[0]
        if isinstance(outcome, PutFailure):
            raise outcome.error
        return outcome

    async def put_many(self, records: Iterable[Puttable] | AsyncIterable[Puttable]) -> BatchResult:
        """``IngestClient.put_many``."""
        refuse_one(records)
        outcomes = Outcomes()
        await self._put(records, Putting(self._options, outcomes))
        return outcomes.result

    async def put_all(
        self,
        records: Iterable[Puttable] | AsyncIterable[Puttable],
        *,
        progress: Callable[[Progress], None] | None = None,
        max_failures: int = 1_000,
    ) -> BulkResult:
        """``IngestClient.put_all``. ``progress`` is called on the event loop, and must not block."""
        refuse_one(records)
        tally = Tally()
        await self._put(records, Putting(self._options, tally, giving_up(tally, progress, max_failures)))
        return tally.result

    async def _put(self, records: Iterable[Puttable] | AsyncIterable[Puttable], putting: Putting) -> None:
        traffic = AsyncTraffic(self._options.lanes(), self._settle, putting.settled)
        try:
            async for record in _each(records):
                item = putting.take(record)
                if item is not None:
                    await traffic.add(item)
            await traffic.finish()
        except Ended as ended:
            raise putting.ended(ended.error, *await traffic.stop()) from None
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            putting.interrupted(error, *await traffic.stop(cancel=cancelled))
            raise

    async def _settle(self, items: Sequence[Item], stop: asyncio.Event) -> Delivery:
        return await self._drive(self._options.delivery(items), stop)

    async def _drive(self, delivery: Delivery, stop: asyncio.Event) -> Delivery:
        course = steps(delivery, stop.is_set, self._clock.time)
        answer: Answer | IngestError | None = None
        while True:
            try:
                step = course.send(answer)
            except StopIteration:
                return delivery
            if isinstance(step, float):
                answer = await self._pauses.wait_async(step, stop)
                continue
            try:
                answer = await self._sender.send(step)
            except IngestError as error:
                answer = error


async def _each(records: Iterable[Puttable] | AsyncIterable[Puttable]) -> AsyncIterator[Puttable]:
    if isinstance(records, AsyncIterable):
        async for record in records:
            yield record
    else:
        for record in records:
            yield record
