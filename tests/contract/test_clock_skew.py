"""Clocks that are wrong: of two processes by hours, and of one that jumps. What a ledger knows may then run again earlier
or later than it should; no record is ever lost for it, and none skipped that was not done.
"""

from __future__ import annotations

import uuid
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.ports import TransactionalLedger
from kstream.core.record import Position
from kstream.core.retry import Retry
from kstream.testing.clock import VirtualClock
from tests.support.effects import apply_all
from tests.support.processing import Inline, Letters, Script, batch, entry, processor_of

from .conftest import TTL, new_scope

if TYPE_CHECKING:
    from kstream.core.ports import Scope

    from .conftest import OpenLedger

HOUR = 3600.0
BEYOND = TTL.total_seconds() + HOUR
JUMPS = [26 * HOUR, -26 * HOUR, HOUR, -5 * HOUR, 0.0]


class SkewedClock(VirtualClock):
    """``skew``: how far it is ahead of the true time just now, in seconds."""

    skew = 0.0

    def time(self) -> float:
        return super().time() + self.skew


@pytest.fixture
def clock() -> SkewedClock:
    return SkewedClock(start=4_000_000_000.0)


def test_a_clock_that_jumps_by_hours_changes_nothing(open_ledger: OpenLedger, scope: Scope, clock: SkewedClock) -> None:
    ledger = open_ledger()
    for number, jump in enumerate(JUMPS):
        clock.skew = jump
        ledger.save(scope, {number: 1})
        ledger.save_keys(scope, [f"key-{number}"])
        for seen_from in JUMPS:
            clock.skew = seen_from
            assert ledger.load(scope, 0, 99) == dict.fromkeys(range(number + 1), 1)
            assert set(ledger.load_keys(scope, [f"key-{n}" for n in range(9)])) == {
                f"key-{n}" for n in range(number + 1)
            }


def test_a_clock_ahead_of_everything_forgets_and_invents_nothing(
    open_ledger: OpenLedger, scope: Scope, clock: SkewedClock
) -> None:
    """Then it may run again, and is remembered again: by the wrong clock, and by the right one that follows."""
    ledger = open_ledger()
    ledger.save(scope, {1: 1})
    clock.skew = BEYOND
    assert ledger.load(scope, 0, 99) == {}
    ledger.save(scope, {1: 1, 2: 1})
    assert ledger.load(scope, 0, 99) == {1: 1, 2: 1}
    clock.skew = 0
    assert ledger.load(scope, 0, 99) == {1: 1, 2: 1}


def test_a_clock_behind_everything_remembers_for_longer_at_most(
    open_ledger: OpenLedger, scope: Scope, clock: SkewedClock
) -> None:
    ledger = open_ledger()
    ledger.save(scope, {1: 1})
    clock.skew = -BEYOND
    assert ledger.load(scope, 0, 99) == {1: 1}
    ledger.save(scope, {2: 1})
    assert ledger.load(scope, 0, 99) == {1: 1, 2: 1}
    clock.skew = 0
    # What was saved with a clock so far behind has expired by the right one: it runs again.
    assert ledger.load(scope, 0, 99) == {1: 1}


def test_transactions_do_an_effect_once_under_any_skew_within_the_time_to_live(
    open_ledger: OpenLedger, clock: SkewedClock
) -> None:
    ledger: Any = open_ledger()
    if not isinstance(ledger, TransactionalLedger):
        return
    scope, place = new_scope(), Position(7)
    fresh = []
    for jump in JUMPS:
        clock.skew = jump
        fresh.append(bool(apply_all(ledger, scope, [(place, "key", lambda own: None)])))
    assert fresh == [True, False, False, False, False]


@pytest.mark.parametrize("jump", [26 * HOUR, -26 * HOUR, BEYOND, -BEYOND])
@pytest.mark.parametrize("mode", ["sparse", "full"])
def test_no_record_is_lost_or_skipped_undone_whatever_the_clock_does(
    open_ledger: OpenLedger, clock: SkewedClock, mode: Any, jump: float
) -> None:
    """Redelivered until it is done, with a jump between all deliveries; the deadline goes by another clock."""
    script, letters = Script(failing={(2, 0): 2, (5, 0): 4}, rejected={(3, 0)}), Letters()
    consumer = Consumer(
        Inline(script),
        name=uuid.uuid4().hex,
        ordering="partition_key",
        ledger=open_ledger(),
        mode=mode,
        retry=Retry(attempts=1),
        dead_letters=letters,
    )
    processor = processor_of(consumer, clock=clock)
    given = [entry(n, b"{}", f"k{n % 3}") for n in range(1, 9)]
    for delivery in range(20):
        clock.skew = jump * (delivery % 2)
        outcome = processor.process(batch(*given), deadline=clock.monotonic() + 60)
        assert not outcome.out_of_time
        if outcome.checkpoint is None:
            break
        given = [one for one in given if int(one["kinesis"]["sequenceNumber"]) >= int(outcome.checkpoint)]
    assert outcome.checkpoint is None
    processor.close()
    assert {place for place, _ in script.done} | {place for place, _ in letters.places} == set(range(1, 9))
    assert letters.places == {(3, 0)}
    for key in range(3):
        first_done = list(dict.fromkeys(place for place, _ in script.done if place % 3 == key))
        assert all(one < other for one, other in pairwise(first_done))
    if abs(jump) < TTL.total_seconds():
        assert len(script.done) == len(set(script.done))
