"""The simulator as its users have it: what they may give, what it tells them, and that it finds what is wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.aggregation import aggregate
from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, Reject
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.mapping import EventSourceMapping
from kstream.core.retry import Retry
from kstream.core.telemetry import Telemetry
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.simulator import Faults, SimulatedTransactions, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.record import Record

CALM = Faults()


class Sums(Handler):
    """Class-wide, so that it outlives environments that crash."""

    totals: dict[str, int]

    def process(self, record: Record) -> None:
        amount = record.json()["amount"]
        if amount < 0:
            raise Reject("negative amount")
        self.totals[record.partition_key] = self.totals.get(record.partition_key, 0) + amount


@pytest.fixture
def totals() -> dict[str, int]:
    Sums.totals = {}
    return Sums.totals


def orders(count: int = 20) -> list[Any]:
    return [({"amount": number}, f"c-{number % 3}") for number in range(count)]


def test_in_a_calm_world_each_given_record_takes_effect_once(totals: dict[str, int]) -> None:
    report = simulate(Consumer(Sums), records=orders(), faults=CALM, mapping=EventSourceMapping())
    assert report.ok
    assert totals == {"c-0": 63, "c-1": 70, "c-2": 57}
    assert (report.records, len(report.effects), report.run_twice, report.lost) == (20, 20, 0, 0)
    assert {(record.partition_key, record.json()["amount"]) for record in report.effects} == {
        (f"c-{number % 3}", number) for number in range(20)
    }


def test_rejected_records_are_dead_lettered(totals: dict[str, int]) -> None:
    letters = MemoryDeadLetters()
    consumer = Consumer(Sums, dead_letters=MemoryDeadLetters())
    given = [*orders(), ({"amount": -1}, "c-9")]
    report = simulate(consumer, records=given, faults=CALM, mapping=EventSourceMapping(), dead_letters=letters)
    assert report.ok
    assert (report.dead_lettered, len(report.effects)) == (1, 20)
    assert [letter.reason for letter in letters.letters] == ["negative amount"]


def test_an_aggregate_may_be_given(totals: dict[str, int]) -> None:
    given = [aggregate([(b'{"amount": 1}', "c-1"), (b'{"amount": 2}', "c-2")]), ({"amount": 3}, "c-1")]
    report = simulate(Consumer(Sums), records=given, faults=CALM, mapping=EventSourceMapping())
    assert report.ok
    assert totals == {"c-1": 4, "c-2": 2}


class RefusingLedger(MemoryLedger):
    def load(self, *args: Any) -> Any:
        raise AssertionError("the consumer's own ledger was read")

    save = load


class RefusingLetters(MemoryDeadLetters):
    def put(self, letter: Any) -> None:
        raise AssertionError("the consumer's own dead letters were written")


def test_the_consumer_s_own_stores_are_not_touched() -> None:
    class Plain(Handler):
        def process(self, record: Record) -> None: ...

    consumer = Consumer(Plain, ledger=RefusingLedger(), dead_letters=RefusingLetters(), max_workers=8)
    for seed in range(20):
        simulate(consumer, seed=seed).raise_for_violations()


def test_every_handler_that_was_opened_is_closed_once_the_world_has_ended() -> None:
    opened: list[Any] = []
    closed: list[Any] = []

    class Client(Handler):
        def open(self) -> None:
            assert not closed
            opened.append(self)

        def process(self, record: Record) -> None: ...

        def close(self) -> None:
            closed.append(self)

    report = simulate(Consumer(Client), faults=Faults(crash=0.05), mapping=EventSourceMapping(batch_size=2))
    assert report.happened["crashes"] > 2
    assert len(opened) > 2
    assert opened == closed


def test_a_handler_that_cannot_be_opened_is_the_caller_s_to_see() -> None:
    class Unopened(Handler):
        def open(self) -> None:
            raise OSError("no database")

        def process(self, record: Record) -> None: ...

    with pytest.raises(OSError, match="no database"):
        simulate(Consumer(Unopened))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("crash", "crashes"),
        ("duplicate", "duplicates"),
        ("restart", "restarts"),
        ("timeout", "timeouts"),
        ("slow", "slow"),
        ("exit", "exits"),
        ("transient", "handler errors"),
        ("persistent", "handler errors"),
        ("poison", "handler errors"),
        ("ledger_reads", "ledger failures"),
        ("ledger_writes", "ledger failures"),
        ("dead_letters", "dead-letter failures"),
        ("on_failure", "refused discards"),
        ("lost_answer", "lost answers"),
    ],
)
def test_each_fault_happens_when_asked_for_and_only_then(fault: str, told: str) -> None:
    class Plain(Handler):
        def process(self, record: Record) -> None: ...

    consumer = Consumer(Plain, ledger=MemoryLedger(), dead_letters=MemoryDeadLetters(), ordering="partition_key")
    mapping = EventSourceMapping(batch_size=5, maximum_retry_attempts=0)
    # What must go wrong before this can: a letter to store, something to write, something to discard.
    cause = {"dead_letters": {"poison": 0.5}, "ledger_writes": {"persistent": 0.5}, "on_failure": {"persistent": 0.5}}
    faults = Faults(**{fault: 0.3, **cause.get(fault, {})})  # type: ignore[arg-type]
    reports = [simulate(consumer, seed=seed, faults=faults, mapping=mapping) for seed in range(10)]
    for report in reports:
        report.raise_for_violations()
    happened = {name for report in reports for name in report.happened}
    assert told in happened
    others = {"deliveries", "at once", "too slow", "exits drawn", "handler errors", told}
    if fault == "slow":
        others.add("timeouts")  # two slow ones side by side take twice the time
    assert happened <= others


def test_every_fault_is_drawn_in_some_history() -> None:
    from random import Random

    drawn = [Faults.drawn(Random(seed)) for seed in range(100)]
    for field in fields(Faults):
        values = {getattr(faults, field.name) for faults in drawn}
        assert field.name == "limit" or ({0} < values), field.name


@pytest.mark.parametrize("wrong", [{"crash": 1.5}, {"poison": -0.1}, {"reshards": -1}, {"limit": -1}])
def test_a_chance_is_a_chance(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Faults(**wrong)


class Counts(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None:
        transaction.add("count", 1)


@pytest.mark.parametrize("style", ["locking", "optimistic", "blind"])
def test_a_transactional_handler_uses_its_own_ledger_in_every_history_anew(style: Any) -> None:
    """The same positions come in each history, under another stream's name."""
    ledger = SimulatedTransactions(style=style)
    total = 0
    for _ in range(3):
        report = simulate(Consumer(Counts, ledger=ledger), seed=4, faults=Faults(crash=0.02, ledger_writes=0.1))
        report.raise_for_violations()
        total += len(report.effects)
    assert ledger.table == {"count": total}


def test_answers_that_a_mapping_does_not_read_lose_records() -> None:
    """A partial answer without ReportBatchItemFailures is a silent success."""

    class Failing(Handler):
        def process(self, record: Record) -> None:
            raise OSError

    mapping = EventSourceMapping(report_batch_item_failures=False, maximum_retry_attempts=1)
    report = simulate(Consumer(Failing), faults=CALM, mapping=mapping, answer="partial")
    assert {violation.kind for violation in report.violations} == {"lost"}
    assert report.lost == report.records
    assert simulate(Consumer(Failing), faults=CALM, mapping=mapping).ok


def test_what_blocks_its_shard_for_ever_is_told() -> None:
    class Failing(Handler):
        def process(self, record: Record) -> None:
            raise OSError

    report = simulate(Consumer(Failing), faults=CALM, mapping=EventSourceMapping(), records=[b"{}"])
    assert [violation.kind for violation in report.violations] == ["stuck"]
    assert "maximum_retry_attempts=-1" in str(report.violations[0])


def test_a_violation_is_told_with_its_seed_and_what_led_to_it() -> None:
    class Forgetful(MemoryLedger):
        def load(self, scope: Any, first: int, last: int) -> dict[int, int]:
            return {first: 1}

    class Plain(Handler):
        def process(self, record: Record) -> None: ...

    consumer = Consumer(Plain, ledger=MemoryLedger())
    report = simulate(consumer, seed=7, faults=CALM, mapping=EventSourceMapping(), ledger=Forgetful())
    assert not report.ok
    with pytest.raises(AssertionError) as caught:
        report.raise_for_violations()
    told = str(caught.value)
    assert told.startswith("seed 7: ")
    assert "not done: the ledger takes shardId-" in told
    assert "so it will be skipped" in told
    assert "invocation 1: shardId-" in told
    assert "batch_size=100" in told


def test_the_trace_tells_who_did_what_when() -> None:
    class Plain(Handler):
        def process(self, record: Record) -> None: ...

    consumer = Consumer(Plain, ledger=MemoryLedger(), dead_letters=MemoryDeadLetters())
    mapping = EventSourceMapping(batch_size=5)
    lines = simulate(consumer, seed=1, faults=Faults(crash=0.05, poison=0.2), mapping=mapping).trace
    for told in ("invocation 1: ", "| ", "takes effect", "CRASH", "-> all done", "is rejected", "dead letter"):
        assert any(told in line for line in lines), told
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_batch_handler_is_told_apart_from_its_failures(asynchronous: bool) -> None:
    done: list[str] = []

    class Batches(BatchHandler):
        def process(self, records: Sequence[Record]) -> list[Record]:
            done.extend(record.id for record in records[1:])
            return [*records[:1]] if len(records) > 1 else []

    class AsyncBatches(BatchHandler):
        async def process(self, records: Sequence[Record]) -> list[Record]:
            return Batches().process(records)

    consumer = Consumer(AsyncBatches if asynchronous else Batches, retry=Retry(attempts=50), ledger=MemoryLedger())
    report = simulate(consumer, faults=CALM, mapping=EventSourceMapping(batch_size=4))
    report.raise_for_violations()
    assert len(report.effects) == report.records


def test_the_user_s_telemetry_is_told() -> None:
    told: list[str] = []

    def tells(name: str) -> Any:
        return lambda *args, **more: told.append(name)

    telling = type("Telling", (Telemetry,), {name: tells(name) for name in Telemetry.EVENTS})

    class Plain(Handler):
        def process(self, record: Record) -> None: ...

    consumer = Consumer(Plain, ledger=MemoryLedger(), dead_letters=MemoryDeadLetters(), telemetry=telling())
    faults = Faults(poison=0.3, dead_letters=0.5, ledger_reads=0.5)
    simulate(consumer, faults=faults, mapping=EventSourceMapping(batch_size=3)).raise_for_violations()
    assert set(told) >= {"batch_started", "record_failed", "dead_letter_failed", "ledger_failed", "batch_finished"}


def test_the_names_load_from_kstream_testing() -> None:
    import kstream.testing

    for name in kstream.testing.__all__:
        assert getattr(kstream.testing, name).__name__ == name
    assert "simulate" in dir(kstream.testing)
    with pytest.raises(AttributeError, match="simulte"):
        _ = kstream.testing.simulte
