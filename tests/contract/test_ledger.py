"""What every ledger promises. See ``kstream.core.ports.Ledger``."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.core.ports import Ledger, Scope

from .conftest import TTL, new_scope

if TYPE_CHECKING:
    from kstream.testing.clock import VirtualClock

    from .conftest import OpenLedger

KINESIS = 49590338271490256608559692538361571095921575989136588898
"""A real sequence number, of 56 digits."""
STEP = 1 << 80
"""What Kinesis's sequence numbers count in."""
WIDEST = 10**129 - 1
"""The largest sequence number that Kinesis's API allows."""


def test_is_a_ledger(ledger: Ledger) -> None:
    assert isinstance(ledger, Ledger)


def test_knows_nothing_at_first(ledger: Ledger, scope: Scope) -> None:
    assert dict(ledger.load(scope, 0, WIDEST)) == {}


def test_reads_what_another_instance_wrote(open_ledger: OpenLedger, scope: Scope) -> None:
    open_ledger().save(scope, {KINESIS: 1, KINESIS + STEP: 0b101})
    assert dict(open_ledger().load(scope, KINESIS, KINESIS + STEP)) == {KINESIS: 1, KINESIS + STEP: 0b101}


def test_an_empty_save_changes_nothing(ledger: Ledger, scope: Scope) -> None:
    ledger.save(scope, {})
    assert dict(ledger.load(scope, 0, WIDEST)) == {}


def test_the_same_save_twice_is_one(ledger: Ledger, scope: Scope) -> None:
    done = {KINESIS + n * STEP: 1 for n in range(5)}
    ledger.save(scope, done)
    ledger.save(scope, done)
    assert dict(ledger.load(scope, 0, WIDEST)) == done


def test_saves_of_one_position_unite(ledger: Ledger, scope: Scope) -> None:
    """An aggregate that was done in parts is done in all of them."""
    ledger.save(scope, {7: 0b0001})
    ledger.save(scope, {7: 0b0110, 8: 1})
    assert dict(ledger.load(scope, 7, 8)) == {7: 0b0111, 8: 1}


@pytest.mark.parametrize("other", ["consumer", "stream", "shard", "hash in a name"])
def test_scopes_are_apart(ledger: Ledger, scope: Scope, other: str) -> None:
    elsewhere = {
        "consumer": scope._replace(consumer="other"),
        "stream": scope._replace(stream_arn=scope.stream_arn + "2"),
        "shard": scope._replace(shard_id="shardId-000000000001"),
        "hash in a name": Scope(f"{scope.consumer}#{scope.stream_arn}", scope.shard_id, ""),
    }[other]
    ledger.save(scope, {5: 1})
    ledger.save(elsewhere, {5: 0b10})
    assert dict(ledger.load(scope, 0, 10)) == {5: 1}
    assert dict(ledger.load(elsewhere, 0, 10)) == {5: 0b10}


def test_names_that_look_alike_when_joined_are_apart(ledger: Ledger, scope: Scope) -> None:
    """A consumer may be called anything, so the sign that joins the names may be in one."""
    stream = scope.stream_arn
    alike = [Scope("a#b", stream, "d"), Scope("a", f"b#{stream}", "d"), Scope("a%23b", stream, "d")]
    for bit, one in enumerate(alike):
        ledger.save(one, {5: 1 << bit})
        ledger.save_keys(one, [f"key-{bit}"])
    assert [dict(ledger.load(one, 0, 9)) for one in alike] == [{5: 1}, {5: 2}, {5: 4}]
    assert [set(ledger.load_keys(one, ["key-0", "key-1", "key-2"])) for one in alike] == [
        {"key-0"},
        {"key-1"},
        {"key-2"},
    ]


def test_a_range_holds_both_its_ends_and_nothing_outside(ledger: Ledger, scope: Scope) -> None:
    ledger.save(scope, dict.fromkeys(range(1, 10), 1))
    assert dict(ledger.load(scope, 3, 6)) == dict.fromkeys(range(3, 7), 1)
    assert dict(ledger.load(scope, 4, 4)) == {4: 1}
    assert dict(ledger.load(scope, 10, 20)) == {}


@pytest.mark.parametrize(("low", "high"), [(9, 10), (99, 1000), (2, 19), (8, 79), (10**55 - 1, 10**55)])
def test_compares_numbers_and_not_text(ledger: Ledger, scope: Scope, low: int, high: int) -> None:
    """As text, the larger one would come first."""
    assert str(low) > str(high)
    ledger.save(scope, {low: 1})
    ledger.save(scope, {high: 1})
    assert dict(ledger.load(scope, low, high)) == {low: 1, high: 1}
    assert dict(ledger.load(scope, low, low)) == {low: 1}
    assert dict(ledger.load(scope, high, high)) == {high: 1}
    assert dict(ledger.load(scope, low + 1, high)) == {high: 1}


def test_takes_sequence_numbers_of_129_digits(ledger: Ledger, scope: Scope) -> None:
    done = {WIDEST: 1, WIDEST - 1: 0b11, 10**128: 1, 0: 1}
    ledger.save(scope, done)
    assert dict(ledger.load(scope, 0, WIDEST)) == done
    assert dict(ledger.load(scope, WIDEST, WIDEST)) == {WIDEST: 1}


def test_takes_bitmaps_of_thousands_of_bits(ledger: Ledger, scope: Scope) -> None:
    ragged = int("10110" * 2_000, 2)
    ledger.save(scope, {KINESIS: ragged, KINESIS + STEP: 1 << 50_000})
    ledger.save(scope, {KINESIS: 1 << 9_999})
    assert dict(ledger.load(scope, KINESIS, KINESIS + STEP)) == {
        KINESIS: ragged | 1 << 9_999,
        KINESIS + STEP: 1 << 50_000,
    }


def test_takes_10_000_positions_in_one_save(ledger: Ledger, scope: Scope) -> None:
    """The largest batch that Lambda delivers."""
    done = {KINESIS + n * 3 * STEP + n * 977: 1 if n % 7 else (1 << 100) - 1 for n in range(10_000)}
    ledger.save(scope, done)
    assert dict(ledger.load(scope, KINESIS, KINESIS + 30_000 * STEP)) == done


def test_a_bisected_batch_finds_its_part(ledger: Ledger, scope: Scope) -> None:
    """What one save wrote is found by a load of any part of it: either half, the middle, one position."""
    numbers = [KINESIS + n * STEP for n in range(100)]
    done = dict.fromkeys(numbers[::2], 1)
    ledger.save(scope, done)
    for start, end in [(0, 49), (50, 99), (25, 30), (98, 98), (1, 1), (40, 150)]:
        first, last = KINESIS + start * STEP, KINESIS + end * STEP
        expected = {number: 1 for number in done if first <= number <= last}
        assert dict(ledger.load(scope, first, last)) == expected


def test_positions_far_apart_are_found_from_between_them(ledger: Ledger, scope: Scope) -> None:
    """A save may span more of the shard than any store would look ahead."""
    done = {KINESIS + n * (STEP << 20): 1 for n in range(5)}
    ledger.save(scope, done)
    between = KINESIS + (STEP << 20) + 1
    assert dict(ledger.load(scope, between, between + (STEP << 20))) == {KINESIS + 2 * (STEP << 20): 1}
    assert dict(ledger.load(scope, 0, WIDEST)) == done


def test_forgets_after_its_time_to_live(open_ledger: OpenLedger, scope: Scope, clock: VirtualClock) -> None:
    ledger = open_ledger()
    ledger.save(scope, {1: 1})
    clock.advance(TTL.total_seconds() / 2)
    ledger.save(scope, {2: 1})
    assert dict(open_ledger().load(scope, 0, 9)) == {1: 1, 2: 1}
    clock.advance(TTL.total_seconds() / 2 + 1)
    assert dict(open_ledger().load(scope, 0, 9)) == {2: 1}


def test_saving_again_remembers_for_longer(ledger: Ledger, scope: Scope, clock: VirtualClock) -> None:
    ledger.save(scope, {1: 1})
    clock.advance(TTL.total_seconds() - 1)
    ledger.save(scope, {1: 1})
    clock.advance(TTL.total_seconds() - 1)
    assert dict(ledger.load(scope, 0, 9)) == {1: 1}


def test_a_position_saved_after_it_expired_is_remembered(ledger: Ledger, scope: Scope, clock: VirtualClock) -> None:
    ledger.save(scope, {1: 0b01})
    clock.advance(TTL.total_seconds() + 1)
    ledger.save(scope, {1: 0b10})
    assert dict(ledger.load(scope, 0, 9)) == {1: 0b10}


def test_what_expired_is_cleared_away_and_the_rest_stays(ledger: Ledger, scope: Scope, clock: VirtualClock) -> None:
    """However often a ledger cleans up, it never clears what is alive."""
    for day in range(40):
        ledger.save(scope, {day * 10 + n: 1 for n in range(10)})
        clock.advance(timedelta(days=1).total_seconds())
    alive = dict(ledger.load(scope, 0, 1_000))
    # 40 days later, with 8 to live: what was saved on days 32 to 39, and day 32 expires this very moment.
    assert dict.fromkeys(range(330, 400), 1) == {n: bits for n, bits in alive.items() if n >= 330}
    assert min(alive) >= 320


def test_threads_that_save_at_once_lose_nothing(open_ledger: OpenLedger, scope: Scope) -> None:
    """Eight threads, two instances: some positions are one thread's alone, one is everybody's."""
    instances = [open_ledger(), open_ledger()]
    together = threading.Barrier(8)

    def work(thread: int) -> None:
        together.wait()
        for turn in range(10):
            instances[thread % 2].save(scope, {KINESIS: 1 << (thread * 10 + turn), KINESIS + 1 + thread * 10 + turn: 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    expected = {KINESIS: (1 << 80) - 1} | {KINESIS + n: 1 for n in range(1, 81)}
    assert dict(open_ledger().load(scope, 0, WIDEST)) == expected


def test_knows_the_keys_that_were_saved(open_ledger: OpenLedger, scope: Scope) -> None:
    open_ledger().save_keys(scope, ["a", "b", "b", "😀 \ud800 \0", "x" * 5_000])
    assert set(open_ledger().load_keys(scope, ["a", "b", "c", "😀 \ud800 \0", "x" * 5_000, "x" * 4_999])) == {
        "a",
        "b",
        "😀 \ud800 \0",
        "x" * 5_000,
    }


def test_no_keys_are_no_request_for_any(ledger: Ledger, scope: Scope) -> None:
    ledger.save_keys(scope, [])
    assert set(ledger.load_keys(scope, [])) == set()


def test_a_key_is_known_in_every_shard_of_its_stream_and_nowhere_else(ledger: Ledger, scope: Scope) -> None:
    """A reshard moves a partition key, and with it a producer's duplicate, to another shard."""
    ledger.save_keys(scope, ["order-1"])
    assert set(ledger.load_keys(scope._replace(shard_id="shardId-000000000009"), ["order-1"])) == {"order-1"}
    assert set(ledger.load_keys(scope._replace(consumer="other"), ["order-1"])) == set()
    assert set(ledger.load_keys(scope._replace(stream_arn="other"), ["order-1"])) == set()
    assert dict(ledger.load(scope, 0, WIDEST)) == {}


def test_forgets_keys_after_their_time_to_live(ledger: Ledger, scope: Scope, clock: VirtualClock) -> None:
    ledger.save_keys(scope, ["early", "again"])
    clock.advance(TTL.total_seconds() / 2)
    ledger.save_keys(scope, ["late", "again"])
    clock.advance(TTL.total_seconds() / 2 + 1)
    assert set(ledger.load_keys(scope, ["early", "late", "again"])) == {"late", "again"}
    clock.advance(TTL.total_seconds())
    ledger.save_keys(scope, ["early"])
    assert set(ledger.load_keys(scope, ["early", "late", "again"])) == {"early"}


def test_takes_thousands_of_keys(ledger: Ledger, scope: Scope) -> None:
    """More than any store takes in one request."""
    keys = [f"order-{n}" for n in range(2_000)]
    ledger.save_keys(scope, keys[::2])
    assert set(ledger.load_keys(scope, keys)) == set(keys[::2])


# Numbers around every trap: text order, the length of the prefix, what spans more than a store looks ahead.
_NUMBERS = sorted(
    {
        0,
        1,
        8,
        9,
        10,
        11,
        19,
        99,
        100,
        101,
        999,
        1000,
        2**96,
        2**96 + 1,
        10**55 - 1,
        10**55,
        10**128 - 1,
        10**128,
        WIDEST,
    }
    | {KINESIS + n * STEP for n in range(-3, 4)}
    | {KINESIS + (n << 95) for n in range(-3, 4)}
)
_number = st.sampled_from(_NUMBERS)
_bitmap = st.one_of(st.just(1), st.integers(1, 2**12), st.integers(1, 2**3000))
_saves = st.lists(st.dictionaries(_number, _bitmap, max_size=12), max_size=8)
_ranges = st.lists(st.tuples(_number, _number).map(sorted), min_size=1, max_size=6)
_counter = itertools.count()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(saves=_saves, ranges=_ranges)
def test_any_load_is_the_union_of_all_saves_within_its_range(
    ledger: Ledger, saves: list[dict[int, int]], ranges: list[tuple[int, int]]
) -> None:
    scope = new_scope(consumer=f"example {next(_counter)}")
    union: dict[int, int] = {}
    for done in saves:
        ledger.save(scope, done)
        for number, bitmap in done.items():
            union[number] = union.get(number, 0) | bitmap
    for first, last in ranges:
        assert dict(ledger.load(scope, first, last)) == {n: bits for n, bits in union.items() if first <= n <= last}
