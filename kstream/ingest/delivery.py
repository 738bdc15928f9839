"""One request's worth of records, until each is settled. A pure state machine: no I/O, no clock, no randomness.

    request() ──> send it ──> answered(...) or lost(...) ──> settled? ──yes──> outcomes
        ^                                                       │no
        └────────────────── wait ``pause`` seconds <────────────┘

Each further request holds only the records that failed and may be tried again, in their order. A thread and an event
loop can drive it alike.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from kstream.ingest.errors import Unavailable
from kstream.ingest.results import PutFailure, PutResult
from kstream.ingest.wire import batch_request, read_batch, read_single, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kstream.core.retry import Retry
    from kstream.ingest.errors import IngestError
    from kstream.ingest.records import Item
    from kstream.ingest.results import Outcome
    from kstream.ingest.wire import Answer, Request


class Delivery:
    """Drives ``items`` to their outcomes. Used by one thread at a time.

    ``retry``: how often and how long; ``uniform(low, high)`` is the source of its jitter. ``send_as`` before the first
    request sends the one item by the operation for single records. ``trace``: headers of each request, retries included.
    """

    def __init__(
        self,
        stream: str,
        items: Sequence[Item],
        retry: Retry,
        uniform: Callable[[float, float], float],
        trace: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.items = items
        self.attempts = 0
        self.retried = 0
        self.pause = 0.0
        self.fatal: IngestError | None = None
        self._stream = stream
        self._retry = retry
        self._uniform = uniform
        self._trace = trace
        self._single: Request | None = None
        self._outcomes: list[Outcome | None] = [None] * len(items)
        self._pending = list(range(len(items)))

    @property
    def settled(self) -> bool:
        return not self._pending

    @property
    def outcomes(self) -> list[Outcome]:
        """One for each item, in their order. Complete once ``settled``."""
        return [outcome for outcome in self._outcomes if outcome is not None]

    def send_as(self, request: Request) -> None:
        """The one item goes by this request instead of a batch."""
        self._single = request

    def request(self) -> Request:
        """What to send now. Counts as an attempt."""
        self.attempts += 1
        if self.attempts > 1:
            self.retried += len(self._pending)
        request = self._single
        if request is None:
            request = batch_request(self._stream, [self.items[place].fragment for place in self._pending])
        return request._replace(headers={**request.headers, **self._trace})

    def answered(self, answer: Answer, now: float) -> None:
        """``now``: seconds since the epoch, for a Retry-After that is a date."""
        results = read_single(answer) if self._single else read_batch(answer, len(self._pending))
        self._take(results, retry_after(answer, now))

    def lost(self, reason: str) -> None:
        """No answer came. The records may be in the stream all the same; sending them again may double them."""
        self._take([Unavailable(reason)] * len(self._pending), 0.0)

    def abandon(self, reason: IngestError) -> None:
        """Nothing further is sent; what is not settled has failed with ``reason``."""
        for place in self._pending:
            self._fail(place, reason)
        self._pending = []

    def _take(self, results: Sequence[PutResult | IngestError], asked_to_wait: float) -> None:
        again: list[int] = []
        last_error: IngestError | None = None
        for place, result in zip(self._pending, results, strict=True):
            if isinstance(result, PutResult):
                self._outcomes[place] = result
            elif result.retried and self._retry.allows(result, self.attempts):
                again.append(place)
                last_error = result
            else:
                self._fail(place, result)
                if result.fatal:
                    self.fatal = result
        self._pending = again
        if last_error is not None:
            # Jitter on top of what was asked for: those who were refused together shall not come back together.
            self.pause = asked_to_wait + self._retry.pause(last_error, self.attempts, self._uniform)

    def _fail(self, place: int, error: IngestError) -> None:
        item = self.items[place]
        self._outcomes[place] = PutFailure(item.ordinal, item.record, error, self.attempts)
