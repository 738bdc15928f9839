"""Whatever fails, and however AWS delivers what it was told of: all is settled in the end, in order, and with a ledger once.

AWS is played by the rules that its documentation states: a queue deletes what is not answered, and may deliver once more
what it has deleted; a FIFO queue delivers a group from its first message on; a table's stream goes back, in a shard, to the
lowest number that is answered. An answer may get lost: then all of the batch comes again.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream import (
    BatchHandler,
    BatchUnfinished,
    CircuitBreaker,
    Consumer,
    Handler,
    MemoryLedger,
    Reject,
    Retry,
    SQLiteLedger,
    TransactionalHandler,
    on_lambda,
)
from kstream.testing import LambdaContext, MemoryDeadLetters, VirtualClock, dynamodb_event, sqs_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kstream import Record
    from kstream.runtimes.aws_lambda import LambdaHandler

Entry = dict[str, Any]
Source = Literal["standard", "fifo", "table"]
Remembers = Literal["nothing", "sparse", "full", "transactional"]

ENDLESS = 10**6
"""Seconds, in which any batch is done."""


class Fate(NamedTuple):
    """What befalls one message or change. ``group``: of its queue, or its item."""

    group: str
    failing: int = 0
    poison: bool = False


class Delivery(NamedTuple):
    """One invocation.

    ``size``     of its batch, at most.
    ``seconds``  that it has. Each record takes one.
    ``lost``     the answer: all of the batch comes again.
    ``again``    what a standard queue has deleted may come as well.
    ``seed``     of what is left to chance.
    """

    size: int = 8
    seconds: int = ENDLESS
    lost: bool = False
    again: bool = False
    seed: int = 0


class Policies(NamedTuple):
    """``remembers``: the ledger, and how."""

    remembers: Remembers
    handled: Literal["def", "async", "batch", "async batch"]
    ordering: Literal["shard", "partition_key", "none"]
    workers: int
    attempts: int
    parks: bool
    breaks: bool
    answer: Literal["partial", "raise"]

    @property
    def batches(self) -> bool:
        return "batch" in self.handled


class World:
    """What befell each record by its number, and what came of it. Thread-safe."""

    def __init__(self, fates: Sequence[Fate], clock: VirtualClock, lanes: Mapping[int, Sequence[int]]) -> None:
        self.fates = fates
        self.clock = clock
        self.letters = MemoryDeadLetters()
        self.lanes = lanes
        self.repaired = False
        self.effects: list[int] = []
        self.out_of_order: list[tuple[int, int]] = []
        self._failed = [0] * len(fates)
        self._lock = threading.Lock()

    def number(self, record: Record) -> int:
        found = record.json()
        return int(found["dynamodb"]["NewImage"]["number"]["N"]) if isinstance(found, dict) else int(found)

    def befall(self, record: Record) -> None:
        number = self.number(record)
        settled = self.settled()
        with self._lock:
            self.clock.advance(1)
            self.out_of_order += [(before, number) for before in self.lanes[number] if before not in settled]
            fate = self.fates[number]
            if fate.poison and not self.repaired:
                raise Reject("poison")
            if self._failed[number] < fate.failing:
                self._failed[number] += 1
                raise ConnectionError
            self.effects.append(number)

    def settled(self) -> set[int]:
        with self._lock:
            return set(self.effects) | {self.number(letter.record) for letter in self.letters.letters}


class One(Handler):
    def __init__(self, world: World) -> None:
        self.world = world

    def process(self, record: Record) -> None:
        self.world.befall(record)


class OneAsync(One):
    async def process(self, record: Record) -> None:  # type: ignore[override]
        self.world.befall(record)


class Many(BatchHandler):
    def __init__(self, world: World) -> None:
        self.world = world

    def process(self, records: Sequence[Record]) -> list[Record]:
        return self.failed(records)

    def failed(self, records: Sequence[Record]) -> list[Record]:
        failed = []
        for record in records:
            try:
                self.world.befall(record)
            except (Reject, ConnectionError):
                failed.append(record)
        return failed


class ManyAsync(Many):
    async def process(self, records: Sequence[Record]) -> list[Record]:  # type: ignore[override]
        return self.failed(records)


class InTransaction(TransactionalHandler[Any]):
    def __init__(self, world: World) -> None:
        self.world = world

    def process(self, record: Record, transaction: Any) -> None:
        transaction.execute("CREATE TABLE IF NOT EXISTS effect (number INTEGER)")
        transaction.execute("INSERT INTO effect VALUES (?)", (self.world.number(record),))
        self.world.befall(record)


HANDLERS: Mapping[str, Callable[[World], Any]] = {
    "def": One,
    "async": OneAsync,
    "batch": Many,
    "async batch": ManyAsync,
}


class Aws:
    """One queue, or one table's stream. Each entry of an event stands for the record of its place in ``entries``."""

    def __init__(self, source: Source, fates: Sequence[Fate]) -> None:
        self.source = source
        self.fates = fates
        self.left = set(range(len(fates)))
        self.entries = self._made()
        self.names = [entry.get("messageId") or entry["dynamodb"]["SequenceNumber"] for entry in self.entries]

    def shard(self, number: int) -> int:
        """Of a table's stream: all of an item in one."""
        return int(self.fates[number].group == "c")

    def batch(self, delivery: Delivery) -> list[int]:
        """The records that it delivers, in that order."""
        random = Random(delivery.seed)
        left = sorted(self.left)
        if self.source == "table":
            shard = random.choice([self.shard(number) for number in left] or [0])
            return [number for number in left if self.shard(number) == shard][: delivery.size]
        if self.source == "fifo":
            return left[: delivery.size]
        if left and delivery.again:
            left = list(range(len(self.fates)))
        random.shuffle(left)
        return left[: delivery.size]

    def told(self, batch: Sequence[int], names: Sequence[str]) -> None:
        """Takes an answer. What it leaves will never be delivered again, but for a queue's duplicates."""
        known = {self.names[number]: number for number in batch}
        assert set(names) <= known.keys()
        assert len(set(names)) == len(names)
        undone = {known[name] for name in names}
        if self.source == "table" and undone:
            assert len(undone) == 1
            undone = {number for number in batch if number >= min(undone)}
        if self.source == "fifo":
            groups = {self.fates[number].group: number for number in sorted(undone, reverse=True)}
            behind = {number for number in batch if number >= groups.get(self.fates[number].group, len(self.fates))}
            assert undone == behind
        self.left -= set(batch) - undone

    def _made(self) -> list[Entry]:
        if self.source != "table":
            arn = "arn:aws:sqs:us-east-1:000000000000:orders" + (".fifo" if self.source == "fifo" else "")
            messages = [(str(number), fate.group) for number, fate in enumerate(self.fates)]
            return list(sqs_event(messages, queue_arn=arn)["Records"])
        entries, counts = [], [0, 0]
        for number, fate in enumerate(self.fates):
            shard = self.shard(number)
            # Both count from the same number. What tells their changes apart is the eventID.
            first = 10**20 + counts[shard]
            [entry] = dynamodb_event([{"id": fate.group, "number": number}], first_sequence_number=first)["Records"]
            entries.append(entry | {"eventID": f"{shard}-{entry['eventID']}"})
            counts[shard] += 1
        return entries


def lanes_of(aws: Aws, policies: Policies) -> dict[int, list[int]]:
    """For each record those that must be settled before it is tried."""
    numbers = range(len(aws.fates))
    if policies.batches or aws.source == "standard":
        return {number: [] for number in numbers}
    if aws.source == "fifo" or policies.ordering == "partition_key":
        return {
            number: [n for n in range(number) if aws.fates[n].group == aws.fates[number].group] for number in numbers
        }
    if policies.ordering == "shard":
        return {number: [n for n in range(number) if aws.shard(n) == aws.shard(number)] for number in numbers}
    return {number: [] for number in numbers}


fates = st.lists(
    st.builds(
        Fate, st.sampled_from("abc"), st.sampled_from((0, 0, 0, 1, 2, 5)), st.sampled_from((False,) * 4 + (True,))
    ),
    min_size=1,
    max_size=8,
)
deliveries = st.lists(
    st.builds(
        Delivery, st.integers(1, 8), st.sampled_from((2, 4, ENDLESS)), st.booleans(), st.booleans(), st.integers(0, 99)
    ),
    max_size=5,
)
policies = st.builds(
    Policies,
    remembers=st.sampled_from(("nothing", "sparse", "full", "transactional")),
    handled=st.sampled_from(("def", "async", "batch", "async batch")),
    ordering=st.sampled_from(("shard", "partition_key", "none")),
    workers=st.sampled_from((1, 3)),
    attempts=st.sampled_from((1, 2)),
    parks=st.booleans(),
    breaks=st.booleans(),
    answer=st.sampled_from(("partial", "raise")),
)


def consumer_of(world: World, policies: Policies, ledger: MemoryLedger | SQLiteLedger | None) -> Consumer:
    handler = InTransaction if policies.remembers == "transactional" else HANDLERS[policies.handled]
    return Consumer(
        handler(world),
        ledger=ledger,
        mode="full" if policies.remembers == "full" else None,
        ordering=policies.ordering,
        max_workers=policies.workers,
        retry=Retry(attempts=policies.attempts),
        dead_letters=world.letters if policies.parks else None,
        breaker=CircuitBreaker(failures=2, on=(ConnectionError,), reset_after=5) if policies.breaks else None,
    )


def ledger_of(policies: Policies, database: Path) -> MemoryLedger | SQLiteLedger | None:
    if policies.remembers == "nothing":
        return None
    return SQLiteLedger(database) if policies.remembers == "transactional" else MemoryLedger()


def invoke(function: LambdaHandler, entries: Iterable[Entry], context: LambdaContext) -> list[str] | None:
    """The answer's names; None if it raised, and all comes again."""
    try:
        answer = function({"Records": list(entries)}, context)
    except BatchUnfinished:
        return None
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def committed(database: Path) -> list[int]:
    with closing(sqlite3.connect(database)) as connection, suppress(sqlite3.OperationalError):
        return [number for (number,) in connection.execute("SELECT number FROM effect")]
    return []  # no effect has ever made the table


@pytest.mark.parametrize("source", ["standard", "fifo", "table"])
@given(fates, deliveries, policies)
def test_all_is_settled_in_the_end_in_order_and_with_a_ledger_once(
    source: Source, fates: list[Fate], deliveries: list[Delivery], policies: Policies
) -> None:
    if policies.remembers == "transactional":
        policies = policies._replace(handled="def")
    elif policies.batches:
        policies = policies._replace(workers=1)
    if policies.handled == "def" and policies.workers > 1:
        # Threads take real time: what of them the clock's deadline leaves behind would be up to chance.
        deliveries = [delivery._replace(seconds=ENDLESS) for delivery in deliveries]
    if source == "table" and policies.remembers == "sparse":
        # A shard's batch that is done is remembered by its answer alone.
        deliveries = [delivery._replace(lost=False) for delivery in deliveries]
    aws, clock = Aws(source, fates), VirtualClock()
    world = World(fates, clock, lanes_of(aws, policies))
    with TemporaryDirectory() as directory, ExitStack() as stack:
        database = Path(directory) / "ledger.db"
        ledger = ledger_of(policies, database)
        if isinstance(ledger, SQLiteLedger):
            stack.enter_context(ledger)
        function = on_lambda(consumer_of(world, policies, ledger), answer=policies.answer, clock=clock)
        stack.callback(function.close)
        for turn in range(len(deliveries) + 60):
            delivery = deliveries[turn] if turn < len(deliveries) else Delivery(seed=turn)
            # Where poison is parked, it stays poison: a sink that is slow for its deadline may hold a letter of a record
            # that comes again.
            world.repaired = turn >= len(deliveries) and (policies.batches or not policies.parks)
            if not (batch := aws.batch(delivery)):
                break  # nothing is left
            clock.advance(10)  # or a circuit would stay open
            context = LambdaContext(clock=clock, timeout=delivery.seconds)
            names = invoke(function, (aws.entries[number] for number in batch), context)
            if names is not None and not delivery.lost:
                aws.told(batch, names)
                assert world.settled().issuperset(set(batch) - aws.left)
        effects = committed(database) if policies.remembers == "transactional" else world.effects
        parked = {world.number(letter.record) for letter in world.letters.letters}
    assert not aws.left
    assert not world.out_of_order
    assert parked.isdisjoint(effects)
    assert parked.union(effects) == set(range(len(fates)))
    assert policies.remembers == "nothing" or len(effects) == len(set(effects))
