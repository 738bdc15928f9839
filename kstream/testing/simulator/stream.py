"""The stream of a simulated world: shards, the Kinesis records in them, and the user records in those.

Each user record also carries the truth about itself: what has really happened to it, whatever anybody claims.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from kstream.core.delivery.batch import StreamRecord


class Item:
    """A user record, and the truth about it.

    ``chain``       the records whose order it shares, itself included: those of its shard with its outer key.
    ``rank``        its index there.
    ``failures``    how many attempts are to fail; -1: all of them, by ``Reject``.
    ``malformed``   an aggregate that contradicts itself: no handler may see it.
    ``key``         its idempotency key, as soon as the handler was asked for it.
    ``fact``        what tells it apart from every other record that its producer did not put twice.
    """

    __slots__ = (
        "chain",
        "data",
        "discarded",
        "effects",
        "fact",
        "failures",
        "key",
        "malformed",
        "outer_key",
        "parked",
        "partition_key",
        "rank",
        "sequence_number",
        "shard",
        "sub",
    )

    def __init__(
        self,
        shard: SimulatedShard,
        record: StreamRecord,
        sub: int,
        data: bytes,
        partition_key: str,
        *,
        malformed: bool = False,
    ) -> None:
        self.shard = shard
        self.sequence_number = record.sequence_number
        self.outer_key = record.partition_key
        self.sub = sub
        self.data = data
        self.partition_key = partition_key
        self.malformed = malformed
        self.failures = 0
        self.key: str | None = None
        self.fact: Hashable = (partition_key, data)
        self.effects = 0
        self.parked = 0
        self.discarded = False
        self.chain = shard.chains.setdefault(self.outer_key, Chain())
        self.rank = len(self.chain.items)
        self.chain.items.append(self)

    def __str__(self) -> str:
        return f"{self.shard.id} {self.sequence_number}:{self.sub} key={self.partition_key!r}"


class Chain:
    """Records to be settled in order. ``settled`` counts those at its front that are."""

    __slots__ = ("items", "settled")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.settled = 0


class Carrier:
    """A Kinesis record and the user records in it: one if it is plain, none if it is an empty aggregate."""

    __slots__ = ("items", "record", "sequence")

    def __init__(self, record: StreamRecord) -> None:
        self.record = record
        self.sequence = int(record.sequence_number)
        self.items: list[Item] = []


class SimulatedShard:
    """``first_hash`` to ``last_hash`` are the hashes of its keys. ``closed``: it has been split or merged."""

    def __init__(self, shard_id: str, parents: tuple[str, ...], first_hash: int, last_hash: int) -> None:
        self.id = shard_id
        self.parents = parents
        self.first_hash = first_hash
        self.last_hash = last_hash
        self.closed = False
        self.carriers: list[Carrier] = []
        self.chains: dict[str, Chain] = {}
        self._sequences: list[int] = []

    def add(self, carrier: Carrier) -> None:
        self.carriers.append(carrier)
        self._sequences.append(carrier.sequence)

    def after(self, checkpoint: str | None) -> int:
        """The index of the first record behind a checkpoint."""
        return 0 if checkpoint is None else bisect_right(self._sequences, int(checkpoint))

    def between(self, first: int, last: int) -> Sequence[Carrier]:
        """The records from sequence number ``first`` to ``last``, both included."""
        return self.carriers[bisect_left(self._sequences, first) : bisect_right(self._sequences, last)]

    def carrier(self, sequence: int) -> Carrier | None:
        at = bisect_left(self._sequences, sequence)
        return self.carriers[at] if at < len(self._sequences) and self._sequences[at] == sequence else None


class SimulatedStream:
    """All shards, in the order they came to be. ``arn`` is its own, so that stores that are kept do not mix histories."""

    def __init__(self, arn: str, shards: Sequence[SimulatedShard]) -> None:
        self.arn = arn
        self.shards = list(shards)
        self.by_id = {shard.id: shard for shard in shards}
        self._found: dict[tuple[str, str, int], Item] = {
            (shard.id, item.sequence_number, item.sub): item
            for shard in shards
            for carrier in shard.carriers
            for item in carrier.items
        }

    def items(self) -> Iterator[Item]:
        return iter(self._found.values())

    def find(self, shard_id: str, sequence_number: str, sub: int) -> Item | None:
        return self._found.get((shard_id, sequence_number, sub))

    def __len__(self) -> int:
        return len(self._found)
