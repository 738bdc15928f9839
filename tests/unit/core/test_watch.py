"""Who is asked before a record is tried, and told once it is settled."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.breaker import Circuit, CircuitBreaker
from kstream.core.idempotency import Duplicates
from kstream.core.incidents import Incidents
from kstream.core.journal import Journal
from kstream.core.ports import Scope
from kstream.core.progress import PENDING, SKIPPED, Progress
from kstream.core.shielded import Shielded
from kstream.core.watch import Watch
from kstream.testing.clock import VirtualClock
from tests.support.processing import NotedLedger, batch, entry

SCOPE = Scope("consumer", "arn", "shard")
KEYS = {0: "x", 1: "x", 3: "y"}


class Case:
    """Four records, the first two of them twins, the third without a key."""

    def __init__(self, *, circuit: Circuit | None = None, save_every: int | None = None, **policies: Any) -> None:
        self.clock, self.ledger = VirtualClock(), NotedLedger()
        self.progress = Progress(batch(*(entry(number, key=str(number)) for number in range(4))), "partition_key")
        self.duplicates = Duplicates(KEYS, self.progress)
        self.journal = Journal(self.ledger, SCOPE, Incidents(Shielded([])), save_every=save_every)
        self.watch = Watch(
            self.progress,
            self.clock,
            circuit=circuit,
            journal=self.journal,
            duplicates=self.duplicates,
            **policies,
        )


def test_with_nobody_to_ask_or_to_tell_nobody_is() -> None:
    case = Case()
    alone = Watch(case.progress, case.clock)
    assert (alone.asks, alone.tells, alone.writes, alone.in_doubt, alone.circuit_open) == (False,) * 5
    assert alone.admits(0)
    sparse = Watch(case.progress, case.clock, journal=case.journal)
    assert (sparse.asks, sparse.tells, sparse.writes) == (False, False, False)
    full = Watch(case.progress, case.clock, journal=Journal(case.ledger, SCOPE, Incidents(Shielded([])), save_every=1))
    assert (full.asks, full.tells, full.writes) == (False, True, True)


def test_of_twins_one_is_admitted_and_the_other_skipped_once_that_one_is_done() -> None:
    case = Case()
    assert case.watch.admits(0)
    case.watch.settled(0)
    assert not case.watch.admits(1)
    assert list(case.progress.states) == [PENDING, SKIPPED, PENDING, PENDING]
    assert not case.progress.blocked
    assert case.watch.admits(2)
    assert case.watch.admits(3)


@pytest.mark.parametrize("end", ["done", "parked", "released", "left"])
def test_while_one_is_under_way_nobody_can_say_of_its_twin_and_who_asks_is_told_once_it_has_ended(end: str) -> None:
    case = Case()
    told: list[str] = []
    assert case.watch.admits(0)
    assert case.watch.admits(1) is None
    assert case.watch.admits(1, lambda: told.append("one")) is None
    assert case.watch.admits(1, lambda: told.append("other")) is None
    assert (list(case.progress.states), case.progress.blocked, told) == ([PENDING] * 4, set(), [])
    ends: dict[str, Any] = {
        "done": lambda: case.watch.settled(0),
        "parked": lambda: case.watch.settled(0, processed=False),
        "released": lambda: case.watch.released(0),
        "left": lambda: case.watch.left([0, 2, 3]),
    }
    ends[end]()
    assert told == ["one", "other"]
    assert case.watch.admits(1) is (end != "done")


def test_who_leaves_a_lane_behind_ends_only_what_it_had_in_hand() -> None:
    """Its twin in another lane is under way all the same."""
    case = Case()
    assert case.watch.admits(0)
    case.watch.left([1, 2, 3])
    assert case.watch.admits(1) is None


@pytest.mark.parametrize("how", ["released", "parked"])
def test_one_that_had_no_effect_makes_way_for_its_twin(how: str) -> None:
    case = Case()
    assert case.watch.admits(0)
    if how == "parked":
        case.watch.settled(0, processed=False)
    else:
        case.watch.released(0)
    assert case.watch.admits(1)
    case.journal.save({})
    assert case.ledger.keys == set()


def test_keys_known_from_before_are_skipped() -> None:
    case = Case()
    case.duplicates.know({"y"})
    assert [case.watch.admits(index) for index in (0, 2, 3)] == [True, True, False]


def test_only_what_took_effect_is_written_and_the_key_with_it() -> None:
    case = Case(save_every=2)
    case.watch.settled(0)
    case.watch.settled(3, processed=False)
    assert (case.ledger.key_saves, case.watch.due) == ([], True)
    case.watch.write()
    assert not case.watch.due
    assert (case.ledger.key_saves, case.ledger.saves) == ([{"x"}], [{0: 1, 3: 1}])


def test_a_transaction_has_written_its_keys_itself() -> None:
    case = Case(notes_keys=False)
    case.watch.settled(0)
    case.journal.save({})
    assert case.ledger.key_saves == []
    assert not case.watch.admits(1), "but in this batch they count"


def opened() -> Circuit:
    circuit = Circuit(CircuitBreaker(failures=1, reset_after=30))
    circuit.failed(OSError(), 0)
    return circuit


def test_an_open_circuit_stops_the_batch_and_keeps_no_key() -> None:
    case = Case(circuit=opened())
    assert case.watch.circuit_open
    assert not case.watch.admits(0)
    assert case.progress.stopped
    case.clock.advance(30)
    assert case.watch.admits(1), "its twin was not tried"


def test_a_record_that_is_skipped_does_not_use_up_the_circuit_s_trial() -> None:
    case = Case(circuit=opened())
    case.duplicates.know({"x"})
    case.clock.advance(30)
    assert [case.watch.admits(index) for index in (0, 1, 2)] == [False, False, True]
    case.watch.settled(2)
    assert not case.watch.circuit_open
