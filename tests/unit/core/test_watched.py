"""Attempts that somebody watches: the sampled, the failed and the slow, each with its time, in its own thread or task."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.consumer import Consumer
from kstream.core.handler import BatchHandler, Handler
from kstream.core.processor import Processor
from kstream.core.retry import Retry
from kstream.core.telemetry import Telemetry
from kstream.testing.clock import VirtualClock
from tests.support.processing import WAYS, Script, batch, entry, handler_for, workers_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.record import Record
    from tests.support.processing import Way


class Watches(Telemetry):
    def __init__(self, sample_rate: float | None = 0.0, slow_after: float = float("inf")) -> None:
        self.sample_rate = sample_rate
        self.slow_after = slow_after
        self.started: list[tuple[str, int]] = []
        self.finished: list[tuple[str, int, str | None, float]] = []
        self.places: dict[str, object] = {}
        self.lock = threading.Lock()

    def record_started(self, record: Record, attempt: int) -> None:
        with self.lock:
            self.started.append((record.sequence_number, attempt))
            self.places[record.sequence_number] = threading.get_ident()

    def record_finished(
        self, record: Record, attempt: int, error: BaseException | None, *, started_at: float, ended_at: float
    ) -> None:
        with self.lock:
            took = ended_at - started_at
            self.finished.append((record.sequence_number, attempt, type(error).__name__ if error else None, took))
            assert self.places.get(record.sequence_number, threading.get_ident()) == threading.get_ident()


def run(
    handler: Any, telemetry: Watches | Sequence[Telemetry], records: int, *, workers: int = 1, seed: int = 0
) -> None:
    consumer = Consumer(handler, ordering="none", retry=Retry(attempts=3, base=0), max_workers=workers)
    watching = [telemetry] if isinstance(telemetry, Watches) else telemetry
    # The consumer names none of its own.
    processor = Processor(consumer, clock=CLOCK, uniform=random.Random(seed).uniform, telemetry=watching)
    try:
        processor.process(batch(*(entry(number) for number in range(records))))
    finally:
        processor.close()


CLOCK = VirtualClock(1_000)


@pytest.mark.parametrize("way", WAYS)
def test_every_attempt_of_a_sampled_record_is_announced_and_told_with_its_number(way: Way) -> None:
    watches = Watches(sample_rate=1.0)
    run(handler_for(way, Script(failing={(1, 0): 2})), watches, 3, workers=workers_for(way))
    assert sorted(watches.started) == [("0", 1), ("1", 1), ("1", 2), ("1", 3), ("2", 1)]
    assert sorted((number, attempt) for number, attempt, _, _ in watches.finished) == sorted(watches.started)
    assert {error for number, _, error, _ in watches.finished if number == "1"} == {"Transient", None}


@pytest.mark.parametrize("way", WAYS)
def test_where_nothing_is_sampled_only_failures_and_slow_attempts_are_told(way: Way) -> None:
    slow = Script(
        failing={(3, 0): 1}, before=lambda record: CLOCK.advance(5) if record.sequence_number == "1" else None
    )
    watches = Watches(slow_after=5)
    run(handler_for(way, slow), watches, 5, workers=1)
    assert watches.started == []
    assert watches.finished == [("1", 1, None, 5.0), ("3", 1, "Transient", 0.0)]


@given(rate=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_a_share_of_the_records_is_sampled(rate: float, seed: int) -> None:
    """As if each were drawn by itself: the number lies where a binomial one does, nine standard deviations wide."""
    records = 1_000
    watches = Watches(sample_rate=rate)
    run(handler_for("inline", Script()), watches, records, seed=seed)
    spread = (records * rate * (1 - rate)) ** 0.5
    assert abs(len(watches.started) - records * rate) <= 9 * spread + 1
    assert len(watches.finished) == len(watches.started)


@pytest.mark.parametrize("way", WAYS)
def test_each_hears_of_its_own_sample_and_of_what_is_slow_to_itself(way: Way) -> None:
    """Whoever else is there; failures go to all that time records."""
    slow = Script(
        failing={(3, 0): 1}, before=lambda record: CLOCK.advance(5) if record.sequence_number == "1" else None
    )
    every, few, patient, deaf = Watches(1.0), Watches(0.0, slow_after=5), Watches(0.0, slow_after=6), Watches(None)
    run(handler_for(way, slow), [every, few, deaf, patient], 5)
    assert [number for number, _ in every.started] == ["0", "1", "2", "3", "3", "4"]
    assert len(every.finished) == 6
    assert (few.started, patient.started) == ([], [])
    assert few.finished == [("1", 1, None, 5.0), ("3", 1, "Transient", 0.0)]
    assert patient.finished == [("3", 1, "Transient", 0.0)]
    assert (deaf.started, deaf.finished) == ([], [])


def test_two_that_sample_are_nested_in_the_order_of_their_naming() -> None:
    """So that a tracer's span is current within the one that was named before it."""
    heard: list[str] = []

    class Named(Watches):
        def __init__(self, name: str) -> None:
            super().__init__(sample_rate=1.0)
            self.name = name

        def record_started(self, record: Record, attempt: int) -> None:
            heard.append(f"{self.name} started")

        def record_finished(self, record: Record, attempt: int, error: BaseException | None, **times: float) -> None:
            heard.append(f"{self.name} finished")

    run(handler_for("inline", Script()), [Named("first"), Named("second")], 1)
    assert heard == ["first started", "second started", "second finished", "first finished"]


def test_without_anybody_who_times_records_process_stays_as_it_is() -> None:
    """So that what nobody watches costs nothing."""
    handler = handler_for("inline", Script())
    for telemetry in ((), (Watches(sample_rate=None),)):
        processor = Processor(Consumer(handler), clock=CLOCK, uniform=random.uniform, telemetry=telemetry)
        assert processor._process == handler.process


def test_a_batch_handler_s_records_are_not_attempted_one_by_one() -> None:
    class Whole(BatchHandler):
        def process(self, records: Sequence[Record]) -> None: ...

    watches = Watches(sample_rate=1.0)
    run(Whole(), watches, 4)
    assert (watches.started, watches.finished) == ([], [])


def test_what_a_handler_is_broken_off_with_is_told_too() -> None:
    class Exits(Handler):
        def process(self, record: Record) -> None:
            raise SystemExit

    watches = Watches()
    with pytest.raises(SystemExit):
        run(Exits(), watches, 2)
    assert [(number, error) for number, _, error, _ in watches.finished] == [("0", "SystemExit")]
