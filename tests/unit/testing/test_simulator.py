"""The simulator as its users have it: what they may give, what it tells them, and that it finds what is wrong."""

from __future__ import annotations

import asyncio
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
from kstream.stores.directory import DirectoryDeadLetters
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.events import enveloped
from kstream.testing.simulator import Faults, SimulatedTransactions, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


def test_envelopes_may_be_given(totals: dict[str, int]) -> None:
    given = [(enveloped({"amount": amount}, {"traceparent": f"00-{amount}"}), "c-1") for amount in range(1, 4)]
    report = simulate(Consumer(Sums), records=given, faults=CALM, mapping=EventSourceMapping())
    assert report.ok
    assert totals == {"c-1": 6}


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


@pytest.mark.parametrize("error", [OSError("no database"), SystemExit(3)], ids=repr)
def test_a_handler_that_cannot_be_opened_is_told_with_its_seed_and_its_cause(error: BaseException) -> None:
    closed: list[Any] = []

    class Unopened(Handler):
        def open(self) -> None:
            raise error

        def process(self, record: Record) -> None: ...

        def close(self) -> None:
            closed.append(self)

    report = simulate(Consumer(Unopened), seed=5, mapping=EventSourceMapping(maximum_retry_attempts=1))
    assert {violation.kind for violation in report.violations} == {"raised"}
    with pytest.raises(AssertionError, match=r"seed 5: (.|\n)*raised: the function could not start: ") as caught:
        report.raise_for_violations()
    assert caught.value.__cause__ is error
    assert closed == []


class Good(Handler):
    def process(self, record: Record) -> None: ...


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Good, r"simulate\(Good\): give a consumer, as in simulate\(Consumer\(Good\)\)"),
        (Good(), r"give a consumer, as in simulate\(Consumer\("),
        (None, "give a consumer"),
    ],
)
def test_what_is_no_consumer_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        simulate(given)


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"ledger": "sqlite:x"}, "ledger='sqlite:x' is not a ledger: give one"),
        ({"ledger": MemoryLedger}, "is not a ledger"),
        ({"dead_letters": "dir:x"}, "dead_letters='dir:x' is not a sink: give one"),
        ({"dead_letters": MemoryDeadLetters}, "is not a sink"),
        ({"mapping": EventSourceMapping(tumbling_window=60)}, "tumbling_window is not simulated"),
        ({"mapping": 5}, r"simulate\(mapping=5\): give an EventSourceMapping, or leave it out"),
        ({"mapping": EventSourceMapping}, r"mapping=<class .*give an EventSourceMapping"),
        ({"faults": {"crash": 0.1}}, r"simulate\(faults=\{'crash': 0.1\}\): give a Faults"),
        ({"timeout": float("nan")}, r"simulate\(timeout=nan\): seconds, at least 1"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": "10"}, "timeout='10'"),
        ({"seed": None}, r"simulate\(seed=None\): a whole number"),
        ({"seed": "one"}, "seed='one'"),
        ({"answer": "no"}, r"simulate\(answer='no'\): give 'partial' or 'raise', or leave it out"),
        ({"fact": "order"}, r"simulate\(fact='order'\): give a function of a record"),
        ({"runtime": None}, r"simulate\(runtime=None\): give a function"),
    ],
)
def test_what_cannot_be_simulated_is_refused(policies: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        simulate(Consumer(Good), **policies)


@pytest.mark.parametrize("given", [5, "abc", {"Records": []}, [("a", 5)]])
def test_what_is_no_list_of_records_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"records=|record 0"):
        simulate(Consumer(Good), records=given)


def test_inside_an_event_loop_nothing_is_simulated() -> None:
    """No consumer with async def could be run in it, and fewer things would go wrong for any other."""

    async def inside() -> None:
        simulate(Consumer(Good))

    with pytest.raises(ConfigurationError, match=r"in a running event loop: .* asyncio.to_thread\(simulate, "):
        asyncio.run(inside())

    async def beside() -> bool:
        return (await asyncio.to_thread(simulate, Consumer(Good))).ok

    assert asyncio.run(beside())


def keyed(key: Any) -> Consumer:
    class Keyed(Good):
        def idempotency_key(self, record: Record) -> Any:
            return key(record)

    return Consumer(Keyed, ledger=MemoryLedger(), ordering="partition_key")


@pytest.mark.parametrize("mode", ["sparse", "full", "transactional"])
def test_an_idempotency_key_that_joins_what_differs_loses_records_and_is_found_out(mode: Any) -> None:
    class Constant(Good):
        def idempotency_key(self, record: Record) -> str:
            return "order"

    class ConstantCounts(Counts):
        idempotency_key = Constant.idempotency_key

    transactional = mode == "transactional"
    ledger = SimulatedTransactions() if transactional else MemoryLedger()
    consumer = Consumer(ConstantCounts if transactional else Constant, ledger=ledger, mode=mode)
    report = simulate(consumer, records=orders(3), faults=CALM, mapping=EventSourceMapping())
    assert "lost" in {violation.kind for violation in report.violations}
    assert report.lost == 2
    assert "idempotency key 'order' is also that of another fact" in str(
        next(violation for violation in report.violations if violation.kind == "lost")
    )


def test_a_fact_put_twice_may_be_done_once() -> None:
    twice = [({"order": 1}, "a"), ({"order": 2}, "b"), ({"order": 1}, "a")]
    for seed in range(20):
        report = simulate(keyed(lambda record: str(record.json()["order"])), seed=seed, records=twice)
        report.raise_for_violations()


def test_what_makes_a_fact_can_be_said() -> None:
    """A producer that puts the time of its try into the record puts two payloads of one fact."""
    retried = [({"order": 1, "try": 1}, "a"), ({"order": 1, "try": 2}, "a")]
    consumer = keyed(lambda record: str(record.json()["order"]))
    calm: dict[str, Any] = {"records": retried, "faults": CALM, "mapping": EventSourceMapping()}
    assert simulate(consumer, **calm).lost == 1
    simulate(consumer, fact=lambda record: record.json()["order"], **calm).raise_for_violations()


class Forgetful(MemoryDeadLetters):
    """Takes letters, and keeps every second one."""

    taken = 0

    def put(self, letter: Any) -> None:
        self.taken += 1
        if self.taken % 2:
            super().put(letter)


def test_a_sink_that_keeps_nothing_of_what_it_takes_is_found_out(tmp_path: Path) -> None:
    given = [({"amount": -number}, f"c-{number}") for number in range(1, 5)]
    calm: dict[str, Any] = {"records": given, "faults": CALM, "mapping": EventSourceMapping()}
    consumer = Consumer(Sums, dead_letters=MemoryDeadLetters())
    report = simulate(consumer, dead_letters=Forgetful(), **calm)
    assert [violation.kind for violation in report.violations] == ["lost"] * 2
    assert "is not among its letters" in str(report.violations[0])
    for sound in (MemoryDeadLetters(), DirectoryDeadLetters(tmp_path)):
        for _ in range(2):  # the letters of another history lie there already
            simulate(consumer, dead_letters=sound, **calm).raise_for_violations()


def test_what_is_not_simulated_as_it_is_is_said() -> None:
    class Blind:
        def put(self, letter: Any) -> None: ...

    assert simulate(Consumer(Good), faults=CALM).left_out == ()
    report = simulate(Consumer(Good, max_workers=8, dead_letters=MemoryDeadLetters()), dead_letters=Blind())
    assert [said.split()[0] for said in report.left_out] == ["max_workers=8", "Blind"]


def test_a_loop_s_sleep_takes_virtual_time() -> None:
    """An hour and more, and past deadlines; what is really waited for takes what it takes."""
    slept: list[float] = []

    class Sleeps(Handler):
        async def process(self, record: Record) -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await asyncio.sleep(3_000 if record.json()["n"] == 1 and not slept else 1)
            assert await asyncio.to_thread(lambda: 7) == 7
            async with asyncio.timeout(2_000):
                await asyncio.sleep(0.5)
            slept.append(loop.time() - began)

    report = simulate(
        Consumer(Sleeps, ledger=MemoryLedger(), ordering="partition_key"),
        records=[({"n": n}, f"c-{n}") for n in range(3)],
        faults=CALM,
        mapping=EventSourceMapping(),
        timeout=900,
    )
    report.raise_for_violations()
    assert len(slept) == 3
    assert all(1.5 <= seconds < 1.6 for seconds in slept)


def test_a_loop_waits_for_what_is_real() -> None:
    class Asks(Handler):
        async def process(self, record: Record) -> None:
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()

    simulate(Consumer(Asks), records=[b"{}"], faults=CALM, mapping=EventSourceMapping()).raise_for_violations()


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"crash": 1.5},
        {"poison": -0.1},
        {"crash": "0.1"},
        {"crash": None},
        {"crash": float("nan")},
        {"crash": True},
        {"reshards": -1},
        {"reshards": 1.5},
        {"limit": -1},
        {"limit": "5"},
    ],
)
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
