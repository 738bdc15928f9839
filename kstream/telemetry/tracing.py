"""What every tracer does alike: which attempts of a batch get a span of their own, and which only count."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, TypedDict

from kstream.core.errors import ConfigurationError, Reject
from kstream.core.telemetry import Telemetry
from kstream.telemetry.showing import Showing, likely_samples
from kstream.telemetry.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext

SAMPLE_RATE = 0.01
SLOW_AFTER = 1.0

MOST_RECORDS = 100
"""Spans of records in one batch. The trace of a batch in which everything fails should still be one that can be read."""

MOST_SAMPLED = 10
"""Of them, those that were merely sampled, spread over the batch: each costs as much as a dozen records, and failures
must find room."""

LONGEST_MESSAGE = 500
"""Characters of an error's text that go into a trace."""

FRAMES = 10
"""Of an error's traceback, the innermost."""


class Shown(TypedDict, total=False):
    """What a tracer shows: the options of ``Tracing``."""

    sample_rate: float
    slow_after: float
    most_records: int
    most_sampled: int
    error_messages: bool


class BatchTrace(Protocol):
    """An open span of a batch. Its methods but ``close`` may be called from several threads, also after ``close``."""

    sampled: bool

    def open_record(self, record: Record, attempt: int) -> RecordTrace:
        """A span for what begins now, current in this thread or task until it is closed."""
        ...

    def tell_record(
        self, record: Record, attempt: int, error: BaseException | None, *, started_at: float, ended_at: float
    ) -> None:
        """A span for what is over already; seconds since the epoch."""
        ...

    def annotate(self, key: str, value: str | float | bool) -> None: ...

    def tell_deadline(self, outcome: Outcome) -> None:
        """Tells at once what is known so far, for there may be no ``close``."""
        ...

    def close(
        self,
        outcome: Outcome,
        error: BaseException | None,
        left_out: Mapping[str, int],
        failed_with: type[BaseException] | None,
    ) -> None:
        """``error``        what interrupted the batch.
        ``left_out``     how many attempts have no span, though they would have deserved one, by what they were.
        ``failed_with``  the first error that left a record undone."""
        ...


class RecordTrace(Protocol):
    """An open span of an attempt."""

    def annotate(self, key: str, value: str | float | bool) -> None: ...

    def close(self, error: BaseException | None) -> None:
        """In the thread or task that opened it."""
        ...


class Tracing(Telemetry, ABC):
    """A span per batch, and one for each attempt in it that failed, was slow, or was sampled.

    A record that failed in no attempt of its own, as those of a ``BatchHandler``, has one too, over the time of its batch.

    Thread-safe. What a handler starts in threads and tasks of kstream's is traced beneath the record in hand, if that has
    a span, and else beneath the batch.

    ``sample_rate``     the share of records, from 0 to 1, whose attempts get a span whatever becomes of them.
    ``slow_after``      seconds from which an attempt gets one.
    ``most_records``    spans of records in one batch; ``most_sampled``: of those that were sampled. The others are counted.
                        Where more would be sampled, the sample is thinned, evenly over the batch.
    ``error_messages``  whether an error's text goes into the trace, cut at 500 characters. Payloads never do, unless a
                        handler's own errors quote them: then say False.

    Raises ``ConfigurationError``.
    """

    def __init__(
        self,
        *,
        sample_rate: float = SAMPLE_RATE,
        slow_after: float = SLOW_AFTER,
        most_records: int = MOST_RECORDS,
        most_sampled: int = MOST_SAMPLED,
        error_messages: bool = True,
    ) -> None:
        if not 0 <= sample_rate <= 1:
            raise ConfigurationError(f"{type(self).__name__}(sample_rate={sample_rate!r}): a share of records, 0 to 1")
        if not slow_after >= 0:
            raise ConfigurationError(f"{type(self).__name__}(slow_after={slow_after!r}): seconds, 0 or more")
        for name, most in (("most_records", most_records), ("most_sampled", most_sampled)):
            if most < 0:
                raise ConfigurationError(f"{type(self).__name__}({name}={most!r}): a number, 0 or more")
        self.sample_rate = sample_rate
        self.slow_after = slow_after
        self._most = most_records, most_sampled
        self._error_messages = error_messages
        # Of this tracer alone: a consumer may have two. Copied into threads and tasks, so that an attempt that outlives
        # its batch still knows its own.
        self._batch: ContextVar[_Batch | None] = ContextVar("kstream_traced_batch", default=None)
        self._record: ContextVar[tuple[Record, RecordTrace] | None] = ContextVar("kstream_traced_record", default=None)
        # The attempt whose failure ``record_finished`` was told of last in this thread or task.
        self._told: ContextVar[tuple[str, int, int] | None] = ContextVar("kstream_traced_failure", default=None)
        self._latest: _Batch | None = None

    @abstractmethod
    def _open(self, context: BatchContext) -> BatchTrace | None:
        """An open span for the batch, current in this thread; None if nothing at all is to be traced."""

    def batch_started(self, context: BatchContext) -> None:
        self._record.set(None)
        self._told.set(None)
        trace = self._open(context)
        batch = None
        if trace is not None:
            likely = likely_samples(self.sample_rate or 0, len(context.batch.records))
            batch = _Batch(context, trace, Showing(*self._most, likely))
        self._batch.set(batch)
        self._latest = batch

    def batch_finished(self, outcome: Outcome) -> None:
        self._finish(outcome, None)

    def batch_interrupted(self, outcome: Outcome, error: BaseException) -> None:
        self._finish(outcome, error)

    def deadline_passed(self, context: BatchContext, outcome: Outcome) -> None:
        batch = self._latest
        if batch is not None and batch.context is context and batch.trace.sampled:
            batch.trace.tell_deadline(outcome)

    def record_started(self, record: Record, attempt: int) -> None:
        batch = self._batch.get()
        if batch is not None and batch.trace.sampled and batch.showing.shows_sampled():
            self._record.set((record, batch.trace.open_record(record, attempt)))

    def record_finished(
        self, record: Record, attempt: int, error: BaseException | None, *, started_at: float, ended_at: float
    ) -> None:
        batch = self._batch.get()
        if batch is None or not batch.trace.sampled:
            return
        if error is not None:
            self._told.set(_attempt(record, attempt))
        open_record = self._record.get()
        if open_record is not None and open_record[0] is record:
            self._record.set(None)
            open_record[1].close(error)
        elif error is not None or ended_at - started_at >= self.slow_after:
            kind = "slow" if error is None else type(error).__name__
            if batch.showing.shows(kind):
                batch.trace.tell_record(record, attempt, error, started_at=started_at, ended_at=ended_at)

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        batch = self._batch.get()
        if batch is None or not batch.trace.sampled:
            return
        if batch.failed_with is None and not parked:
            batch.failed_with = type(error)
        if self._told.get() != _attempt(record, attempt) and batch.showing.shows(type(error).__name__):
            # Nobody timed it: it failed untried, after its attempt, or in one call with others.
            started_at = batch.context.started_at
            ended_at = max(started_at, time.time())
            batch.trace.tell_record(record, attempt, error, started_at=started_at, ended_at=ended_at)

    def annotate(self, key: str, value: str | float | bool) -> None:
        if (open_record := self._record.get()) is not None:
            open_record[1].annotate(key, value)
        elif (batch := self._batch.get()) is not None and batch.trace.sampled:
            batch.trace.annotate(key, value)

    def _finish(self, outcome: Outcome, error: BaseException | None) -> None:
        batch = self._batch.get()
        self._batch.set(None)
        self._latest = None
        if batch is not None:
            batch.trace.close(outcome, error, batch.showing.left_out(), batch.failed_with)


class _Batch:
    __slots__ = ("context", "failed_with", "showing", "trace")

    def __init__(self, context: BatchContext, trace: BatchTrace, showing: Showing) -> None:
        self.context = context
        self.trace = trace
        self.showing = showing
        self.failed_with: type[BaseException] | None = None


def _attempt(record: Record, attempt: int) -> tuple[str, int, int]:
    # Not the record itself: that of an aggregate is made anew whenever it is asked for.
    return record.sequence_number, record.sub_sequence_number, attempt


def word_of(error: BaseException | None) -> str:
    """What an attempt came to, in a word."""
    if error is None:
        return "done"
    if isinstance(error, Reject):
        return "rejected"
    return "failed" if isinstance(error, Exception) else "interrupted"


def word_of_batch(outcome: Outcome, error: BaseException | None) -> str:
    """What a batch came to, in a word."""
    if error is not None:
        return "interrupted"
    if outcome.complete:
        return "complete"
    return "out_of_time" if outcome.out_of_time else "incomplete"


def message_of(error: BaseException) -> str:
    """An error's text, cut. Whatever its ``__str__`` does, this does not raise."""
    return text_of(error)[:LONGEST_MESSAGE]


def check_installed(module: str, tracer: str, extra: str) -> None:
    """Raises ``ConfigurationError`` if there is no such module, without importing it."""
    if find_spec(module) is None:
        raise ConfigurationError(f"{tracer} needs {module}: pip install 'kstream[{extra}]'")
