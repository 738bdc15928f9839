from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kstream.aws.ledger_items import LARGEST, REACH, expiry, items, key_range, unpack
from kstream.core.errors import LedgerError

KINESIS = 49590338271490256608559692538361571095921575989136588898
STEP = 1 << 80

# Close together, a reach apart, and anywhere.
_near = st.integers(KINESIS, KINESIS + 1_000)
_far = st.integers(-5, 5).map(lambda n: KINESIS + n * (REACH // 2))
_number = st.one_of(_near, _far, st.integers(0, 120), st.integers(0, 10**129 - 1))
_done = st.dictionaries(_number, st.one_of(st.just(1), st.integers(1, 2**200)), min_size=1, max_size=30)


@given(_done)
def test_items_together_hold_what_was_saved(done: dict[int, int]) -> None:
    found: dict[int, int] = {}
    for item in items(done):
        part = unpack(item.done)
        assert not part.keys() & found.keys()
        found |= part
    assert found == done


@given(_done, _number, _number)
@example({KINESIS: 1, KINESIS + REACH: 1}, KINESIS, KINESIS)
@example({99: 1, 99 + REACH: 1}, 99, 99)
def test_a_range_of_keys_reaches_every_item_that_overlaps(done: dict[int, int], one: int, other: int) -> None:
    """What one query may miss would be run again; this is why an item's span is bounded."""
    first, last = sorted((one, other))
    low, high = key_range(first, last)
    for item in items(done):
        if any(first <= number <= last for number in unpack(item.done)):
            assert low <= item.position <= high


@given(_done)
def test_the_same_positions_are_the_same_items(done: dict[int, int]) -> None:
    """A save that is repeated overwrites itself, in whatever order it comes."""
    assert list(items(done)) == list(items(dict(reversed(done.items()))))


def test_different_positions_with_one_last_are_different_items() -> None:
    """Two consumers that ran the same batch at once: neither may overwrite the other."""
    positions = {next(iter(items(done))).position for done in ({1: 1, 9: 1}, {2: 1, 9: 1}, {1: 1, 9: 2})}
    assert len(positions) == 3


def lively(count: int) -> dict[int, int]:
    """A batch as Kinesis numbers it: some steps apart, the time of arrival below, the shard at the end."""
    rng = random.Random(5)
    number, done = KINESIS, {}
    for _ in range(count):
        number += rng.randrange(1, 40) * STEP + rng.randrange(3) * (1 << 36)
        done[number] = 1
    return done


def test_10_000_positions_of_a_batch_are_one_small_item() -> None:
    (item,) = items({number: bits for number, bits in lively(10_000).items() if number - KINESIS <= REACH})
    assert len(item.done) < 40_000


def test_10_000_positions_without_any_pattern_still_are_one_item() -> None:
    rng = random.Random(5)
    (item,) = items({KINESIS + rng.randrange(REACH): rng.randrange(1, 1 << 8) for _ in range(10_000)})
    assert len(item.done) < LARGEST


def test_what_is_too_large_for_one_item_is_spread_over_several() -> None:
    rng = random.Random(5)
    done = {KINESIS + n: rng.getrandbits(8_000) | 1 for n in range(1_000)}
    parts = list(items(done))
    assert len(parts) > 2
    assert all(len(part.done) <= LARGEST for part in parts)
    assert {number: bits for part in parts for number, bits in unpack(part.done).items()} == done


def test_a_bitmap_too_large_for_any_item_is_an_error_that_names_the_record() -> None:
    with pytest.raises(LedgerError, match=str(KINESIS)):
        list(items({KINESIS: random.Random(5).getrandbits(4_000_000), KINESIS + 1: 1}))


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x02later",
        b"\x01not zlib",
        b"\x01" + zlib.compress(b""),
        b"\x01" + zlib.compress(b"\x01\0\0\0"),
        b"\x01" + zlib.compress(bytes(5) + b"x" * 100),
        b"\x01" + zlib.compress(b"\xff\xff\0\0\x05" + b"x" * 200),
    ],
)
def test_what_is_not_an_item_is_an_error(blob: bytes) -> None:
    """Positions that were never saved would be records that are never run."""
    with pytest.raises(LedgerError, match=r"an item"):
        unpack(blob)


def test_expires_in_whole_seconds_and_not_early() -> None:
    assert expiry(1_000.2, 60.0) == 1_061
