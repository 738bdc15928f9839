"""Tasks side by side in a simulated world: as the seed orders them, and with every promise kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.handler import Handler
from kstream.core.mapping import EventSourceMapping
from kstream.core.progress import PENDING, Progress
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.simulator import Faults, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.record import Record

RECORDS: list[Any] = [({"n": n}, f"c-{n % 5}") for n in range(20)]
CALM: dict[str, Any] = {"records": RECORDS, "faults": Faults(), "mapping": EventSourceMapping(batching_window=60)}


class Counts(Handler):
    """How many of its records are under way at once."""

    def __init__(self) -> None:
        self.under_way: set[str] = set()
        self.most = 0

    async def process(self, record: Record) -> None:
        assert record.partition_key not in self.under_way, "one key at a time"
        self.under_way.add(record.partition_key)
        self.most = max(self.most, len(self.under_way))
        await asyncio.sleep(0.01)
        self.under_way.remove(record.partition_key)


def test_keys_run_side_by_side_in_an_order_that_the_seed_decides() -> None:
    orders, most = set(), []
    for seed in range(10):
        handler = Counts()
        report = simulate(Consumer(handler, ordering="partition_key", max_workers=3), seed=seed, **CALM)
        report.raise_for_violations()
        assert report.left_out == ()
        most.append(handler.most)
        orders.add(tuple(record.json()["n"] for record in report.effects))
    assert max(most) == 3
    assert len(orders) == 10


class Races(Handler):
    """Reads, waits, and writes what it has read: right one by one, and wrong beside another."""

    def __init__(self) -> None:
        self.total = 0

    async def process(self, record: Record) -> None:
        read = self.total
        await asyncio.sleep(0)
        self.total = read + record.json()["n"]


@pytest.mark.parametrize(("workers", "right"), [(1, True), (4, False)])
def test_a_handler_that_is_wrong_beside_itself_is_found_out(workers: int, right: bool) -> None:
    totals = []
    for seed in range(20):
        handler = Races()
        simulate(Consumer(handler, ordering="partition_key", max_workers=workers), seed=seed, **CALM)
        totals.append(handler.total)
    assert all(total == sum(range(20)) for total in totals) is right


class Plain(Handler):
    async def process(self, record: Record) -> None:
        await asyncio.sleep(0.001)


class Keyed(Plain):
    def idempotency_key(self, record: Record) -> str:
        return record.text()


def consumer(seed: int) -> Consumer:
    policies: dict[str, Any] = [
        {},
        {"ledger": MemoryLedger()},
        {"ledger": MemoryLedger(), "save_every": 3},
        {"ledger": MemoryLedger(), "mode": "full"},
    ][seed % 4]
    return Consumer(
        Keyed if seed % 3 == 0 and policies else Plain,
        ordering=("partition_key", "none", "partition_key", "shard", "partition_key")[seed % 5],
        retry=Retry(attempts=1 + seed % 3, base=1.0),
        dead_letters=MemoryDeadLetters(),
        max_workers=2 + seed % 7,
        **policies,
    )


def test_every_promise_is_kept_whatever_befalls_them() -> None:
    happened: Counter[str] = Counter()
    for seed in range(300):
        report = simulate(consumer(seed), seed=seed)
        report.raise_for_violations()
        happened.update(report.happened)
    wanted = ["crashes", "timeouts", "slow", "ledger failures", "dead-letter failures", "handler errors"]
    assert [name for name in wanted if happened[name] < 5] == []


@pytest.mark.parametrize("seed", range(0, 300, 19))
def test_a_history_replays_line_by_line(seed: int) -> None:
    assert simulate(consumer(seed), seed=seed).trace == simulate(consumer(seed), seed=seed).trace


def test_a_runner_that_takes_a_key_apart_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def each_alone(progress: Progress) -> Sequence[Sequence[int]]:
        return [(index,) for index, state in enumerate(progress.states) if state == PENDING]

    monkeypatch.setattr(Progress, "lanes", each_alone)
    found: Counter[str] = Counter()
    for seed in range(40):
        report = simulate(Consumer(Plain, ordering="partition_key", max_workers=4), seed=seed, **CALM)
        found.update({violation.kind for violation in report.violations})
    assert found["overtaken"] >= 20, found
