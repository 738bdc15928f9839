"""What a batch comes to: every ordering, in every way of running, for every fate of a record."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.batch import Batch
from kstream.core.consumer import Consumer
from kstream.core.errors import EventError, LedgerError
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.outcome import Outcome
from kstream.core.retry import Retry
from kstream.core.telemetry import Telemetry
from kstream.stores.memory import MemoryLedger
from kstream.testing.clock import VirtualClock
from tests.support.processing import (
    MALFORMED,
    SHARD_ID,
    STREAM_ARN,
    WAYS,
    Letters,
    NotedLedger,
    Script,
    Telling,
    aggregate_of,
    batch,
    entry,
    place_of,
    places_in,
    processor_of,
    run_script,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.record import Position, Record
    from tests.support.processing import (
        Place,
        Way,
    )

ORDERINGS = ("shard", "partition_key", "none")
SUBJECT = (2, 0)


@dataclass(frozen=True)
class Fate:
    """What befalls record 2 of five, and what must come of it. ``settled`` and ``as_state``: a field of Outcome."""

    id: str
    as_state: str
    entry: dict[str, Any] = field(default_factory=lambda: entry(2, b"{}", "b"))
    failing: int = 0
    reject: bool = False
    exhausted: str = "fail"
    sink: str = "good"
    retried: int = 0
    reads: Any = lambda record: record.json()
    letter: tuple[str, int, bytes] | None = None

    @property
    def settled(self) -> bool:
        return self.as_state in ("done", "dead_lettered")

    @property
    def incidents(self) -> dict[str, int]:
        poison = not self.settled or self.as_state == "dead_lettered"
        return {
            "retried": self.retried,
            "rejected": int(poison and not self.failing),
            "dead_letter_failures": int(self.sink == "refuses"),
        }


_BASE64, _JSON, _AGGREGATE = (entry(2, key="b", raw="e30"), entry(2, b"{", "b"), entry(2, MALFORMED, "b"))

FATES = [
    Fate("succeeds", "done"),
    Fate("fails once", "done", failing=1, retried=1),
    Fate("fails twice", "done", failing=2, retried=2),
    Fate("fails for good", "failed", failing=9, retried=2),
    Fate(
        "fails for good, to be parked",
        "dead_lettered",
        failing=9,
        exhausted="dead_letter",
        retried=2,
        letter=("attempt 3", 3, b"{}"),
    ),
    Fate("fails for good, no sink", "failed", failing=9, sink="none", retried=2),
    Fate("fails for good, sink refuses", "failed", failing=9, exhausted="dead_letter", sink="refuses", retried=2),
    Fate("is rejected", "dead_lettered", reject=True, letter=("as scripted", 1, b"{}")),
    Fate("is rejected, no sink", "failed", reject=True, sink="none"),
    Fate("is rejected, sink refuses", "failed", reject=True, sink="refuses"),
    Fate("malformed aggregate", "dead_lettered", _AGGREGATE, letter=("entry 0 of the aggregate", 1, MALFORMED)),
    Fate("malformed aggregate, no sink", "failed", _AGGREGATE, sink="none"),
    Fate("malformed aggregate, sink refuses", "failed", _AGGREGATE, sink="refuses"),
    Fate("not base64", "dead_lettered", _BASE64, letter=("the record's data is not base64", 1, b"e30")),
    Fate("not base64, no sink", "failed", _BASE64, sink="none"),
    Fate("not JSON", "dead_lettered", _JSON, letter=("the payload is not JSON", 1, b"{")),
    Fate("not JSON, no sink", "failed", _JSON, sink="none"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.id)
def test_a_record_s_fate_decides_its_own_state_and_only_order_decides_about_the_others(
    fate: Fate, ordering: str, way: Way
) -> None:
    script = Script({SUBJECT: fate.failing}, {SUBJECT} if fate.reject else (), fate.reads)
    letters = Letters(lambda letter: fate.sink == "refuses")
    ledger, told = NotedLedger(), Telling()

    outcome = run_script(
        way,
        script,
        batch(entry(1, key="a"), fate.entry, entry(3, key="c"), entry(4, key="a"), entry(5, key="b")),
        ordering=ordering,
        retry=Retry(attempts=3, exhausted=fate.exhausted),  # type: ignore[arg-type]
        dead_letters=None if fate.sink == "none" else letters,
        ledger=ledger,
        told=told,
    )

    behind = {"shard": {3, 4, 5}, "partition_key": {5}, "none": set()}[ordering] if not fate.settled else set()
    expected: dict[str, Any] = {"done": 4 - len(behind), "unfinished": len(behind), "failed": 0, "dead_lettered": 0}
    expected[fate.as_state] += 1
    assert outcome == Outcome(
        checkpoint=None if fate.settled else "2", kinesis_records=5, records=5, **fate.incidents, **expected
    )
    assert {sequence for sequence, _ in script.done} - {2} == {1, 3, 4, 5} - behind
    assert ledger.places == (set() if fate.settled else {(n, 0) for n in {3, 4, 5} - behind})
    if fate.letter is not None:
        [letter] = letters.stored
        reason, attempts, data = fate.letter
        assert letter.reason.startswith(reason)
        assert (letter.attempts, letter.record.data, letter.consumer) == (attempts, data, "scripted")
        assert (letter.record.stream_arn, letter.record.shard_id) == (STREAM_ARN, SHARD_ID)
        assert letter.record.sequence_number == "2"
    else:
        assert letters.stored == []
    assert told.refused == ([SUBJECT] if fate.sink == "refuses" else [])
    assert [(place, parked) for place, _, _, parked in told.failed] == (
        [] if fate.as_state == "done" else [(SUBJECT, fate.settled)]
    )
    assert told.outcomes == [outcome]


# --- Random batches ----------------------------------------------------------------------------------------------------

FOR_EVER = 99


@dataclass(frozen=True)
class World:
    """A batch, what befalls its records, and what a ledger knows already."""

    entries: list[dict[str, Any]]
    keys: dict[Place, str]
    failing: dict[Place, int]
    rejected: set[Place]
    known: set[Place]
    sink: str
    refused: set[Place]
    exhausted: str
    ordering: str

    @property
    def batch(self) -> Batch:
        return batch(*self.entries)

    def policies(self, letters: Letters) -> dict[str, Any]:
        return {
            "ordering": self.ordering,
            "retry": Retry(attempts=3, base=0.01, exhausted=self.exhausted),  # type: ignore[arg-type]
            "dead_letters": None if self.sink == "none" else letters,
        }

    def letters(self) -> Letters:
        return Letters(lambda letter: place_of(letter.record) in self.refused)

    def script(self) -> Script:
        return Script(self.failing, self.rejected)


# Where comparing as text goes wrong; where 64 bits end; 56 digits as in practice; 129, the most there can be.
_STARTS = st.sampled_from([0, 7, 95, 997, 2**63 - 3, 10**55 - 3, 10**56 - 4, 10**128 - 2, 9 * 10**128])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    sequence = draw(_STARTS)
    entries, keys = [], {}
    malformed: set[Place] = set()
    for _ in range(draw(st.integers(1, 8))):
        spelled = draw(st.sampled_from(["", "0", "000"])) + str(sequence)
        key = draw(st.sampled_from("abc"))
        kind = draw(st.sampled_from(["plain", "plain", "aggregate", "malformed"]))
        if kind == "plain":
            entries.append(entry(spelled, b"{}", key))
            keys[sequence, 0] = key
        elif kind == "malformed":
            entries.append(entry(spelled, MALFORMED, key))
            keys[sequence, 0] = key
            malformed.add((sequence, 0))
        else:
            users = [(draw(st.sampled_from("xyz")), b"%d" % n) for n in range(draw(st.integers(0, 4)))]
            if not users:
                # An aggregate of nothing needs something in it to be one: a table.
                entries.append(entry(spelled, aggregate_of(key_table=["x"]), key))
            else:
                entries.append(entry(spelled, aggregate_of(*users), key))
            keys |= {(sequence, n): key for n in range(len(users))}
        sequence += draw(st.sampled_from([1, 1, 2, 9, 90]))
    places = sorted(keys)
    some = st.sets(st.sampled_from(places)) if places else st.just(set())
    failing = {place: draw(st.sampled_from([1, 2, 3, FOR_EVER])) for place in draw(some)}
    sink = draw(st.sampled_from(["none", "some"]))
    return World(
        entries=entries,
        keys=keys,
        failing=failing,
        rejected=draw(some) | malformed,
        known=draw(some),
        sink=sink,
        refused=draw(some),
        exhausted="fail" if sink == "none" else draw(st.sampled_from(["fail", "dead_letter"])),
        ordering=draw(st.sampled_from(ORDERINGS)),
    )


ways = st.sampled_from(WAYS)


@given(world=worlds(), way=ways, prefix_settles=st.booleans())
def test_the_answer_and_the_ledger_are_exact(world: World, way: Way, prefix_settles: bool) -> None:
    script, letters, ledger = world.script(), world.letters(), NotedLedger(world.known)

    outcome = run_script(
        way, script, world.batch, ledger=ledger, prefix_settles=prefix_settles, **world.policies(letters)
    )

    done, places = set(script.done), set(world.keys)
    settled = done | letters.places | world.known
    undone = sorted(places - settled)
    assert outcome.records == len(places)
    assert outcome.kinesis_records == len(world.entries)
    assert outcome.done == len(done)
    assert outcome.dead_lettered == len(letters.places)
    assert outcome.skipped == len(world.known)
    assert outcome.failed + outcome.unfinished == len(undone)
    assert not done & letters.places
    assert not (done | letters.places) & world.known, "what the ledger knows as done is not run again"
    assert outcome.retried == sum(count - 1 for count in script.attempts.values())
    assert not outcome.out_of_time

    if undone:
        spelled = {int(e["kinesis"]["sequenceNumber"]): e["kinesis"]["sequenceNumber"] for e in world.entries}
        assert (outcome.checkpoint, outcome.sub_checkpoint) == (spelled[undone[0][0]], undone[0][1])
        beyond = {p for p in done | letters.places if not prefix_settles or p[0] >= undone[0][0]}
        assert ledger.places == world.known | beyond
        assert len(ledger.saves) == bool(beyond)
    else:
        assert (outcome.checkpoint, outcome.sub_checkpoint) == (None, 0)
        assert ledger.saves == []


@given(world=worlds(), way=ways)
def test_order_is_kept(world: World, way: Way) -> None:
    """In a key no record is started that stands behind one which is not settled; in a shard the same over all keys."""
    script, letters = world.script(), world.letters()
    run_script(way, script, world.batch, ledger=NotedLedger(world.known), **world.policies(letters))

    lanes: dict[object, list[Place]] = {}
    for place in sorted(world.keys):
        scope = {"shard": "all", "partition_key": world.keys[place], "none": place}[world.ordering]
        lanes.setdefault(scope, []).append(place)
    settled = set(script.done) | letters.places | world.known
    for lane in lanes.values():
        started = [place for place in script.started if place in lane]
        assert started == sorted(started)
        undone = [place for place in lane if place not in settled]
        assert not undone or all(place <= undone[0] for place in started)


@given(world=worlds())
def test_every_way_of_running_comes_to_the_same(world: World) -> None:
    outcomes, ledgers, parked = set(), [], []
    for way in WAYS:
        letters, ledger = world.letters(), NotedLedger(world.known)
        outcomes.add(run_script(way, world.script(), world.batch, ledger=ledger, **world.policies(letters)))
        ledgers.append(ledger.known)
        parked.append(letters.places)
    assert len(outcomes) == 1
    assert all(ledger == ledgers[0] for ledger in ledgers)
    assert all(places == parked[0] for places in parked)


@given(world=worlds(), way=ways, whole=st.booleans(), mode=st.sampled_from(["sparse", "full"]))
def test_redelivery_ends_with_every_record_settled_exactly_once(world: World, way: Way, whole: bool, mode: str) -> None:
    """From the checkpoint (or whole, for a runtime that knows no partial answer), until nothing is left."""
    script = Script({place: min(n, 7) for place, n in world.failing.items()}, world.rejected)
    script.reads = lambda record: None
    ledger, letters = MemoryLedger(clock=VirtualClock()), Letters()
    policies = world.policies(letters) | {"dead_letters": letters}
    entries = world.entries
    for _delivery in range(3 + len(world.keys) * 8):
        outcome = run_script(
            way, script, batch(*entries), ledger=ledger, mode=mode, prefix_settles=not whole, **policies
        )
        if outcome.checkpoint is None:
            break
        if not whole:
            numbers = [e["kinesis"]["sequenceNumber"] for e in entries]
            entries = entries[numbers.index(outcome.checkpoint) :]
    else:
        pytest.fail("it never ends")
    assert sorted([*script.done, *letters.places]) == sorted(world.keys)
    assert len(letters.stored) == len(letters.places)
    if world.ordering != "none":
        for key in "abc":
            effects = [place for place in script.done if world.keys[place] == key]
            assert effects == sorted(effects)


@given(world=worlds(), way=ways, save_every=st.integers(1, 3))
def test_what_is_written_along_the_way_is_only_what_is_done(world: World, way: Way, save_every: int) -> None:
    class Watching(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            with script.lock:
                assert places_in(done) <= set(script.done) | letters.places
            super().save(scope, done)

    script, letters, ledger = world.script(), world.letters(), Watching()
    outcome = run_script(way, script, world.batch, ledger=ledger, save_every=save_every, **world.policies(letters))
    settled = set(script.done) | letters.places
    assert ledger.places <= settled
    assert len(settled - ledger.places) < save_every or outcome.checkpoint is not None
    if outcome.checkpoint is not None:
        assert {place for place in settled if place[0] >= int(outcome.checkpoint)} <= ledger.places


@given(world=worlds(), way=ways, broken=st.sampled_from([("load",), ("save",), ("load", "save")]))
def test_a_ledger_that_fails_changes_nothing_but_what_it_remembers(world: World, way: Way, broken: Any) -> None:
    told = Telling()
    letters, plain = world.letters(), world.letters()
    ledger = NotedLedger(() if "load" in broken else world.known, broken=broken)
    bare = NotedLedger(() if "load" in broken else world.known)
    outcome = run_script(way, world.script(), world.batch, ledger=ledger, told=told, **world.policies(letters))
    whole = run_script(way, world.script(), world.batch, ledger=bare, **world.policies(plain))
    assert outcome == replace(whole, ledger_failures=len(told.ledger))
    assert letters.places == plain.places
    assert all(isinstance(error, LedgerError) for error in told.ledger)
    assert len(told.ledger) == ("load" in broken) + ("save" in broken and bool(ledger.saves))


# --- The edges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("spellings", "undone", "expected"),
    [
        (["9", "10", "100"], {9, 100}, "9"),
        (["9", "10", "100"], {10, 100}, "10"),
        (["0099", "100"], {99, 100}, "0099"),
        (["99", "0100", "101"], {100}, "0100"),
        (["9" * 128, "1" + "0" * 128], {10**128}, "1" + "0" * 128),
        (["9" * 128, "1" + "0" * 128], {10**128 - 1, 10**128}, "9" * 128),
        # Not as Kinesis delivers, but nothing may be lost by it: the lowest number counts, not the first.
        (["100", "9"], {9, 100}, "9"),
    ],
)
def test_the_lowest_number_counts_by_value_and_is_spelled_as_it_came(
    spellings: list[str], undone: set[int], expected: str, way: Way
) -> None:
    script = Script({(number, 0): FOR_EVER for number in undone})
    given_batch = batch(*(entry(spelling, key=str(n)) for n, spelling in enumerate(spellings)))
    assert run_script(way, script, given_batch, ordering="none").checkpoint == expected


@pytest.mark.parametrize("way", WAYS)
def test_two_copies_of_one_position_are_done_only_together(way: Way) -> None:
    """Kinesis delivers no position twice in a batch. Should it happen, the failed copy must come back, and run."""
    failed_once: list[Place] = []

    def fail_the_second(record: Record) -> None:
        if record.sequence_number == "007":
            failed_once.append(place_of(record))
            raise OSError

    script, ledger = Script(reads=fail_the_second), NotedLedger()
    copies = batch(entry("7", key="a"), entry("007", key="b"), entry("8", key="c"))
    outcome = run_script(way, script, copies, ordering="none", retry=Retry(attempts=1), ledger=ledger)
    assert outcome.checkpoint in ("7", "007")
    assert (outcome.done, outcome.failed) == (2, 1)
    assert ledger.places == {(8, 0)}


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_of_nothing_is_done(way: Way) -> None:
    ledger = NotedLedger()
    assert run_script(way, Script(), batch(), ledger=ledger) == Outcome()
    assert ledger.loads == []


@pytest.mark.parametrize("way", WAYS)
def test_an_aggregate_of_nothing_is_counted_and_passed(way: Way) -> None:
    nothing = entry(1, aggregate_of(key_table=["x"]))
    assert run_script(way, Script(), batch(nothing)) == Outcome(kinesis_records=1)


@pytest.mark.parametrize("way", WAYS)
def test_what_the_ledger_knows_whole_is_not_run_at_all(way: Way) -> None:
    script, ledger = Script(), NotedLedger({(1, 0), (2, 0), (2, 1)})
    given_batch = batch(entry(1), entry(2, aggregate_of(("x", b"1"), ("y", b"2"))))
    outcome = run_script(way, script, given_batch, ledger=ledger)
    assert (outcome.skipped, outcome.checkpoint, script.started) == (3, None, [])


def test_the_ledger_is_asked_for_the_batch_s_own_range_in_its_own_scope() -> None:
    ledger = NotedLedger()
    run_script("inline", Script(), batch(entry("05"), entry(9)), ledger=ledger)
    assert ledger.loads == [(("scripted", STREAM_ARN, SHARD_ID), 5, 9)]


@pytest.mark.parametrize("way", WAYS)
def test_the_letter_is_stored_before_its_record_counts_as_done(way: Way) -> None:
    order: list[str] = []

    class Sink(Letters):
        def put(self, letter: DeadLetter) -> None:
            super().put(letter)
            order.append("letter")

    class Ledger(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            super().save(scope, done)
            order.append("ledger")

    run_script(way, Script(rejected={(1, 0)}), batch(entry(1)), ledger=Ledger(), mode="full", dead_letters=Sink())
    assert order == ["letter", "ledger"]


def _fails(*args: object, **kwargs: object) -> None:
    raise RuntimeError("unwell")


Unwell = type("Unwell", (Telemetry,), {"sample_rate": 0.5, **dict.fromkeys(Telemetry.EVENTS, _fails)})
"""Telemetry that raises whatever it is told."""


@given(world=worlds(), way=ways)
def test_telemetry_that_raises_changes_nothing(world: World, way: Way) -> None:
    outcomes = []
    for telemetry in (None, Unwell()):
        ledger = NotedLedger(world.known, broken=("save",))
        letters = world.letters()
        outcomes.append(
            run_script(way, world.script(), world.batch, ledger=ledger, told=telemetry, **world.policies(letters))
        )
    assert outcomes[0] == outcomes[1]


class ExitingSink(Letters):
    def put(self, letter: DeadLetter) -> None:
        raise SystemExit


@pytest.mark.parametrize("way", WAYS)
def test_where_nobody_gets_an_answer_the_ledger_still_knows_all_that_is_done(way: Way) -> None:
    """What breaks a batch is told by raising; the whole batch comes back, and what is done does not run again."""
    script, ledger = Script(rejected={(3, 0)}), NotedLedger()
    given_batch = batch(entry(1), entry(2), entry(3), entry(4))
    with pytest.raises(SystemExit):
        run_script(way, script, given_batch, ledger=ledger, dead_letters=ExitingSink())
    assert set(script.done) == ledger.places == {(1, 0), (2, 0)}


class BrokenSink(Letters):
    """Breaks its port's promise to raise nothing but ``DeadLetterError``."""

    def put(self, letter: DeadLetter) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("way", WAYS)
def test_a_sink_that_breaks_its_promise_has_refused(way: Way) -> None:
    """A fault of the sink's own holds up the poison record, not the whole batch for ever."""
    script, told, ledger = Script(rejected={(2, 0)}), Telling(), NotedLedger()
    given_batch = batch(entry(1, key="a"), entry(2, key="b"), entry(3, key="c"))
    outcome = run_script(
        way, script, given_batch, ordering="partition_key", ledger=ledger, dead_letters=BrokenSink(), told=told
    )
    assert (outcome.done, outcome.failed, outcome.checkpoint) == (2, 1, "2")
    assert (told.refused, ledger.places) == ([(2, 0)], {(3, 0)})


class BrokenLedger(NotedLedger):
    """Breaks its port's promise to raise nothing but ``LedgerError``."""

    def load(self, scope: Any, first: int, last: int) -> Any:
        raise ZeroDivisionError

    def save(self, scope: Any, done: Any) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("way", WAYS)
def test_a_ledger_that_breaks_its_promise_has_failed_and_the_batch_goes_on(way: Way) -> None:
    script, told = Script({(2, 0): FOR_EVER}), Telling()
    given_batch = batch(entry(1), entry(2), entry(3))
    outcome = run_script(way, script, given_batch, ordering="none", ledger=BrokenLedger(), told=told)
    assert (outcome.done, outcome.failed, outcome.checkpoint) == (2, 1, "2")
    assert [type(error) for error in told.ledger] == [LedgerError, LedgerError]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("known", "failing", "policies", "looked"),
    [
        ((), {}, {}, 0),
        ((), {}, {"ledger": True}, 0),
        ({(1, 0)}, {}, {"ledger": True}, 1),
        ((), {}, {"ledger": True, "mode": "full"}, 1),
        ((), {}, {"ledger": True, "save_every": 9}, 1),
        ((), {(2, 0): FOR_EVER}, {}, 1),
        ((), {(2, 0): FOR_EVER}, {"ledger": True, "mode": "full"}, 1),
    ],
    ids=["done", "done, sparse", "known", "full", "save_every", "failed", "failed, full"],
)
def test_a_delivery_is_looked_at_in_full_before_a_position_of_it_counts(
    known: Any, failing: Any, policies: dict[str, Any], looked: int, way: Way
) -> None:
    looks: list[object] = []
    given_batch = Batch.from_entries([entry(1), entry(2), entry(3)], lambda: looks.append(None))
    ledger = {"ledger": NotedLedger(known)} if "ledger" in policies else {}
    run_script(way, Script(failing), given_batch, **policies | ledger)
    assert len(looks) == looked


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_that_contradicts_itself_is_neither_answered_nor_written_down(way: Way) -> None:
    def contradicts() -> None:
        raise EventError("two shards")

    ledger = NotedLedger()
    given_batch = Batch.from_entries([entry(1), entry(2), entry(3)], contradicts)
    with pytest.raises(EventError):
        run_script(way, Script({(2, 0): FOR_EVER}), given_batch, ordering="none", ledger=ledger)
    assert ledger.saves == []


@pytest.mark.parametrize("way", WAYS)
def test_an_exit_is_not_a_record_s_failure_and_never_a_success(way: Way) -> None:
    def leave(record: Record) -> None:
        if place_of(record) == (2, 0):
            raise SystemExit(3)

    ledger = NotedLedger()
    with pytest.raises(SystemExit):
        run_script(way, Script(reads=leave), batch(entry(1), entry(2), entry(3)), ledger=ledger)
    assert ledger.places == {(1, 0)}


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("way", WAYS)
def test_an_error_without_readable_text_is_parked_by_its_name(way: Way) -> None:
    def fail(record: Record) -> None:
        raise Broken

    letters = Letters()
    outcome = run_script(
        way, Script(reads=fail), batch(entry(1)), retry=Retry(attempts=1, exhausted="dead_letter"), dead_letters=letters
    )
    assert outcome.dead_lettered == 1
    assert letters.stored[0].reason == "Broken"


# --- The life of a handler ----------------------------------------------------------------------------------------------


class Lived(Handler):
    def __init__(self) -> None:
        self.life: list[str] = []

    def open(self) -> None:
        self.life.append("open")

    def process(self, record: Record) -> None:
        self.life.append(record.sequence_number)

    def close(self) -> None:
        self.life.append("close")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_handler_is_opened_once_serves_many_batches_and_is_closed(workers: int) -> None:
    handler = Lived()
    processor = processor_of(Consumer(handler, max_workers=workers))
    for number in (1, 2):
        assert processor.process(batch(entry(number))).complete
    processor.close()
    assert handler.life == ["open", "1", "2", "close"]


class Yields(Handler):
    def process(self, record: Record) -> Iterator[None]:  # type: ignore[override]
        yield


class AsyncYields(Handler):
    async def process(self, record: Record) -> Any:
        yield


class AsyncYieldsBatch(BatchHandler):
    async def process(self, records: Any) -> Any:
        yield


@pytest.mark.parametrize("handler", [Yields, AsyncYields, AsyncYieldsBatch])
def test_a_process_that_yields_would_run_nothing_and_is_refused_when_built(handler: type[Handler]) -> None:
    with pytest.raises(ValueError, match="yield"):
        processor_of(Consumer(handler))


class Forgets(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> Any:
        async def write() -> None: ...

        return write()


class Transactions(NotedLedger):
    """As little of a ledger with transactions as a handler without effects needs."""

    group_limit = 10

    def begin(self, scope: Any) -> Transactions:
        return self

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        if position in self.places:
            return False
        effect(None)
        self.known[position.sequence] = 1 << position.sub_sequence
        return True

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


def test_a_transaction_without_its_effect_is_never_marked() -> None:
    ledger = Transactions()
    processor = processor_of(Consumer(Forgets, ledger=ledger, retry=Retry(attempts=2)))
    outcome = processor.process(batch(entry(1)))
    assert (outcome.failed, outcome.done, outcome.skipped) == (1, 0, 0)
    assert ledger.places == set()


# --- Attempts are strangers to each other --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_further_attempt_knows_nothing_of_the_error_before_it(way: Way) -> None:
    """Or its traceback would tell of both, and a handler that asks what is being handled would be told of the other."""
    errors: list[BaseException] = []
    handled: list[BaseException | None] = []

    class Keeping(Telling):
        def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
            errors.append(error)

    script = Script({SUBJECT: 3}, before=lambda record: handled.append(sys.exc_info()[1]))
    given = batch(*(entry(number) for number in range(1, 4)))
    outcome = run_script(way, script, given, retry=Retry(attempts=3), told=Keeping())
    assert outcome.retried == 2
    assert [str(error) for error in errors] == ["attempt 3"]
    assert errors[0].__context__ is None
    assert set(handled) == {None}
