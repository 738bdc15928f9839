"""``IngestClient``: puts records through the ingest API. Needs httpx (extra ``ingest``).

**At least once.** A request whose answer is lost (a timeout, a broken connection, some 5xx) is sent again, though its
records may be in the stream already: then they are there twice. Nothing is dropped silently: each record ends in a
result, as put or as a failure with its reason.

**Order.** Records of one partition key are put in the order given, as far as the API allows:

- No request overtakes an earlier one of the same key: the next is sent once the one before is settled, retries of its
  failed records included. That holds for any ``max_in_flight``, since a key keeps to one lane.
- Within one request Kinesis promises no order (API reference, "PutRecords"): if it refuses one record and takes a later
  one of the same key, the refused one comes behind when it is put again. ``strict_order=True`` rules that out with
  requests that hold at most one record of each key; with few keys these are small and slow.
- A record that fails for good does not hold up the later ones of its key.
- Separate calls from several threads have no order among each other, and records without a key have none at all.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Self

from kstream.clock import SystemClock
from kstream.core.retry import Retry
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
from kstream.ingest.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    import httpx

    from kstream.core.ports import Clock
    from kstream.ingest.auth import SetHeaders, Signer, Together
    from kstream.ingest.delivery import Delivery
    from kstream.ingest.records import Puttable
    from kstream.ingest.results import BatchResult, BulkResult, Progress, PutResult
    from kstream.ingest.wire import Answer


class IngestClient:
    """Puts records into one stream through the API at ``url``. Thread-safe. A context manager; else ``close()`` it.

    ``stream``            the stream's name.
    ``auth``              ``SigV4``, ``BearerToken``, ``ApiKey`` of ``kstream.ingest.auth``, or a function that sets headers;
                          a tuple of these, if the API asks for several; or any ``httpx.Auth``.
    ``retry``             attempts for each request and the pauses between them (full jitter, on top of Retry-After).
                          Retried are the failed records alone. Its ``on`` and ``exhausted`` mean nothing here.
    ``max_in_flight``     requests of one ``put_many`` or ``put_all`` under way at a time.
    ``strict_order``      at most one record of each key in a request; see the module.
    ``max_record_bytes``  data and key of one record; more where the stream and the API allow more, and 1 KiB less
                          (``contract.MOST_ENVELOPE_BYTES``) where the stream puts records into envelopes.
    ``timeout``           seconds, for the connection and for each wait within an answer.
    ``trace_headers``     says which trace a request goes on with: ``traceparent``, ``tracestate``, ``X-Amzn-Trace-Id``.
                          Called on the thread that puts, once for each request (its retries say the same). What it raises
                          is logged, and the request goes without. A consumer finds them in ``record.headers`` if the
                          stream has ``envelope``.
    ``transport``, ``clock``, ``uniform``  for tests: httpx's transport, time, and ``random.uniform``.

    Raises ``ConfigurationError`` for what cannot work, and without httpx. Once it is closed, every method raises
    ``ClientClosed``.
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
        transport: httpx.BaseTransport | None = None,
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
        with needing_httpx("IngestClient"):
            from kstream.ingest.http_sender import HttpSender
        self._sender = HttpSender(self._options, auth, transport)
        self._executor = ThreadPoolExecutor(max_in_flight, thread_name_prefix=f"ingest-client-{stream}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections. Nothing waits unsent: every method returns when its records are settled.

        Requests of other threads are waited for, but none is tried again: what they carried is ``ClientClosed``.
        """
        self._pauses.end()
        self._executor.shutdown()
        self._sender.close()

    def put(self, data: Puttable, *, partition_key: str | None = None) -> PutResult:
        """Puts one record. Raises an ``IngestError`` if it is not in the stream after all attempts.

        ``data``: bytes as they are, text in UTF-8, a mapping as JSON; or a pair with its key, or an ``IngestRecord``.
        """
        delivery = self._options.single(data, partition_key)
        outcome = self._drive(delivery, Event()).outcomes[0]
        if isinstance(outcome, PutFailure):
            raise outcome.error
        return outcome

    def put_many(self, records: Iterable[Puttable]) -> BatchResult:
        """Puts any number of records, and tells for each what became of it, in their order.

        A failure is a value; ``result.raise_for_failures()`` makes it an exception. Only what would befall every
        record alike (``error.fatal``) is raised at once, with ``error.result``. ``TypeError`` for a single record.
        """
        refuse_one(records)
        outcomes = Outcomes()
        self._put(records, Putting(self._options, outcomes))
        return outcomes.result

    def put_all(
        self,
        records: Iterable[Puttable],
        *,
        progress: Callable[[Progress], None] | None = None,
        max_failures: int = 1_000,
    ) -> BulkResult:
        """Puts as many records as come, in bounded memory: about two requests' worth for each ``max_in_flight``.

        ``progress``      called on this thread whenever a request's records are settled.
        ``max_failures``  with more failures than this it gives up: ``PartialFailure``, with its ``result``.

        Fatal errors are raised at once, with ``error.result``; ``TypeError`` for a single record. If ``records``
        itself raises, that passes on unchanged but for a note that counts what was put.
        """
        refuse_one(records)
        tally = Tally()
        self._put(records, Putting(self._options, tally, giving_up(tally, progress, max_failures)))
        return tally.result

    def _put(self, records: Iterable[Puttable], putting: Putting) -> None:
        traffic = Traffic(self._options.lanes(), self._executor, self._options.delivery, self._drive, putting.settled)
        try:
            for record in records:
                item = putting.take(record)
                if item is not None:
                    traffic.add(item)
            traffic.finish()
        except Ended as ended:
            raise putting.ended(ended.error, *traffic.stop()) from None
        except BaseException as error:
            putting.interrupted(error, *traffic.stop())
            raise

    def _drive(self, delivery: Delivery, stop: Event) -> Delivery:
        """Sends until all is settled; on whatever thread."""
        course = steps(delivery, stop.is_set, self._clock.time)
        answer: Answer | IngestError | None = None
        while True:
            try:
                step = course.send(answer)
            except StopIteration:
                return delivery
            if isinstance(step, float):
                answer = self._pauses.wait(step, stop)
                continue
            try:
                answer = self._sender.send(step)
            except IngestError as error:
                answer = error
