"""The circuit: opens when a dependency is down, ends the batch without blaming a record, and finds out when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.breaker import Circuit, CircuitBreaker
from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, Reject
from kstream.core.handler import BatchHandler, Handler
from kstream.core.retry import Retry
from kstream.testing.clock import VirtualClock
from tests.support.processing import (
    WAYS,
    Letters,
    NotedLedger,
    Script,
    Telling,
    Transient,
    batch,
    entry,
    handler_for,
    place_of,
    processor_of,
    workers_for,
)

if TYPE_CHECKING:
    from tests.support.processing import (
        Way,
    )

TWO = CircuitBreaker(failures=2, reset_after=30)


def test_opens_after_so_many_failures_in_a_row_and_closes_by_one_success() -> None:
    circuit = Circuit(TWO)
    assert circuit.admits(0)
    assert not circuit.failed(OSError(), 0)
    assert circuit.admits(0)
    circuit.succeeded()
    assert not circuit.failed(OSError(), 1)
    assert circuit.failed(OSError(), 2)
    assert not circuit.admits(2)
    assert not circuit.admits(31.9)
    assert circuit.admits(32), "half open: one may try"
    assert not circuit.admits(32), "and only one"
    circuit.succeeded()
    assert circuit.admits(32)
    assert not circuit.failed(OSError(), 32), "the count starts anew"


def test_a_failed_trial_opens_it_for_another_while() -> None:
    circuit = Circuit(TWO)
    circuit.failed(OSError(), 0)
    circuit.failed(OSError(), 0)
    assert circuit.admits(30)
    assert circuit.failed(OSError(), 31)
    assert not circuit.admits(60.9)
    assert circuit.admits(61)


def test_other_errors_are_not_the_dependency_s() -> None:
    circuit = Circuit(TWO)
    for _ in range(5):
        assert not circuit.failed(ValueError(), 0)
    assert circuit.admits(0)


@pytest.mark.parametrize("error", [Reject("bad"), ValueError("bad")])
def test_a_bad_record_does_not_use_up_the_trial(error: Exception) -> None:
    """It tells nothing of the dependency; and coming first in each delivery it would keep the circuit open for ever."""
    circuit = Circuit(TWO)
    circuit.failed(OSError(), 0)
    circuit.failed(OSError(), 0)
    assert not circuit.failed(error, 1)
    assert not circuit.admits(2), "a straggler's bad record is no trial"
    assert circuit.admits(30)
    assert not circuit.admits(31)
    assert not circuit.failed(error, 31)
    assert circuit.admits(31)
    assert circuit.open
    circuit.succeeded()
    assert not circuit.open


def test_a_reject_is_never_the_dependency_s_whatever_the_policy_names() -> None:
    circuit = Circuit(CircuitBreaker(failures=1, on=(Exception,)))
    assert not circuit.failed(Reject("bad"), 0)
    assert not circuit.open


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ordering", ["shard", "partition_key", "none"])
def test_once_the_trial_has_succeeded_the_same_batch_goes_on(way: Way, ordering: Any) -> None:
    clock, dependency = VirtualClock(), Dependency(0)
    script = Script(reads=dependency)
    consumer = Consumer(
        handler_for(way, script),
        ordering=ordering,
        max_workers=workers_for(way),
        breaker=CircuitBreaker(failures=1, reset_after=30),
    )
    processor = processor_of(consumer, clock=clock)
    records = [entry(number, key="abc"[number % 3]) for number in range(30)]
    assert processor.process(batch(*records)).unfinished == 30
    dependency.up = True
    assert processor.process(batch(*records)).unfinished == 30, "it is open for 30 seconds"
    clock.advance(30)
    outcome = processor.process(batch(*records))
    processor.close()
    assert (outcome.done, outcome.checkpoint) == (30, None)
    for key in range(3):
        done = [number for number, _ in script.done if number % 3 == key]
        assert ordering == "none" or done == sorted(done)


@pytest.mark.parametrize("way", WAYS)
def test_a_trial_that_fails_is_the_only_record_tried(way: Way) -> None:
    clock = VirtualClock()
    script = Script(reads=Dependency(0))
    consumer = Consumer(
        handler_for(way, script),
        ordering="none",
        max_workers=workers_for(way),
        breaker=CircuitBreaker(failures=1, reset_after=30),
    )
    processor = processor_of(consumer, clock=clock)
    records = [entry(number) for number in range(30)]
    processor.process(batch(*records))
    clock.advance(30)
    started = len(script.started)
    assert processor.process(batch(*records)).unfinished == 30
    assert len(script.started) == started + 1
    processor.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures": 0},
        {"failures": "10"},
        {"reset_after": -1},
        {"reset_after": float("inf")},
        {"on": ("ConnectionError",)},
        {"on": (int,)},
        {"on": OSError},
        {"on": ()},
    ],
    ids=str,
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="CircuitBreaker"):
        CircuitBreaker(**wrong)


class Dependency:
    """Is down from record ``down_from`` on, until ``up`` is set."""

    def __init__(self, down_from: int) -> None:
        self.down_from = down_from
        self.up = False

    def __call__(self, record: Any) -> None:
        if not self.up and place_of(record)[0] >= self.down_from:
            raise ConnectionError("down")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ordering", ["shard", "partition_key", "none"])
def test_an_open_circuit_ends_the_batch_without_blaming_a_record(way: Way, ordering: Any) -> None:
    clock, letters, told, ledger = VirtualClock(), Letters(), Telling(), NotedLedger()
    dependency = Dependency(3)
    script = Script(reads=dependency)
    consumer = Consumer(
        handler_for(way, script),
        ordering=ordering,
        max_workers=workers_for(way),
        breaker=CircuitBreaker(failures=4, reset_after=30),
        retry=Retry(attempts=3, base=0, exhausted="dead_letter"),
        dead_letters=letters,
        ledger=ledger,
    )
    processor = processor_of(consumer, clock=clock, telemetry=told)
    # The dependency fails from record 3 on, and may take one record with it before four attempts have failed.
    records = [entry(number, key=str(number)) for number in range(1, 21)]
    first = processor.process(batch(*records), prefix_settles=False)
    assert first.done == 2
    assert first.dead_lettered <= 1
    assert first.unfinished == 18 - first.dead_lettered
    assert (first.failed, first.out_of_time) == (0, False)
    assert len(script.started) <= 2 + 4 + workers_for(way), "it stops, instead of burning every record's attempts"

    refused = processor.process(batch(*records), prefix_settles=False)
    assert refused.done == refused.dead_lettered == 0, "nothing is tried while it is open"
    assert refused.checkpoint == first.checkpoint

    clock.advance(30)
    started = len(script.started)
    trial = processor.process(batch(*records), prefix_settles=False)
    assert trial.done == trial.dead_lettered == 0
    assert 1 <= len(script.started) - started <= workers_for(way)

    clock.advance(30)
    dependency.up = True
    deliveries = 0
    while processor.process(batch(*records), prefix_settles=False).checkpoint is not None:
        deliveries += 1
        assert deliveries < 10
    assert sorted({*script.done, *letters.places}) == [(number, 0) for number in range(1, 21)]
    processor.close()


@pytest.mark.parametrize("way", WAYS)
def test_failures_that_a_retry_heals_are_not_in_a_row(way: Way) -> None:
    """Each record needs two attempts. The dependency is shaky, not down."""
    script = Script({(number, 0): 1 for number in range(10)})
    consumer = Consumer(
        handler_for(way, script),
        max_workers=workers_for(way),
        breaker=CircuitBreaker(failures=2, on=(Transient,)),
    )
    processor = processor_of(consumer)
    assert processor.process(batch(*(entry(number) for number in range(10)))).done == 10
    processor.close()


class Down(BatchHandler):
    def __init__(self, *failing: int) -> None:
        self.failing = failing
        self.calls = 0

    def process(self, records: Any) -> None:
        self.calls += 1
        if self.calls in self.failing:
            raise ConnectionError("down")


class DownLater(Down):
    async def process(self, records: Any) -> None:  # type: ignore[override]
        super().process(records)


@pytest.mark.parametrize("kind", [Down, DownLater])
def test_a_failed_call_counts_once_however_many_records_it_had(kind: type[Down]) -> None:
    handler = kind(1)
    processor = processor_of(Consumer(handler, breaker=TWO, retry=Retry(attempts=2)))
    assert processor.process(batch(*(entry(number) for number in range(50)))).done == 50
    processor.close()
    assert handler.calls == 2


@pytest.mark.parametrize("kind", [Down, DownLater])
def test_a_batch_handler_s_circuit_opens_and_closes(kind: type[Down]) -> None:
    handler, clock, letters = kind(1, 2), VirtualClock(), Letters()
    consumer = Consumer(
        handler, breaker=TWO, retry=Retry(attempts=5, base=0, exhausted="dead_letter"), dead_letters=letters
    )
    processor = processor_of(consumer, clock=clock)
    records = [entry(1), entry(2)]
    assert processor.process(batch(*records)).unfinished == 2
    assert processor.process(batch(*records)).unfinished == 2
    assert handler.calls == 2
    clock.advance(30)
    assert processor.process(batch(*records)).done == 2
    assert processor.process(batch(*records)).done == 2
    processor.close()
    assert letters.stored == []


class PartlyUp(BatchHandler):
    calls = 0

    def process(self, records: Any) -> Any:
        self.calls += 1
        if self.calls <= 2:
            raise ConnectionError("down")
        return records[:1]


def test_a_call_that_returns_closes_the_circuit_although_it_names_failures() -> None:
    clock = VirtualClock()
    processor = processor_of(Consumer(PartlyUp(), breaker=TWO, retry=Retry(attempts=1)), clock=clock)
    records = [entry(1), entry(2)]
    processor.process(batch(*records))
    processor.process(batch(*records))
    clock.advance(30)
    assert processor.process(batch(*records)).done == 1
    assert processor.process(batch(*records)).done == 1


class Poisoned(Handler):
    def process(self, record: Any) -> None:
        raise ValueError("bad record")


def test_a_bad_record_does_not_open_the_circuit() -> None:
    letters = Letters()
    consumer = Consumer(Poisoned(), breaker=TWO, retry=Retry(attempts=3, exhausted="dead_letter"), dead_letters=letters)
    outcome = processor_of(consumer).process(batch(*(entry(number) for number in range(5))))
    assert outcome.dead_lettered == 5
