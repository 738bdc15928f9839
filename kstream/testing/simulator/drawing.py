"""Drawing a world from a seed: the mapping, the records, how they lie in shards."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING

from kstream.core.aggregation import Aggregate, Malformed, aggregate, parse
from kstream.core.aggregation.reading import MAGIC
from kstream.core.aggregation.writing import OUTER_KEY, hash_key_of
from kstream.core.delivery.batch import StreamRecord
from kstream.core.envelope import open_envelope
from kstream.core.mapping import EventSourceMapping
from kstream.core.record import Record
from kstream.testing.events import stream_records
from kstream.testing.simulator.stream import Carrier, Item, SimulatedShard, SimulatedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from random import Random

    from kstream.testing.events import Simple
    from kstream.testing.simulator.faults import Faults

_LAST_HASH = 2**128 - 1
# Keys of several alphabets, one of which an aggregate has as its outer key.
_KEYS = ("k1", "k2", "k3", "a", "schlüssel", "🗝", "k7", "k8")


def _sealed(message: bytes) -> bytes:
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


# Written out, because no writer makes them: a key table without records, and a record whose key no table holds.
_EMPTY_AGGREGATE = _sealed(b"\x0a\x01k")
_MALFORMED_AGGREGATE = _sealed(b"\x0a\x01k\x1a\x06\x08\x05\x1a\x02{}")


def draw_mapping(random: Random, *, blocks: bool) -> EventSourceMapping:
    """``blocks``: records may fail for ever, so a mapping that never gives up would never come to an end."""
    retries = random.choice((-1, -1, -1, 0, 1, 2, 5))
    return EventSourceMapping(
        batch_size=random.choice((1, 2, 3, 5, 8, 20)),
        batching_window=random.choice((0, 0, 0, 5)),
        parallelization_factor=random.choice((1, 2, 4, 10)),
        maximum_retry_attempts=random.choice((0, 1, 3)) if blocks and retries < 0 else retries,
        maximum_record_age=random.choice((-1, -1, 60)),
        bisect_on_error=random.random() < 0.5,
        report_batch_item_failures=random.random() < 0.8,
    )


def draw_records(random: Random) -> list[Simple]:
    """3 to 24 small JSON objects under 1 to 6 keys."""
    keys = random.sample(_KEYS, random.randint(1, 6))
    return [({"n": number}, random.choice(keys)) for number in range(random.randint(3, 24))]


def build_stream(
    random: Random,
    records: Iterable[Simple],
    faults: Faults,
    *,
    arn: str,
    now: float,
    fact: Callable[[Record], Hashable] | None = None,
) -> SimulatedStream:
    """Lays the records into shards, by the hash of their keys as Kinesis does, and draws what is to befall them.

    They arrive from ``now`` on. Sequence numbers are drawn, so that the number of digits changes on the way and shards
    have numbers in common; those of a ``Record`` or ``StreamRecord`` are not kept. ``fact``: what tells records apart that
    are not one and the same, put twice.
    """
    stream = _Builder(random, faults, arn, now).build(records)
    if fact is not None:
        for item in stream.items():
            if not item.malformed:
                item.fact = fact(Record(item.data, partition_key=item.partition_key))
    return stream


class _Builder:
    def __init__(self, random: Random, faults: Faults, arn: str, now: float) -> None:
        self._random = random
        self._faults = faults
        self._arn = arn
        self._now = now
        self._pause = random.choice((0.0, 0.0, 0.3, 2.0))
        self._shards: list[SimulatedShard] = []
        self._next: dict[str, int] = {}
        self._hashes: dict[str, int] = {}
        self._base = 10 ** random.choice((1, 2, 19, 56)) - random.randint(1, 9)
        count = random.choice((1, 1, 2, 3))
        for number in range(count):
            self._add_shard((), _LAST_HASH * number // count, _LAST_HASH * (number + 1) // count - (number < count - 1))

    def build(self, records: Iterable[Simple]) -> SimulatedStream:
        groups = self._groups(records)
        reshards = sorted(self._random.randint(0, len(groups)) for _ in range(self._faults.reshards))
        for index, group in enumerate(groups):
            while reshards and reshards[0] <= index:
                reshards.pop(0)
                self._reshard()
            if self._random.random() < self._faults.malformed:
                self._put(_MALFORMED_AGGREGATE, OUTER_KEY, (), place=group[0][1], malformed=True)
            if len(group) == 1 and self._random.random() >= self._faults.aggregates:
                self._put(group[0][0], group[0][1], group)
            else:
                self._put(aggregate(group), OUTER_KEY, group)
                if self._random.random() < 0.1:
                    self._put(_EMPTY_AGGREGATE, OUTER_KEY, (), place=group[0][1])
        return SimulatedStream(self._arn, self._shards)

    def _groups(self, records: Iterable[Simple]) -> list[list[tuple[bytes, str]]]:
        """The user records that travel together."""
        random, share = self._random, self._faults.aggregates
        plain = [(record.data, record.partition_key) for record in stream_records(records)]
        groups = []
        at = 0
        while at < len(plain):
            size = random.randint(1, 5) if share and random.random() < share else 1
            groups.append(plain[at : at + size])
            at += size
        return groups

    def _put(
        self,
        data: bytes,
        outer_key: str,
        group: Sequence[tuple[bytes, str]],
        *,
        place: str | None = None,
        malformed: bool = False,
    ) -> None:
        random, faults = self._random, self._faults
        shard = self._shard_of(place if place is not None else group[0][1])
        number = self._next[shard.id]
        self._next[shard.id] = number + random.randint(1, 3)
        self._now += self._pause * random.random()
        record = StreamRecord(outer_key, str(number), data, self._now)
        carrier = Carrier(record)
        shard.add(carrier)
        found = parse(data) if len(group) == 1 and data is group[0][0] else None
        if isinstance(found, Aggregate):  # one of the given records is an aggregate already
            group = [(each.data, each.partition_key) for each in found.iterate(Record(data))]
        if found is None and len(group) == 1 and (envelope := open_envelope(data)):  # or in an envelope
            group = [(envelope.payload, group[0][1])]
        if malformed or isinstance(found, Malformed):
            carrier.items.append(Item(shard, record, 0, data, outer_key, malformed=True))
            group = ()
        for sub, (payload, key) in enumerate(group):
            item = Item(shard, record, sub, payload, key)
            carrier.items.append(item)
            chance = random.random()
            if chance < faults.poison:
                item.failures = -1
            elif chance < faults.poison + faults.persistent:
                item.failures = random.randint(3, 12)
            elif chance < faults.poison + faults.persistent + faults.transient:
                item.failures = random.randint(1, 2)

    def _shard_of(self, key: str) -> SimulatedShard:
        place = self._hashes.get(key)
        if place is None:
            place = self._hashes[key] = int(hash_key_of(key))
        return next(
            shard for shard in self._shards if not shard.closed and shard.first_hash <= place <= shard.last_hash
        )

    def _reshard(self) -> None:
        random = self._random
        there = sorted((shard for shard in self._shards if not shard.closed), key=lambda shard: shard.first_hash)
        at = random.randrange(len(there))
        one = there[at]
        one.closed = True
        if at + 1 < len(there) and random.random() < 0.5:
            other = there[at + 1]
            other.closed = True
            self._add_shard((one.id, other.id), one.first_hash, other.last_hash)
        else:
            middle = (one.first_hash + one.last_hash) // 2
            self._add_shard((one.id,), one.first_hash, middle)
            self._add_shard((one.id,), middle + 1, one.last_hash)

    def _add_shard(self, parents: tuple[str, ...], first_hash: int, last_hash: int) -> None:
        shard = SimulatedShard(f"shardId-{len(self._shards):012d}", parents, first_hash, last_hash)
        self._shards.append(shard)
        self._next[shard.id] = self._base
