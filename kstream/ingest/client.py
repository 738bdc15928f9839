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
from urllib.parse import urlsplit

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest.collectors import Outcomes, Tally, end_early
from kstream.ingest.contract import Limits, checked_stream_name
from kstream.ingest.delivery import Delivery
from kstream.ingest.errors import IngestError, PartialFailure, Unavailable
from kstream.ingest.lanes import Lane
from kstream.ingest.records import Item, item, payload_and_key
from kstream.ingest.results import PutFailure, described
from kstream.ingest.traffic import Traffic
from kstream.ingest.wire import fits_header, single_request

try:
    from kstream.ingest.http_sender import HttpSender
except ModuleNotFoundError as error:  # pragma: no cover - the development environment has it
    raise ImportError("IngestClient needs httpx: pip install 'kstream[ingest]'") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    import httpx

    from kstream.core.ports import Clock
    from kstream.ingest.auth import SetHeaders
    from kstream.ingest.collectors import Collector
    from kstream.ingest.records import Puttable
    from kstream.ingest.results import BatchResult, BulkResult, Progress, PutResult

# Below the 5 MiB that emulators take in one PutRecords, with what base64 adds to spare.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_RECORDS = 500


class _Ended(Exception):
    """Putting ends before all is read, because of ``error``."""

    def __init__(self, error: IngestError) -> None:
        super().__init__(error)
        self.error = error


class IngestClient:
    """Puts records into one stream through the API at ``url``. Thread-safe. A context manager; else ``close()`` it.

    ``stream``            the stream's name.
    ``auth``              ``BearerToken``, ``ApiKey``, any ``httpx.Auth``, or a function that sets headers.
    ``retry``             attempts for each request and the pauses between them (full jitter, on top of Retry-After).
                          Retried are the failed records alone. Its ``on`` and ``exhausted`` mean nothing here.
    ``max_in_flight``     requests of one ``put_many`` or ``put_all`` under way at a time.
    ``strict_order``      at most one record of each key in a request; see the module.
    ``max_record_bytes``  data and key of one record; more where the stream and the API allow more.
    ``timeout``           seconds, for the connection and for each wait within an answer.
    ``transport``, ``clock``, ``uniform``  for tests: httpx's transport, time, and ``random.uniform``.

    Raises ``ConfigurationError`` for an address or a name that cannot work.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str,
        auth: httpx.Auth | SetHeaders | None = None,
        retry: Retry | None = None,
        max_in_flight: int = 1,
        max_batch_records: int = MAX_BATCH_RECORDS,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        max_record_bytes: int = Limits().record_bytes,
        strict_order: bool = False,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigurationError(f"the ingest API's address is {url!r}; it is like 'https://host/stage'")
        if max_in_flight < 1:
            raise ConfigurationError(f"max_in_flight is {max_in_flight}; at least 1")
        if not 1 <= max_batch_records <= MAX_BATCH_RECORDS:
            raise ConfigurationError(
                f"max_batch_records is {max_batch_records}; the API takes 1 to {MAX_BATCH_RECORDS}"
            )
        self._stream = checked_stream_name(stream)
        self._retry = retry or Retry(attempts=8)
        self._max_in_flight = max_in_flight
        self._max_batch_records = max_batch_records
        self._max_batch_bytes = max_batch_bytes
        self._max_record_bytes = max_record_bytes
        self._strict_order = strict_order
        self._clock: Clock = clock or SystemClock()
        self._uniform = uniform
        self._sender = HttpSender(url, auth=auth, timeout=timeout, transport=transport, connections=max_in_flight)
        self._executor = ThreadPoolExecutor(max_in_flight, thread_name_prefix=f"ingest-client-{stream}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections. Nothing waits unsent: every method returns when its records are settled."""
        self._executor.shutdown()
        self._sender.close()

    def put(self, data: Puttable, *, partition_key: str | None = None) -> PutResult:
        """Puts one record. Raises an ``IngestError`` if it is not in the stream after all attempts.

        ``data``: bytes as they are, text in UTF-8, a mapping as JSON; or a pair with its key, or an ``IngestRecord``.
        """
        if isinstance(data, tuple):
            if partition_key is not None:
                raise TypeError("the record came with its own partition key; leave partition_key out")
            record: Puttable = data
        else:
            record = (data, partition_key)
        payload, key = payload_and_key(record, self._max_record_bytes)
        if fits_header(key):
            request = single_request(self._stream, payload, key)
            delivery = self._delivery([Item(0, record, key, b"")])
            delivery.send_as(request)
        else:
            delivery = self._delivery([item(0, record, self._max_record_bytes)])
        outcome = self._drive(delivery, Event()).outcomes[0]
        if isinstance(outcome, PutFailure):
            raise outcome.error
        return outcome

    def put_many(self, records: Iterable[Puttable]) -> BatchResult:
        """Puts any number of records, and tells for each what became of it, in their order.

        A failure is a value; ``result.raise_for_failures()`` makes it an exception. Only what would befall every
        record alike (``error.fatal``) is raised at once, with ``error.result``.
        """
        outcomes = Outcomes()
        self._put(records, outcomes, lambda: None)
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

        Fatal errors are raised at once, with ``error.result``. If ``records`` itself raises, that passes on unchanged
        but for a note that counts what was put.
        """
        tally = Tally()

        def settled() -> None:
            now = tally.progress
            if progress is not None:
                progress(now)
            if now.failed > max_failures:
                raise _Ended(Unavailable(f"not sent: put_all gave up after {now.failed:,} failures"))

        self._put(records, tally, settled)
        return tally.result

    def _put(self, records: Iterable[Puttable], collector: Collector, after: Callable[[], None]) -> None:
        def settled(delivery: Delivery) -> None:
            collector.settled(delivery)
            if delivery.fatal is not None:
                raise _Ended(delivery.fatal)
            after()

        lanes = [
            Lane(self._max_batch_records, self._max_batch_bytes, one_per_key=self._strict_order)
            for _ in range(self._max_in_flight)
        ]
        traffic = Traffic(lanes, self._executor, self._settle, settled)
        try:
            for index, record in enumerate(records):
                collector.read()
                try:
                    encoded = item(index, record, self._max_record_bytes)
                except IngestError as error:
                    collector.refused(PutFailure(index, record, error, 0))
                    after()
                else:
                    traffic.add(encoded)
            traffic.finish()
        except _Ended as ended:
            end_early(collector, *traffic.stop(), ended.error)
            raise _with_result(ended.error, collector.result) from None
        except BaseException as error:
            end_early(collector, *traffic.stop(), Unavailable("not sent: putting was interrupted"))
            error.add_note(f"{collector.result.put:,} records had been put into {self._stream} before this")
            raise

    def _delivery(self, items: Sequence[Item]) -> Delivery:
        return Delivery(self._stream, items, self._retry, self._uniform)

    def _settle(self, items: Sequence[Item], stop: Event) -> Delivery:
        return self._drive(self._delivery(items), stop)

    def _drive(self, delivery: Delivery, stop: Event) -> Delivery:
        """Sends until all is settled; on whatever thread."""
        while not delivery.settled:
            if delivery.attempts:
                if not stop.is_set():
                    self._clock.sleep(delivery.pause)
                if stop.is_set():
                    delivery.abandon(Unavailable("not tried again: putting ended early"))
                    break
            try:
                answer = self._sender.send(delivery.request())
            except Unavailable as error:
                delivery.lost(str(error))
            except IngestError as error:
                delivery.abandon(error)
                delivery.fatal = error
            else:
                delivery.answered(answer, self._clock.time())
        return delivery


def _with_result(error: IngestError, result: BatchResult | BulkResult) -> IngestError:
    if not error.fatal:
        return PartialFailure(f"{error}; {described(result.failures, result.put + len(result.failures))}", result)
    error.result = result
    return error
