"""What ``IngestClient`` and ``AsyncIngestClient`` share: their options, and the course of one put. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest.address import checked_address
from kstream.ingest.collectors import end_early
from kstream.ingest.contract import checked_stream_name
from kstream.ingest.delivery import Delivery
from kstream.ingest.errors import IngestError, PartialFailure, Unavailable
from kstream.ingest.lanes import Lane
from kstream.ingest.records import IngestRecord, Item, item, payload_and_key
from kstream.ingest.results import PutFailure, described
from kstream.ingest.wire import fits_header, single_request

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from kstream.ingest.collectors import Collector, Tally
    from kstream.ingest.records import Puttable
    from kstream.ingest.results import Progress
    from kstream.ingest.wire import Answer, Request

# Below the 5 MiB that emulators take in one PutRecords, with what base64 adds to spare.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Options:
    """A client's options; see ``IngestClient``. Raises ``ConfigurationError`` for what cannot work."""

    url: str
    stream: str
    retry: Retry
    max_in_flight: int
    max_batch_records: int
    max_batch_bytes: int
    max_record_bytes: int
    strict_order: bool
    timeout: float
    uniform: Callable[[float, float], float]
    trace_headers: Callable[[], Mapping[str, str]] = dict

    def __post_init__(self) -> None:
        checked_address(self.url)
        for name in ("max_in_flight", "max_batch_records", "max_batch_bytes", "max_record_bytes"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigurationError(f"{name} is {value!r}; a whole number, at least 1")
        if self.max_batch_records > MAX_BATCH_RECORDS:
            raise ConfigurationError(
                f"max_batch_records is {self.max_batch_records}; the API takes 1 to {MAX_BATCH_RECORDS}"
            )
        if type(self.timeout) not in (int, float) or not 0 < self.timeout < math.inf:
            raise ConfigurationError(f"timeout is {self.timeout!r}; seconds, more than 0")
        if not isinstance(self.retry, Retry):
            raise ConfigurationError(f"retry is {self.retry!r}; a kstream.Retry, such as Retry(attempts=3)")
        checked_stream_name(self.stream)

    def lanes(self) -> list[Lane]:
        return [
            Lane(self.max_batch_records, self.max_batch_bytes, one_per_key=self.strict_order)
            for _ in range(self.max_in_flight)
        ]

    def delivery(self, items: Sequence[Item]) -> Delivery:
        """Of one request's records, which goes on with the trace that is under way where this is called."""
        return Delivery(self.stream, items, self.retry, self.uniform, self.trace_headers())

    def single(self, data: Puttable, partition_key: str | None) -> Delivery:
        """Of one record. Raises as ``payload_and_key`` does."""
        if isinstance(data, tuple):
            if partition_key is not None:
                raise TypeError("the record came with its own partition key; leave partition_key out")
            record: Puttable = data
        else:
            record = (data, partition_key)
        payload, key = payload_and_key(record, self.max_record_bytes)
        if not fits_header(key):
            return self.delivery([item(0, record, self.max_record_bytes)])
        delivery = self.delivery([Item(0, record, key, b"")])
        delivery.send_as(single_request(self.stream, payload, key))
        return delivery


def refuse_one(records: object) -> None:
    """Raises ``TypeError`` for a record where many are meant: its letters would each be put."""
    if isinstance(records, str | bytes | bytearray | memoryview | Mapping | IngestRecord):
        raise TypeError(
            f"this is one record, of type {type(records).__name__}: put it with put(), or give a list of it"
        )


@contextmanager
def needing_httpx(client: str) -> Iterator[None]:
    """Around an import. So the clients' names are there for whoever imports all names, httpx or not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ConfigurationError(f"{client} needs httpx: pip install 'kstream[ingest]'") from None


class Ended(Exception):
    """Putting ends before all is read, because of ``error``."""

    def __init__(self, error: IngestError) -> None:
        super().__init__(error)
        self.error = error


class Putting:
    """One ``put_many`` or ``put_all``: takes records, hears what became of them, and words the end."""

    def __init__(self, options: Options, collector: Collector, after: Callable[[], None] = lambda: None) -> None:
        self._options = options
        self._collector = collector
        self._after = after
        self._read = 0

    def take(self, record: Puttable) -> Item | None:
        """The next record, encoded; None if it cannot be put, and is accounted for. May raise ``Ended``."""
        index = self._read
        self._read += 1
        self._collector.read()
        try:
            return item(index, record, self._options.max_record_bytes)
        except IngestError as error:
            self._collector.refused(PutFailure(index, record, error, 0))
        self._after()
        return None

    def settled(self, delivery: Delivery) -> None:
        """May raise ``Ended``."""
        self._collector.settled(delivery)
        if delivery.fatal is not None:
            raise Ended(delivery.fatal)
        self._after()

    def ended(self, error: IngestError, last: Iterable[Delivery], unsent: Iterable[Item]) -> IngestError:
        """What to raise after ``Ended``."""
        end_early(self._collector, last, unsent, error)
        result = self._collector.result
        if not error.fatal:
            return PartialFailure(f"{error}; {described(result.failures, result.put + len(result.failures))}", result)
        error.result = result
        return error

    def interrupted(self, error: BaseException, last: Iterable[Delivery], unsent: Iterable[Item]) -> None:
        """Notes on ``error``, which is not ours, how far it came."""
        end_early(self._collector, last, unsent, Unavailable("not sent: putting was interrupted"))
        error.add_note(f"{self._collector.result.put:,} records had been put into {self._options.stream} before this")


def giving_up(tally: Tally, progress: Callable[[Progress], None] | None, max_failures: int) -> Callable[[], None]:
    """For ``put_all``: reports progress, and ends it once there are too many failures."""
    if type(max_failures) is not int or max_failures < 0:
        raise ConfigurationError(f"max_failures is {max_failures!r}; a whole number, 0 or more")
    if progress is not None and not callable(progress):
        raise ConfigurationError(f"progress is {progress!r}; give a function that takes a Progress")

    def after() -> None:
        now = tally.progress
        if progress is not None:
            progress(now)
        if now.failed > max_failures:
            raise Ended(Unavailable(f"not sent: put_all gave up after {now.failed:,} failures"))

    return after


def steps(
    delivery: Delivery, stopped: Callable[[], bool], now: Callable[[], float]
) -> Generator[float | Request, Answer | IngestError | None, None]:
    """What to do until all is settled: wait so many seconds, or send a request and tell its answer or its error. An error
    of waiting is one that ends it."""
    while not delivery.settled:
        answer: Answer | IngestError | None = None
        if delivery.attempts:
            if not stopped():
                answer = yield delivery.pause
            if answer is None and stopped():
                delivery.abandon(Unavailable("not tried again: putting ended early"))
                return
        if answer is None:
            answer = yield delivery.request()
        if isinstance(answer, Unavailable):
            delivery.lost(str(answer))
        elif isinstance(answer, IngestError):
            delivery.abandon(answer)
            delivery.fatal = answer
        else:
            assert answer is not None
            delivery.answered(answer, now())
