"""Producers' duplicates: one fact under several sequence numbers takes effect once, and no copy is lost."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.clock import SystemClock
from kstream.core.breaker import CircuitBreaker
from kstream.core.consumer import Consumer
from kstream.core.errors import BatchUnfinished, ConfigurationError, Reject
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from kstream.runtimes.aws_lambda import on_lambda
from kstream.stores.memory import MemoryLedger
from kstream.testing.clock import VirtualClock
from tests.support.processing import (
    MALFORMED,
    WAYS,
    Letters,
    NotedLedger,
    Script,
    Telling,
    aggregate_of,
    batch,
    entry,
    event,
    place_of,
    processor_of,
    workers_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.batch import Batch
    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from tests.support.processing import Place, Way

ONCE = Retry(attempts=1)
ORDERINGS = ("shard", "partition_key", "none")


def fact_of(record: Record) -> str | None:
    """The payload; a dash stands for a record without a key."""
    text = record.text()
    return None if text == "-" else text


class Facts(Handler):
    """Follows a script; ``key`` names its records."""

    def __init__(self, script: Script, key: Callable[[Record], Any] = fact_of) -> None:
        self.script = script
        self.key = key

    def idempotency_key(self, record: Record) -> str | None:
        return self.key(record)  # type: ignore[no-any-return]

    def process(self, record: Record) -> None:
        self.script.befall(record)


class FactsLater(Facts):
    async def process(self, record: Record) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.script.befall(record)


def facts(way: Way, script: Script, key: Callable[[Record], Any] = fact_of) -> Facts:
    return (Facts if way in ("inline", "threads") else FactsLater)(script, key)


def deliver(way: Way, handler: Facts, given_batch: Batch, **policies: Any) -> Outcome:
    """One batch, in a process of its own: only the ledger knows of the ones before."""
    prefix_settles, told = policies.pop("prefix_settles", True), policies.pop("told", None)
    consumer = Consumer(handler, name="facts", max_workers=workers_for(way), **policies)
    processor = processor_of(consumer, telemetry=told)
    try:
        return processor.process(given_batch, prefix_settles=prefix_settles)
    finally:
        processor.close()


# --- Twins, wherever they stand ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_the_same_fact_twice_in_a_batch_takes_effect_once(way: Way, ordering: str) -> None:
    script, ledger = Script(), NotedLedger()
    twins = batch(entry(1, b"x"), entry(2, b"y"), entry(3, b"x"), entry(4, b"-"), entry(5, b"-"))
    assert deliver(way, facts(way, script), twins, ordering=ordering, ledger=ledger).checkpoint is None
    assert len({(1, 0), (3, 0)} & set(script.done)) == 1
    assert Counter(script.done) - Counter([(1, 0), (3, 0)]) == Counter([(2, 0), (4, 0), (5, 0)])
    assert ledger.keys == {"x", "y"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["sparse", "full"])
def test_the_same_fact_in_a_later_batch_is_skipped(way: Way, mode: str) -> None:
    script, ledger = Script(), NotedLedger()
    assert deliver(way, facts(way, script), batch(entry(1, b"x")), ledger=ledger, mode=mode).done == 1
    again = deliver(way, facts(way, script), batch(entry(2, b"x"), entry(3, b"y")), ledger=ledger, mode=mode)
    assert (again.skipped, again.done, again.checkpoint) == (1, 1, None)
    assert script.done == [(1, 0), (3, 0)]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_fact_in_another_shard_is_skipped(way: Way) -> None:
    """A reshard moves a key, and the producer's second try lands in a child."""
    script, ledger = Script(), MemoryLedger(clock=VirtualClock())
    child = batch(entry(9, b"x", shard_id="shardId-000000000008"))
    assert deliver(way, facts(way, script), batch(entry(1, b"x")), ledger=ledger).done == 1
    assert deliver(way, facts(way, script), child, ledger=ledger).skipped == 1
    assert script.done == [(1, 0)]


@pytest.mark.parametrize("way", WAYS)
def test_user_records_of_one_aggregate_can_be_twins(way: Way) -> None:
    script = Script()
    packed = entry(1, aggregate_of(("k", b"x"), ("k", b"y"), ("k", b"x")))
    outcome = deliver(way, facts(way, script), batch(packed), ledger=NotedLedger(), ordering="partition_key")
    assert (outcome.done, outcome.skipped) == (2, 1)
    assert script.done == [(1, 0), (1, 1)]


SIDE_BY_SIDE = pytest.mark.parametrize("way", ["threads", "tasks"])
LANES = pytest.mark.parametrize("ordering", ["partition_key", "none"])


class Slow(Facts):
    """Whichever twin comes first is not done before the record ``y`` has begun, which other lanes reach meanwhile."""

    def __init__(self, script: Script, then: Callable[[Record], object] = lambda record: None) -> None:
        super().__init__(script)
        self.others_turn = threading.Event()
        self.then = then

    def process(self, record: Record) -> None:
        if record.text() == "y":
            self.others_turn.set()
        else:
            assert self.others_turn.wait(60)
            self.then(record)
        super().process(record)


class SlowLater(Slow):
    async def process(self, record: Record) -> None:  # type: ignore[override]
        await asyncio.to_thread(Slow.process, self, record)


def slow(way: Way, script: Script, then: Callable[[Record], object] = lambda record: None) -> Slow:
    return (Slow if way == "threads" else SlowLater)(script, then)


@SIDE_BY_SIDE
@LANES
@pytest.mark.parametrize("mode", ["sparse", "full"])
def test_a_twin_under_way_in_another_lane_is_waited_for_and_skipped(way: Way, ordering: Any, mode: Any) -> None:
    """A batch in which nothing fails is done at once, and what stands behind the twin as well."""
    script = Script()
    given_batch = batch(entry(1, b"x", "a"), entry(2, b"x", "b"), entry(3, b"y", "c"), entry(4, b"-", "b"))
    outcome = deliver(way, slow(way, script), given_batch, ordering=ordering, ledger=NotedLedger(), mode=mode)
    assert (outcome.done, outcome.skipped, outcome.checkpoint) == (3, 1, None)
    assert len({(1, 0), (2, 0)} & set(script.done)) == 1
    assert {(3, 0), (4, 0)} <= set(script.done)


@SIDE_BY_SIDE
@LANES
@pytest.mark.parametrize("how", ["fails", "is rejected"])
def test_where_the_one_that_was_waited_for_is_not_done_its_twin_is_tried(way: Way, ordering: Any, how: str) -> None:
    tried: list[Place] = []

    def then(record: Record) -> None:
        tried.append(place_of(record))
        if len(tried) == 1:
            raise Reject("the first") if how == "is rejected" else OSError("the first")

    script, letters = Script(), Letters()
    given_batch = batch(entry(1, b"x", "a"), entry(2, b"x", "b"), entry(3, b"y", "c"))
    outcome = deliver(
        way,
        slow(way, script, then),
        given_batch,
        ordering=ordering,
        ledger=NotedLedger(),
        retry=ONCE,
        dead_letters=letters,
    )
    assert (outcome.done, outcome.skipped, outcome.unfinished) == (2, 0, 0)
    assert (outcome.failed, outcome.dead_lettered) == ((1, 0) if how == "fails" else (0, 1))
    assert sorted(script.done) == sorted([tried[1], (3, 0)])


@SIDE_BY_SIDE
@LANES
@pytest.mark.parametrize("error", [SystemExit("stopped"), "open circuit"], ids=["exit", "circuit"])
def test_nobody_waits_for_a_twin_that_ended_without_being_settled(way: Way, ordering: Any, error: Any) -> None:
    tried: list[Place] = []

    def then(record: Record) -> None:
        tried.append(place_of(record))
        raise error if isinstance(error, SystemExit) else OSError("down")

    given_batch = batch(entry(1, b"x", "a"), entry(2, b"x", "b"), entry(3, b"y", "c"))
    policies: dict[str, Any] = {"ordering": ordering, "ledger": NotedLedger()}
    handler = slow(way, Script(), then)
    if isinstance(error, SystemExit):
        with pytest.raises(SystemExit):
            deliver(way, handler, given_batch, **policies)
    else:
        outcome = deliver(way, handler, given_batch, breaker=CircuitBreaker(failures=1), **policies)
        assert (outcome.done, outcome.unfinished) == (1, 2)
    assert len(tried) == 1


@SIDE_BY_SIDE
@LANES
def test_the_deadline_ends_the_waiting_for_a_twin(way: Way, ordering: Any) -> None:
    """The first one is stuck; its twin is left undone, like everything that the deadline stops."""
    stuck = threading.Event()

    class Sticks(Facts):
        def process(self, record: Record) -> None:
            stuck.wait(60)

    class SticksLater(Facts):
        async def process(self, record: Record) -> None:  # type: ignore[override]
            await asyncio.Event().wait()

    handler = (Sticks if way == "threads" else SticksLater)(Script())
    given_batch = batch(entry(1, b"x", "a"), entry(2, b"x", "b"))
    consumer = Consumer(handler, ordering=ordering, max_workers=4, ledger=NotedLedger())
    clock = SystemClock()
    processor = processor_of(consumer, clock=clock)
    try:
        outcome = processor.process(given_batch, deadline=clock.monotonic() + 0.2)
    finally:
        stuck.set()
        processor.close()
    assert (outcome.unfinished, outcome.failed, outcome.out_of_time) == (2, 0, True)


@given(
    st.lists(st.tuples(st.sampled_from("xyz-"), st.sampled_from("abcd")), min_size=1, max_size=12),
    st.sampled_from(["threads", "tasks"]),
    st.sampled_from(ORDERINGS),
    st.sampled_from(["sparse", "full"]),
    st.integers(2, 5),
)
def test_a_faultless_batch_is_done_in_one_delivery_whatever_twins_meet_in_it(
    drawn: list[tuple[str, str]], way: Way, ordering: Any, mode: Any, workers: int
) -> None:
    """Each fact once, each key in order, nobody waiting for each other in a ring."""
    script = Script()
    given_batch = batch(*(entry(n, fact.encode(), key) for n, (fact, key) in enumerate(drawn, 1)))
    consumer = Consumer(facts(way, script), ordering=ordering, max_workers=workers, ledger=NotedLedger(), mode=mode)
    processor = processor_of(consumer)
    outcome = processor.process(given_batch)
    processor.close()
    assert outcome.checkpoint is None
    done = [drawn[number - 1] for number, _ in script.done]
    effects = Counter(fact for fact, _ in done)
    named = Counter(fact for fact, _ in drawn)
    assert effects == Counter({fact: count if fact == "-" else 1 for fact, count in named.items()})
    assert (outcome.done, outcome.skipped) == (len(done), len(drawn) - len(done))
    for key in "abcd":
        if ordering != "none":
            numbers = [number for number, _ in script.done if drawn[number - 1][1] == key]
            assert numbers == sorted(numbers)


# --- What becomes of a twin when the first copy did not make it -----------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_where_a_copy_failed_another_one_may_take_effect(way: Way) -> None:
    """At once where the first has failed by then, else in a later delivery; once in any case."""
    script, ledger = Script({(1, 0): 3}), NotedLedger()
    given_batch = batch(entry(1, b"x", "a"), entry(2, b"-", "c"), entry(3, b"x", "b"))
    handler = facts(way, script)
    first = deliver(way, handler, given_batch, ordering="none", retry=ONCE, ledger=ledger)
    assert (first.checkpoint, first.failed) == ("1", 1)
    assert (2, 0) in script.done
    deliveries = 1
    while deliver(way, handler, given_batch, ordering="none", retry=ONCE, ledger=ledger).checkpoint is not None:
        deliveries += 1
        assert deliveries < 6
    assert sorted(script.done) in ([(2, 0), (3, 0)], [(1, 0), (2, 0)])
    if way in ("inline", "async"):
        assert (deliveries, sorted(script.done)) == (1, [(2, 0), (3, 0)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["rejected", "exhausted"])
def test_a_parked_copy_is_no_effect_so_the_next_one_is_tried(way: Way, how: str) -> None:
    """Were the fact taken for done, a redriven letter would be skipped, and the fact lost for good."""
    script = Script(rejected={(1, 0)}) if how == "rejected" else Script({(1, 0): 9})
    ledger, letters = NotedLedger(), Letters()
    policies: dict[str, Any] = {
        "retry": Retry(attempts=1, exhausted="dead_letter"),
        "dead_letters": letters,
        "ledger": ledger,
    }
    handler = facts(way, script)
    outcome = deliver(way, handler, batch(entry(1, b"x"), entry(2, b"x")), mode="full", **policies)
    assert (outcome.dead_lettered, outcome.done, outcome.checkpoint) == (1, 1, None)
    assert (letters.places, script.done, ledger.keys) == ({(1, 0)}, [(2, 0)], {"x"})

    other = NotedLedger()
    assert deliver(way, handler, batch(entry(1, b"x")), **policies | {"ledger": other}).dead_lettered == 1
    assert other.keys == set()


@dataclass(frozen=True)
class World:
    entries: list[dict[str, Any]]
    facts: dict[Place, str]
    failing: dict[Place, int]
    rejected: set[Place]
    ordering: str


@st.composite
def worlds(draw: st.DrawFn) -> World:
    entries, named = [], {}
    for number in range(1, draw(st.integers(1, 8)) + 1):
        fact = draw(st.sampled_from(["x", "x", "y", "-"]))
        entries.append(entry(number, fact.encode(), draw(st.sampled_from("abc"))))
        named[number, 0] = fact
    some = st.sets(st.sampled_from(sorted(named)))
    return World(
        entries,
        named,
        {place: draw(st.integers(1, 5)) for place in draw(some)},
        draw(some),
        draw(st.sampled_from(ORDERINGS)),
    )


@given(
    world=worlds(),
    way=st.sampled_from(WAYS),
    whole=st.booleans(),
    mode=st.sampled_from([{"mode": "sparse"}, {"mode": "full"}, {"save_every": 2}]),
)
def test_until_nothing_is_left_each_fact_takes_effect_once_and_no_record_is_lost(
    world: World, way: Way, whole: bool, mode: dict[str, Any]
) -> None:
    script, letters, ledger = Script(world.failing, world.rejected), Letters(), MemoryLedger(clock=VirtualClock())
    handler, entries = facts(way, script), world.entries
    policies = {"ordering": world.ordering, "retry": Retry(attempts=2, base=0), "dead_letters": letters, **mode}
    for _delivery in range(60):
        outcome = deliver(way, handler, batch(*entries), ledger=ledger, prefix_settles=not whole, **policies)
        if outcome.checkpoint is None:
            break
        if not whole:
            numbers = [found["kinesis"]["sequenceNumber"] for found in entries]
            entries = entries[numbers.index(outcome.checkpoint) :]
    else:
        pytest.fail("it never ends")
    effects = Counter(world.facts[place] for place in script.done)
    for fact in ("x", "y"):
        copies = {place for place, named in world.facts.items() if named == fact}
        sound = copies - world.rejected
        assert effects[fact] == bool(sound)
        assert sound or copies == copies & letters.places
    alone = {place for place, named in world.facts.items() if named == "-"}
    assert sorted(place for place in script.done if place in alone) == sorted(alone - world.rejected)
    assert alone & world.rejected <= letters.places
    assert letters.places <= world.rejected


# --- A handler that cannot tell a key --------------------------------------------------------------------------------------


def raises(error: Exception) -> Callable[[Record], Any]:
    def key(record: Record) -> Any:
        if place_of(record) == (2, 0):
            raise error
        return fact_of(record)

    return key


def answers(value: Any) -> Callable[[Record], Any]:
    return lambda record: value if place_of(record) == (2, 0) else fact_of(record)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sink", [True, False])
def test_a_key_that_is_rejected_rejects_its_record_untried(way: Way, sink: bool) -> None:
    script, letters, told = Script(), Letters(), Telling()
    handler = facts(way, script, raises(Reject("no order number")))
    outcome = deliver(
        way,
        handler,
        batch(entry(1, b"x"), entry(2, b"y"), entry(3, b"z")),
        ordering="none",
        ledger=NotedLedger(),
        dead_letters=letters if sink else None,
        told=told,
    )
    assert (outcome.done, outcome.dead_lettered, outcome.failed, outcome.retried) == (2, sink, not sink, 0)
    assert sorted(script.started) == [(1, 0), (3, 0)]
    assert [letter.reason for letter in letters.stored] == ["no order number"] * sink
    assert told.failed == [((2, 0), "Reject", 1, sink)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (raises(ZeroDivisionError("by zero")), "idempotency_key raised ZeroDivisionError: by zero"),
        (answers(7), "idempotency_key returned 7, not text"),
        (answers(b"x"), "idempotency_key returned b'x', not text"),
        (answers(""), "idempotency_key returned '', not text that tells facts apart"),
        (answers(False), "idempotency_key returned False, not text"),
    ],
    ids=["raises", "number", "bytes", "empty", "false"],
)
def test_without_a_key_a_record_fails_untried_and_is_not_tried_again_in_place(way: Way, key: Any, reason: str) -> None:
    """Tried without its key it might take effect a second time."""
    script, told, ledger = Script(), Telling(), NotedLedger()
    given_batch = batch(entry(1, b"x"), entry(2, b"y"), entry(3, b"z"))
    outcome = deliver(way, facts(way, script, key), given_batch, ordering="none", ledger=ledger, told=told)
    assert (outcome.done, outcome.failed, outcome.retried, outcome.checkpoint) == (2, 1, 0, "2")
    assert sorted(script.started) == [(1, 0), (3, 0)]
    assert told.failed == [((2, 0), "KeyFailed", 1, False)]

    letters = Letters()
    parking = Retry(attempts=3, exhausted="dead_letter")
    deliver(way, facts(way, script, key), given_batch, retry=parking, ledger=ledger, dead_letters=letters)
    assert [letter.reason.startswith(reason) for letter in letters.stored] == [True]


def test_a_key_that_is_awaited_for_is_no_key() -> None:
    class Awaits(Facts):
        async def idempotency_key(self, record: Record) -> str:  # type: ignore[override]
            return "x"

    with pytest.raises(ConfigurationError, match="idempotency_key is async def: make it def"):
        processor_of(Consumer(Awaits(Script()), ledger=NotedLedger()))


@pytest.mark.parametrize("way", WAYS)
def test_no_key_is_asked_for_what_no_handler_may_see_or_is_done(way: Way) -> None:
    asked: list[Place] = []

    def key(record: Record) -> str:
        asked.append(place_of(record))
        return "k"

    given_batch = batch(entry(1), entry(2, MALFORMED), entry(3))
    deliver(way, facts(way, Script(), key), given_batch, ledger=NotedLedger({(1, 0)}), dead_letters=Letters())
    assert asked == [(3, 0)]


def test_keys_without_a_ledger_would_be_forgotten_and_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="idempotency_key needs a ledger"):
        processor_of(Consumer(Facts(Script())))


# --- The ledger ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("broken", ["load_keys", "save_keys"])
def test_a_ledger_without_keys_fails_no_batch_and_twins_in_it_are_still_told_apart(way: Way, broken: str) -> None:
    script, told, ledger = Script(), Telling(), NotedLedger(broken=(broken,))
    given_batch = batch(entry(1, b"x"), entry(2, b"x"))
    outcome = deliver(way, facts(way, script), given_batch, ledger=ledger, told=told)
    assert (outcome.done, outcome.skipped, outcome.checkpoint) == (1, 1, None)
    assert [str(error) for error in told.ledger] == [f"cannot be {'read' if broken == 'load_keys' else 'written'}"]


@pytest.mark.parametrize("way", WAYS)
def test_in_full_mode_each_key_is_written_before_its_position(way: Way) -> None:
    """A record whose position is known is not asked for its key again, so the key must not be what a crash forgets."""
    written: list[object] = []

    class Ledger(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            written.extend(done)
            super().save(scope, done)

        def save_keys(self, scope: Any, keys: Any) -> None:
            written.extend(keys)
            super().save_keys(scope, keys)

    deliver(way, facts(way, Script()), batch(entry(1, b"x"), entry(2, b"y")), ledger=Ledger(), mode="full")
    assert written == ["x", 1, "y", 2]


@pytest.mark.parametrize("way", WAYS)
def test_with_save_every_keys_go_along_with_their_positions(way: Way) -> None:
    ledger = NotedLedger()
    given_batch = batch(*(entry(number, b"%d" % number) for number in range(5)))
    deliver(way, facts(way, Script()), given_batch, ledger=ledger, save_every=2)
    assert [set(saved) for saved in ledger.saves] == [{0, 1}, {2, 3}]
    assert ledger.key_saves == [{"0", "1"}, {"2", "3"}, {"4"}]


@pytest.mark.parametrize("way", WAYS)
def test_a_crash_between_the_two_writes_repeats_nothing(way: Way) -> None:
    class Dies(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            raise SystemExit("killed")

    script, ledger = Script({(2, 0): 1}), Dies()
    given_batch = batch(entry(1, b"x"), entry(2, b"y"))
    with pytest.raises(SystemExit):
        deliver(way, facts(way, script), given_batch, ledger=ledger, retry=ONCE, prefix_settles=False)
    survivor = NotedLedger()
    survivor.keys = ledger.keys
    deliver(way, facts(way, script), batch(entry(1, b"x"), entry(2, b"y"), entry(3, b"x")), ledger=survivor)
    assert script.done == [(1, 0), (2, 0)]


def test_where_the_answer_raises_the_keys_are_kept_all_the_same() -> None:
    script, ledger = Script({(2, 0): 1}), NotedLedger()
    handle = on_lambda(Consumer(Facts(script), retry=ONCE, ledger=ledger), answer="raise")
    given_event = event(entry(1, b"x"), entry(2, b"y"))
    with pytest.raises(BatchUnfinished):
        handle(given_event)
    assert (ledger.keys, ledger.places) == ({"x"}, {(1, 0)})
    handle(event(*given_event["Records"], entry(3, b"x")))
    assert script.done == [(1, 0), (2, 0)]
