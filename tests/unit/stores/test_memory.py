from __future__ import annotations

from datetime import timedelta

from kstream.core.ports import Scope
from kstream.stores.memory import MemoryLedger
from kstream.testing.clock import VirtualClock

SCOPE = Scope("totals", "arn", "shardId-000000000000")


def test_does_not_grow_with_what_expired() -> None:
    clock = VirtualClock()
    ledger = MemoryLedger(ttl=timedelta(hours=1), clock=clock)
    for hour in range(100):
        ledger.save(SCOPE._replace(shard_id=f"shard-{hour}"), dict.fromkeys(range(100), 1))
        ledger.save(SCOPE, dict.fromkeys(range(hour * 100, hour * 100 + 100), 1))
        ledger.save_keys(SCOPE, [f"key-{hour}-{n}" for n in range(100)])
        clock.advance(3600)
    assert len(ledger._shelves) <= 4
    assert len(ledger._shelves[SCOPE].done) <= 300
    assert len(ledger._shelves[SCOPE].order) == len(ledger._shelves[SCOPE].done)
    assert len(ledger._keys[SCOPE[:2]]) <= 300


def test_single_saves_and_great_ones_keep_the_order() -> None:
    """A few positions are inserted one by one and many are sorted in: a range must not show the difference."""
    ledger = MemoryLedger()
    for number in (500, 100, 300, 200, 400):
        ledger.save(SCOPE, {number: 1})
    ledger.save(SCOPE, dict.fromkeys(range(1_000, 0, -7), 1))
    expected = sorted({100, 200, 300, 400, 500} | set(range(1_000, 0, -7)))
    assert list(ledger.load(SCOPE, 0, 2_000)) == expected
    assert list(ledger.load(SCOPE, 150, 350)) == [number for number in expected if 150 <= number <= 350]
