"""The grid of worlds that the suite goes through: each number is a history, the same for ever.

A number names a cell of the grid (every combination of the axes below, once in ``CELLS`` numbers) and is the seed of all
that the grid leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from random import Random
from typing import TYPE_CHECKING, Any

from kstream.core.breaker import CircuitBreaker
from kstream.core.consumer import Consumer
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.mapping import EventSourceMapping
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.simulator import Faults, SimulatedTransactions, simulate
from kstream.testing.simulator.watched_handler import SimulatedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kstream.core.record import Record
    from kstream.testing.simulator import Report

MODES = ("none", "sparse", "save_every", "full", "transactional")
FACTORS = (1, 2, 4, 10)

# The first two split the suite into chunks, so they vary slowest.
AXES: dict[str, Sequence[Any]] = {
    "mode": MODES,
    "factor": FACTORS,
    "bisect": (False, True),
    "retries": (-1, 0, 3),
    "age": (-1, 60),
    "reshard": (False, True),
    "aggregates": (False, True),
    "crash": (False, True),
    "timeout": (False, True),
    "duplicates": (False, True),
    "throttled": (False, True),
    "failing_sink": (False, True),
}
CELLS = prod(len(values) for values in AXES.values())
CHUNK = CELLS // (len(MODES) * len(FACTORS))


def numbers(mode: str, factor: int, rounds: int) -> Iterator[int]:
    """The histories of a chunk of the grid, all of its cells ``rounds`` times."""
    first = (MODES.index(mode) * len(FACTORS) + FACTORS.index(factor)) * CHUNK
    for turn in range(rounds):
        yield from range(turn * CELLS + first, turn * CELLS + first + CHUNK)


def cell_of(number: int) -> dict[str, Any]:
    cell = {}
    left = number % CELLS
    for name, values in reversed(AXES.items()):
        left, index = divmod(left, len(values))
        cell[name] = values[index]
    return cell


class Plain(Handler):
    def process(self, record: Record) -> None:
        pass


class Asynchronous(Handler):
    async def process(self, record: Record) -> None:
        pass


def pair_of(record: Record) -> int:
    """What such a handler, rightly or not, takes for one fact."""
    pair: int = record.json()["n"] // 2
    return pair


class Keyed(Plain):
    """Takes every two records that follow each other for the same fact."""

    def idempotency_key(self, record: Record) -> str | None:
        return str(pair_of(record))


class Batches(BatchHandler):
    def process(self, records: Sequence[Record]) -> None:
        pass


class Counting(TransactionalHandler[Any]):
    """Counts in the store what it was given, in two ways, so that the store itself tells what took hold."""

    def process(self, record: Record, transaction: Any) -> None:
        transaction.add("count", 1)
        key = record.partition_key
        if transaction.reads:
            transaction.set(key, transaction.get(key, 0) + 1)
        else:
            transaction.add(key, 1)


class CountingKeyed(Counting):
    idempotency_key = Keyed.idempotency_key


@dataclass(frozen=True)
class History:
    """``seed`` is its number. ``store`` holds the effects of a transactional consumer."""

    seed: int
    consumer: Consumer
    mapping: EventSourceMapping
    faults: Faults
    store: SimulatedTransactions | None

    def run(self) -> Report:
        return simulate(self.consumer, seed=self.seed, faults=self.faults, mapping=self.mapping, fact=pair_of)


def history(number: int) -> History:
    cell = cell_of(number)
    random = Random(number)
    handler = _handler(random, cell["mode"])
    sink = cell["failing_sink"] or random.random() < 0.8
    # Long pauses now and then, so that they come up against deadlines.
    pauses = {"base": random.choice((0.1, 0.1, 3.0)), "cap": 20.0}
    attempts, exhausted = random.choice((1, 2, 3)), random.choice(("fail", "fail", "dead_letter"))
    retry = Retry(attempts=attempts, exhausted=exhausted if sink else "fail", **pauses)
    parks = sink and (retry.exhausted == "dead_letter" or not issubclass(handler, BatchHandler))
    # What can never succeed and is never parked would block a mapping that never gives up: no history for a suite.
    poison = 0.0 if cell["retries"] < 0 and not parks else random.choice((0.0, 0.08, 0.2))
    faults = Faults(
        crash=random.choice((0.01, 0.04)) if cell["crash"] else 0.0,
        exit=random.choice((0.0, 0.03)) if cell["crash"] else 0.0,
        timeout=0.04 if cell["timeout"] else 0.0,
        slow=random.choice((0.1, 0.3)) if cell["timeout"] else 0.0,
        duplicate=random.choice((0.01, 0.03)) if cell["duplicates"] else 0.0,
        restart=random.choice((0.0, 0.02)) if cell["duplicates"] else 0.0,
        lost_answer=random.choice((0.0, 0.1)) if cell["crash"] else 0.0,
        transient=random.choice((0.0, 0.2)),
        persistent=random.choice((0.0, 0.1)),
        poison=poison,
        ledger_reads=random.choice((0.1, 0.4)) if cell["throttled"] else 0.0,
        ledger_writes=random.choice((0.1, 0.4)) if cell["throttled"] else 0.0,
        dead_letters=random.choice((0.2, 0.6)) if cell["failing_sink"] else 0.0,
        on_failure=random.choice((0.0, 0.3)),
        aggregates=random.choice((0.3, 0.7)) if cell["aggregates"] else 0.0,
        malformed=random.choice((0.0, 0.08)) if cell["aggregates"] and poison else 0.0,
        reshards=random.randint(1, 3) if cell["reshard"] else 0,
    )
    mapping = EventSourceMapping(
        batch_size=random.choice((1, 2, 4, 8, 20)),
        batching_window=random.choice((0, 0, 5)),
        parallelization_factor=cell["factor"],
        bisect_on_error=cell["bisect"],
        maximum_retry_attempts=cell["retries"],
        maximum_record_age=cell["age"],
        report_batch_item_failures=random.random() < 0.75,
    )
    policies: dict[str, Any] = {}
    store = None
    if cell["mode"] == "transactional":
        store = policies["ledger"] = SimulatedTransactions(
            style=random.choice(("locking", "optimistic", "blind")), group_limit=random.choice((1, 3, 10))
        )
    elif cell["mode"] != "none":
        policies["ledger"] = MemoryLedger()
    if cell["mode"] == "full":
        policies["mode"] = "full"
    elif cell["mode"] == "save_every":
        policies["save_every"] = random.choice((1, 2, 5))
    if random.random() < 0.05:
        policies["breaker"] = CircuitBreaker(failures=2, on=(SimulatedError,), reset_after=5)
    consumer = Consumer(
        handler,
        ordering=random.choice(("shard", "partition_key", "partition_key", "none")),
        retry=retry,
        dead_letters=MemoryDeadLetters() if sink else None,
        max_workers=random.choice((1, 2, 8)) if handler is Asynchronous else 1,
        **policies,
    )
    return History(number, consumer, mapping, faults, store)


def _handler(random: Random, mode: str) -> type:
    chance = random.random()
    if mode == "transactional":
        return CountingKeyed if chance < 0.15 else Counting
    if chance < 0.02:
        return Asynchronous
    if chance < 0.1:
        return Batches
    return Keyed if chance < 0.2 and mode != "none" else Plain
