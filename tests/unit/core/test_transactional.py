"""Running a batch in transactions: groups, order, failures in the middle, a store that fails at every step."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.core.breaker import CircuitBreaker
from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, LedgerError
from kstream.core.handler import TransactionalHandler
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryLedger
from kstream.testing.clock import VirtualClock
from tests.support.processes import within_a_minute
from tests.support.processing import (
    MALFORMED,
    Letters,
    Script,
    Telling,
    Transient,
    aggregate_of,
    batch,
    entry,
    place_of,
    processor_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Position, Record
    from tests.support.processing import Place


class ConstraintBroken(Exception):
    """What a store raises at the commit for something that an effect did."""


@dataclass
class Store(MemoryLedger):
    """Effects in a list. Told where it fails: at which call, counted from 1, of begin, apply or commit.

    ``looks``      whether it tells what is marked before it writes, as SQL does, or only at the commit, as DynamoDB does.
    ``lost``       commits that take hold although their answer is lost.
    ``breaks``     records whose effect is refused at the commit.
    """

    group_limit: int = 3
    looks: bool = True
    fails: Collection[tuple[str, int]] = ()
    lost: Collection[int] = ()
    breaks: Collection[Place] = ()
    clock: Clock | None = None
    effects: list[Place] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    marked: set[tuple[Scope, Place] | tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.calls: dict[str, int] = {}
        self.open = 0

    def call(self, what: str) -> int:
        with self.lock:
            self.calls[what] = number = self.calls.get(what, 0) + 1
        if (what, number) in self.fails:
            raise LedgerError(f"{what} fails")
        return number

    def begin(self, scope: Scope) -> Transaction:
        self.call("begin")
        with self.lock:
            self.log.append("begin")
            self.open += 1
        return Transaction(self, scope)


class Transaction:
    def __init__(self, store: Store, scope: Scope) -> None:
        self.store = store
        self.scope = scope
        self.effects: list[Place] = []
        self.marks: list[tuple[Position, str | None]] = []
        self.open = True

    def write(self, record: Record) -> None:
        self.effects.append(place_of(record))

    def names(self, position: Position, key: str | None) -> set[Any]:
        return {(self.scope, tuple(position))} | (set() if key is None else {("key", key)})

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        assert self.open
        self.store.call("apply")
        with self.store.lock:
            if self.store.looks and (
                self.store.marked & self.names(position, key) or (key and key in {own for _, own in self.marks})
            ):
                return False
        before = len(self.effects)
        try:
            effect(self)
        except BaseException:
            del self.effects[before:]
            raise
        self.marks.append((position, key))
        return True

    def commit(self) -> list[Position]:
        store = self.store
        number = store.call("commit")
        if set(store.breaks) & set(self.effects):
            raise ConstraintBroken("refused at the commit")
        with store.lock:
            known = [position for position, key in self.marks if store.marked & self.names(position, key)]
            assert not (known and store.looks)
            store.effects += [place for place in self.effects if place not in {tuple(position) for position in known}]
            for position, key in self.marks:
                store.marked |= self.names(position, key)
                store.save(self.scope, {position.sequence: 1 << position.sub_sequence})
            store.log.append("commit " + " ".join(str(sequence) for sequence, _ in self.effects))
        self.end()
        if number in store.lost:
            raise LedgerError("no answer")
        return known

    def rollback(self) -> None:
        self.end()

    def end(self) -> None:
        if self.open:
            self.open = False
            with self.store.lock:
                self.store.open -= 1


class Writing(TransactionalHandler[Transaction]):
    def __init__(self, script: Script) -> None:
        self.script = script

    def process(self, record: Record, transaction: Transaction) -> None:
        transaction.write(record)
        self.script.befall(record)


class Keyed(Writing):
    """A record's payload is its idempotency key."""

    def idempotency_key(self, record: Record) -> str | None:
        return record.text() or None


@dataclass
class Bench:
    store: Store
    script: Script = field(default_factory=Script)
    letters: Letters = field(default_factory=Letters)
    told: Telling = field(default_factory=Telling)
    clock: VirtualClock = field(default_factory=VirtualClock)
    handler: type[Writing] = Writing

    def run(self, *entries: dict[str, Any], deadline: float = float("inf"), **given: Any) -> Outcome:
        policies: dict[str, Any] = {"dead_letters": self.letters, "retry": Retry(attempts=1), **given}
        consumer = Consumer(self.handler(self.script), name="writing", ledger=self.store, **policies)
        processor = processor_of(consumer, clock=self.clock, telemetry=self.told)
        try:
            return processor.process(batch(*entries), deadline=deadline)
        finally:
            processor.close()
            assert self.store.open == 0, "a transaction was left open"


def entries(count: int, *, keys: int = 1) -> list[dict[str, Any]]:
    return [entry(n, key=f"k{n % keys}") for n in range(1, count + 1)]


def places(*sequences: int) -> list[Place]:
    return [(sequence, 0) for sequence in sequences]


def test_records_share_transactions_in_order() -> None:
    bench = Bench(Store())
    outcome = bench.run(*entries(7))
    assert outcome.complete
    assert outcome.done == 7
    assert bench.store.log == ["begin", "commit 1 2 3", "begin", "commit 4 5 6", "begin", "commit 7"]


def test_a_batch_without_records_begins_no_transaction() -> None:
    bench = Bench(Store())
    assert bench.run().complete
    assert bench.store.log == []


def test_nothing_of_a_group_is_saved_a_second_time() -> None:
    """The transactions wrote what is done; only what was parked is saved besides, and only if the batch comes again."""
    bench = Bench(Store(), Script(rejected=places(2), failing={(4, 0): 9}))
    saves: list[dict[int, int]] = []
    save = bench.store.save

    def note(scope: Scope, done: Mapping[int, int]) -> None:
        saves.append(dict(done))
        save(scope, done)

    bench.store.save = note  # type: ignore[method-assign]
    outcome = bench.run(*entries(5), ordering="none")
    assert (outcome.done, outcome.dead_lettered, outcome.failed, outcome.checkpoint) == (3, 1, 1, "4")
    # A transaction of the double saves too, each position alone.
    assert saves == [{1: 1}, {3: 1}, {5: 1}]


def test_a_group_is_committed_when_it_has_been_open_for_long() -> None:
    bench = Bench(Store(group_limit=100))
    bench.script.before = lambda record: bench.clock.advance(0.4)
    assert bench.run(*entries(7)).complete
    assert bench.store.log == ["begin", "commit 1 2 3", "begin", "commit 4 5 6", "begin", "commit 7"]


def test_a_record_that_fails_takes_nothing_of_its_group_with_it() -> None:
    bench = Bench(Store(group_limit=10), Script(failing={(3, 0): 9}))
    outcome = bench.run(*entries(5))
    assert (outcome.done, outcome.failed, outcome.unfinished, outcome.checkpoint) == (2, 1, 2, "3")
    assert bench.store.effects == places(1, 2)


def test_a_record_is_retried_in_a_transaction_of_its_own_with_none_open_in_the_pauses() -> None:
    bench = Bench(Store(group_limit=10), Script(failing={(3, 0): 2}))
    pauses: list[int] = []
    bench.clock.sleep = lambda seconds: pauses.append(bench.store.open)  # type: ignore[method-assign]
    outcome = bench.run(*entries(5), retry=Retry(attempts=3))
    assert (outcome.done, outcome.retried) == (5, 2)
    assert pauses == [0, 0]
    assert bench.store.effects == places(1, 2, 3, 4, 5)
    assert [line for line in bench.store.log if line != "begin"] == ["commit 1 2", "commit 3", "commit 4 5"]


def test_a_rejected_record_is_parked_after_what_came_before_it_is_committed() -> None:
    bench = Bench(Store(group_limit=10), Script(rejected=places(3)))
    seen: list[list[Place]] = []

    def note(letter: DeadLetter) -> bool:
        seen.append(list(bench.store.effects))
        return False

    bench.letters.refuses = note
    outcome = bench.run(*entries(5))
    assert outcome.complete
    assert (outcome.done, outcome.dead_lettered) == (4, 1)
    assert seen == [places(1, 2)]
    assert bench.store.effects == places(1, 2, 4, 5)


def test_a_record_that_no_handler_may_see_is_parked_too() -> None:
    bench = Bench(Store(group_limit=10))
    outcome = bench.run(entry(1), entry(2, MALFORMED), entry(3))
    assert (outcome.done, outcome.dead_lettered) == (2, 1)
    assert bench.store.effects == places(1, 3)


def test_a_sink_that_refuses_leaves_the_record_and_what_order_puts_behind_it() -> None:
    bench = Bench(Store(group_limit=10), Script(rejected=places(3)), Letters(lambda letter: True))
    outcome = bench.run(*entries(5))
    assert (outcome.done, outcome.failed, outcome.unfinished) == (2, 1, 2)


def test_a_failure_stops_its_own_key_only() -> None:
    bench = Bench(Store(group_limit=10), Script(failing={(2, 0): 9}))
    outcome = bench.run(*entries(6, keys=2), ordering="partition_key")
    assert (outcome.done, outcome.failed, outcome.unfinished) == (3, 1, 2)
    assert bench.store.effects == places(1, 3, 5)


@pytest.mark.parametrize("looks", [True, False])
def test_what_is_marked_counts_as_skipped(looks: bool) -> None:
    """Also where the store tells only at the commit, and where the ledger could not be read before."""
    store = Store(looks=looks, group_limit=3 if looks else 1)
    assert Bench(store).run(*entries(4)).done == 4
    store.load = lambda scope, first, last: {}  # type: ignore[method-assign]
    outcome = Bench(store).run(*entries(6))
    assert outcome.complete
    assert (outcome.done, outcome.skipped) == (2, 4)
    assert store.effects == places(1, 2, 3, 4, 5, 6)


def assert_done(outcome: Outcome) -> None:
    assert outcome.complete


def test_what_a_retry_finds_marked_counts_as_skipped() -> None:
    """Another delivery of the same batch was faster, while this one waited."""
    store = Store(group_limit=1, looks=False)
    bench = Bench(store, Script(failing={(1, 0): 1}))
    bench.clock.sleep = lambda seconds: assert_done(Bench(store).run(*entries(1)))  # type: ignore[method-assign]
    outcome = bench.run(*entries(1), retry=Retry(attempts=2))
    assert (outcome.done, outcome.skipped) == (0, 1)
    assert store.effects == places(1)


@pytest.mark.parametrize("step", ["begin", "apply", "commit"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_store_that_fails_fails_no_record(step: str, number: int) -> None:
    """Nothing is dead-lettered or counted as failed, what was not committed is unfinished, and redelivery does the rest."""
    store = Store(fails={(step, number)}, group_limit=2)
    bench = Bench(store)
    outcome = bench.run(*entries(6), retry=Retry(attempts=3, exhausted="dead_letter"))
    assert not outcome.complete
    assert (outcome.failed, outcome.dead_lettered, outcome.retried) == (0, 0, 0)
    assert outcome.unfinished == 6 - len(store.effects)
    assert outcome.checkpoint == str(len(store.effects) + 1)
    assert [str(error) for error in bench.told.ledger] == [f"{step} fails"]
    assert bench.told.failed == []
    assert Bench(store).run(*entries(6)).complete
    assert store.effects == places(1, 2, 3, 4, 5, 6)


def test_a_commit_whose_answer_is_lost_is_not_repeated() -> None:
    store = Store(lost={2}, group_limit=2)
    outcome = Bench(store).run(*entries(6))
    assert (outcome.done, outcome.unfinished, outcome.checkpoint) == (2, 4, "3")
    again = Bench(store).run(*entries(6))
    assert (again.done, again.skipped) == (2, 4)
    assert store.effects == places(1, 2, 3, 4, 5, 6)


def test_a_store_that_fails_on_a_retry_stops_the_batch_too() -> None:
    store = Store(fails={("commit", 2)}, group_limit=10)
    bench = Bench(store, Script(failing={(2, 0): 1}))
    outcome = bench.run(*entries(4), retry=Retry(attempts=3, exhausted="dead_letter"))
    assert (outcome.done, outcome.failed, outcome.dead_lettered, outcome.unfinished) == (1, 0, 0, 3)
    assert len(bench.told.ledger) == 1


def test_an_effect_refused_at_the_commit_is_the_fault_of_its_record_alone() -> None:
    """A constraint that the database checks only then. Nothing of the group took hold, so each is tried by itself."""
    bench = Bench(Store(group_limit=10, breaks=places(3)))
    outcome = bench.run(*entries(5), retry=Retry(attempts=2, exhausted="dead_letter"))
    assert outcome.complete
    assert (outcome.done, outcome.dead_lettered) == (4, 1)
    assert outcome.retried == 5 + 1, "each by itself, and the one at fault once more"
    assert bench.store.effects == places(1, 2, 4, 5)
    (letter,) = bench.letters.stored
    assert (letter.error_type, letter.reason, letter.attempts) == ("ConstraintBroken", "refused at the commit", 2)


def test_what_order_puts_behind_a_record_refused_at_the_commit_waits() -> None:
    bench = Bench(Store(group_limit=10, breaks=places(3)))
    outcome = bench.run(*entries(5))
    assert (outcome.done, outcome.failed, outcome.unfinished, outcome.checkpoint) == (2, 1, 2, "3")
    assert bench.store.effects == places(1, 2)


def test_a_failure_behind_a_record_refused_at_the_commit_is_not_settled_before_it() -> None:
    """Record 4 would be parked; but record 2, of the same key, turns out not to be done: 4 waits for it."""
    bench = Bench(Store(group_limit=10, breaks=places(2)), Script(rejected=places(4)))
    outcome = bench.run(*entries(5, keys=2), ordering="partition_key")
    assert (outcome.done, outcome.failed, outcome.dead_lettered, outcome.unfinished) == (3, 1, 0, 1)
    assert bench.letters.stored == []
    assert bench.store.effects == places(1, 3, 5)


def test_the_deadline_commits_what_is_applied_and_leaves_the_rest() -> None:
    bench = Bench(Store(group_limit=10))
    bench.script.before = lambda record: bench.clock.advance(0.1)
    outcome = bench.run(*entries(9), deadline=bench.clock.monotonic() + 0.35)
    assert (outcome.done, outcome.unfinished, outcome.out_of_time) == (4, 5, True)
    assert bench.store.effects == places(1, 2, 3, 4)


def test_an_interrupt_rolls_the_group_back() -> None:
    bench = Bench(Store(group_limit=10))

    def interrupt(record: Record) -> None:
        if place_of(record) == (3, 0):
            raise KeyboardInterrupt

    bench.script.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        bench.run(*entries(5))
    assert bench.store.effects == []
    assert Bench(bench.store).run(*entries(5)).done == 5


def test_user_records_of_an_aggregate_are_done_one_by_one() -> None:
    store = Store(group_limit=10)
    bundle = aggregate_of(("a", b"1"), ("b", b"2"), ("c", b"3"))
    bench = Bench(store, Script(failing={(2, 1): 1}))
    outcome = bench.run(entry(1), entry(2, bundle, key="a"))
    assert (outcome.done, outcome.checkpoint, outcome.sub_checkpoint) == (2, "2", 1)
    again = bench.run(entry(1), entry(2, bundle, key="a"))
    assert (again.done, again.skipped) == (2, 2)
    assert store.effects == [(1, 0), (2, 0), (2, 1), (2, 2)]


@settings(max_examples=150)
@given(
    drawn=st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), min_size=1, max_size=12),
    ordering=st.sampled_from(["partition_key", "none"]),
    limit=st.sampled_from([1, 2, 10]),
    looks=st.booleans(),
)
def test_twins_that_meet_in_flight_are_done_in_one_delivery_and_nobody_waits_in_a_ring(
    drawn: list[tuple[str, str]], ordering: Any, limit: int, looks: bool
) -> None:
    """Two groups, each of which holds what the other one is about to take."""
    store = Store(group_limit=limit if looks else 1, looks=looks)
    given_entries = [entry(n, fact.encode(), key=key) for n, (fact, key) in enumerate(drawn, 1)]
    outcome = Bench(store, handler=Keyed).run(*given_entries, ordering=ordering, max_workers=3)
    facts = {fact for fact, _ in drawn}
    assert (outcome.checkpoint, outcome.done, outcome.skipped) == (None, len(facts), len(drawn) - len(facts))
    assert sorted(drawn[n - 1][0] for n, _ in store.effects) == sorted(facts)


@pytest.mark.parametrize("looks", [True, False])
def test_a_producer_s_duplicate_is_done_once_within_a_batch_and_after_it(looks: bool) -> None:
    """Also while its twin is applied and not yet committed."""
    store = Store(group_limit=10 if looks else 1, looks=looks)
    twice = [entry(1, b"x"), entry(2, b"y"), entry(3, b"x"), entry(4, b""), entry(5, b"")]
    outcome = Bench(store, handler=Keyed).run(*twice)
    assert outcome.complete
    assert (outcome.done, outcome.skipped) == (4, 1)
    assert store.effects == places(1, 2, 4, 5)
    later = Bench(store, handler=Keyed).run(entry(6, b"y"), entry(7, b"z"))
    assert (later.done, later.skipped) == (1, 1)


def test_a_duplicate_of_a_record_that_failed_is_tried_itself() -> None:
    store = Store(group_limit=10)
    outcome = Bench(store, Script(failing={(1, 0): 9}), handler=Keyed).run(
        entry(1, b"x"), entry(2, b"x"), ordering="none"
    )
    assert (outcome.done, outcome.failed) == (1, 1)
    assert store.effects == places(2)


def test_a_duplicate_of_one_refused_at_the_commit_is_tried_itself() -> None:
    store = Store(group_limit=10, breaks=places(1))
    outcome = Bench(store, handler=Keyed).run(entry(1, b"x"), entry(2, b"x"), entry(3, b"y"), ordering="none")
    assert (outcome.done, outcome.failed) == (2, 1)
    assert store.effects == places(2, 3)


def test_a_duplicate_of_one_that_waits_behind_a_refused_one_is_tried_itself() -> None:
    store = Store(group_limit=10, breaks=places(1))
    outcome = Bench(store, handler=Keyed).run(
        entry(1, b"a", key="k1"), entry(3, b"x", key="k1"), entry(4, b"x", key="k2"), ordering="partition_key"
    )
    assert (outcome.done, outcome.failed, outcome.unfinished) == (1, 1, 1)
    assert store.effects == places(4)


def test_a_circuit_that_tries_again_hears_of_the_first_success_at_once() -> None:
    """Or it would stop the batch behind the one record that it admits."""
    bench = Bench(Store(group_limit=10), Script(failing={(1, 0): 1}))
    breaker = CircuitBreaker(failures=1, on=(Transient,), reset_after=5)
    consumer = Consumer(Writing(bench.script), name="writing", ledger=bench.store, breaker=breaker)
    processor = processor_of(consumer, clock=bench.clock, telemetry=bench.told)
    assert processor.process(batch(*entries(4))).unfinished == 4
    bench.clock.advance(6)
    assert processor.process(batch(*entries(4))).done == 4
    assert bench.store.log[-2:] == ["begin", "commit 2 3 4"]


def test_threads_work_on_keys_side_by_side_each_in_order() -> None:
    store = Store(group_limit=4)
    together = threading.Barrier(3)
    bench = Bench(store)
    bench.script.before = lambda record: together.wait(30) if place_of(record)[0] <= 3 else None
    outcome = bench.run(*entries(60, keys=3), ordering="partition_key", max_workers=3)
    assert outcome.done == 60
    assert sorted(store.effects) == places(*range(1, 61))
    for key in range(3):
        own = [sequence for sequence, _ in store.effects if sequence % 3 == key]
        assert own == sorted(own)


def test_a_store_that_fails_in_one_thread_stops_them_all() -> None:
    store = Store(group_limit=1, fails={("commit", 2)})
    bench = Bench(store)
    # What is under way when it fails may end; so much is one record for each thread.
    bench.script.before = lambda record: place_of(record)[0] <= 2 or within_a_minute(lambda: bool(bench.told.ledger))
    outcome = bench.run(*entries(30, keys=30), ordering="partition_key", max_workers=3)
    assert outcome.done <= 4
    assert outcome.failed == outcome.dead_lettered == 0
    assert outcome.done == len(store.effects)
    assert outcome.unfinished == 30 - len(store.effects) > 0
    assert len(bench.told.ledger) == 1
    assert Bench(store).run(*entries(30, keys=30), ordering="partition_key").complete
    assert sorted(store.effects) == places(*range(1, 31))


def test_what_outlives_the_deadline_is_not_reported_and_not_repeated() -> None:
    """A thread that is still at it commits later; its record is then found marked."""
    store = Store(group_limit=10)
    bench = Bench(store)
    release = threading.Event()
    late = threading.Event()

    def before(record: Record) -> None:
        if place_of(record) == (1, 0):
            late.set()
            release.wait(60)

    bench.script.before = before
    consumer = Consumer(Writing(bench.script), name="writing", ledger=store, ordering="partition_key", max_workers=2)
    processor = processor_of(consumer, clock=bench.clock, telemetry=bench.told)
    # The clock stands, so only real time ends the wait for the workers, and it must let the first come to where it waits.
    outcome = processor.process(batch(*entries(2, keys=2)), deadline=bench.clock.monotonic() + 1.0)
    assert late.is_set()
    assert outcome.out_of_time
    assert outcome.checkpoint == "1"
    release.set()
    assert within_a_minute(lambda: store.open == 0)
    bench.script.before = lambda record: None
    assert processor.process(batch(*entries(2, keys=2))).complete
    assert sorted(store.effects) == places(1, 2)
    processor.close()


def test_a_handler_that_returns_work_undone_has_failed() -> None:
    class Later(TransactionalHandler[Transaction]):
        def process(self, record: Record, transaction: Transaction) -> None:
            async def later() -> None: ...

            return later()  # type: ignore[return-value]

    store = Store()
    consumer = Consumer(Later(), ledger=store, retry=Retry(attempts=1))
    outcome = processor_of(consumer).process(batch(*entries(1)))
    assert outcome.failed == 1
    assert store.effects == []


@pytest.mark.parametrize("at_the_commit", [False, True])
def test_a_further_attempt_knows_nothing_of_the_error_before_it(at_the_commit: bool) -> None:
    handled: list[BaseException | None] = []
    errors: list[BaseException] = []

    class Keeping(Telling):
        def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
            errors.append(error)

    script = Script({} if at_the_commit else {(2, 0): 3}, before=lambda record: handled.append(sys.exc_info()[1]))
    store = Store(breaks=[(2, 0)] if at_the_commit else [])
    consumer = Consumer(Writing(script), ledger=store, retry=Retry(attempts=3))
    outcome = processor_of(consumer, telemetry=Keeping()).process(batch(*entries(3)))
    assert outcome.failed == 1
    assert [error.__context__ for error in errors] == [None]
    assert set(handled) == {None}


def test_a_ledger_without_transactions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"needs a ledger with transactions, such as SQLiteLedger\(path\)"):
        processor_of(Consumer(Writing(Script()), name="w", ledger=MemoryLedger()))


_events = st.sampled_from(["begin", "apply", "commit"])


@settings(max_examples=200)
@given(
    count=st.integers(1, 12),
    keys=st.integers(1, 3),
    limit=st.integers(1, 5),
    looks=st.booleans(),
    ordering=st.sampled_from(["shard", "partition_key", "none"]),
    failing=st.dictionaries(st.integers(1, 12), st.integers(1, 4), max_size=4),
    rejected=st.sets(st.integers(1, 12), max_size=3),
    broken=st.sets(st.integers(1, 12), max_size=2),
    fails=st.sets(st.tuples(_events, st.integers(1, 12)), max_size=4),
    lost=st.sets(st.integers(1, 8), max_size=2),
    twins=st.booleans(),
    workers=st.sampled_from([1, 3]),
)
def test_over_any_faults_each_effect_happens_once_and_in_order(
    count: int,
    keys: int,
    limit: int,
    looks: bool,
    ordering: str,
    failing: dict[int, int],
    rejected: set[int],
    broken: set[int],
    fails: set[tuple[str, int]],
    lost: set[int],
    twins: bool,
    workers: int,
) -> None:
    """Redelivered until it is done, as the runtime does; a record refused at every commit ends in the dead letters."""
    store = Store(
        group_limit=limit if looks else 1, looks=looks, fails=fails, lost=lost, breaks=places(*broken - rejected)
    )
    script = Script(failing={(n, 0): times for n, times in failing.items()}, rejected=places(*rejected))
    bench = Bench(store, script, handler=Keyed if twins else Writing)
    # With twins, every record has one next to it.
    given_entries = [entry(n, str(n // 2 if twins else n).encode(), key=f"k{n % keys}") for n in range(1, count + 1)]
    outcomes = []
    for _ in range(40):
        outcome = bench.run(
            *given_entries,
            ordering=ordering,
            retry=Retry(attempts=2, exhausted="dead_letter"),
            max_workers=workers,
        )
        assert outcome.done + outcome.skipped + outcome.dead_lettered + outcome.failed + outcome.unfinished == len(
            given_entries
        )
        outcomes.append(outcome)
        if outcome.checkpoint is None:
            break
        given_entries = [
            one for one in given_entries if int(one["kinesis"]["sequenceNumber"]) >= int(outcome.checkpoint)
        ]
    assert outcomes[-1].complete
    done, parked = {n for n, _ in store.effects}, {n for n, _ in bench.letters.places}
    assert len(store.effects) == len(done)
    assert not done & (rejected | broken)
    if twins:
        facts = [n // 2 for n in sorted(done)]
        assert len(facts) == len(set(facts))
        assert {n // 2 for n in done | parked} == {n // 2 for n in range(1, count + 1)}
    else:
        assert done | parked == set(range(1, count + 1))
        assert not done & parked
    if ordering != "none":
        for key in range(keys):
            own = [n for n, _ in store.effects if n % keys == key]
            assert own == sorted(own)
