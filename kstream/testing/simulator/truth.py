"""What has really happened, and whether everybody sticks to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.delivery.batch import StreamRecord
    from kstream.core.ports import Scope
    from kstream.core.record import Record
    from kstream.testing.simulator.stream import Item, SimulatedShard, SimulatedStream
    from kstream.testing.simulator.trace import Trace

Kind = Literal["lost", "overtaken", "not done", "twice", "identifier", "altered", "raised", "stuck"]
_MOST_VIOLATIONS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.

    ``kind``   ``"lost"``: settled by the mapping without an effect, a dead letter or a discard that names it.
               ``"overtaken"``: an effect while a record before it in its order was not settled.
               ``"not done"``: a ledger was told, or told, of a record that was not done.
               ``"twice"``: an effect that was promised to happen once.
               ``"identifier"``: an answer that is not one identifier of the batch.
               ``"altered"``: a record that nobody put like this.
               ``"raised"``: the Lambda handler raised what it should not.
               ``"stuck"``: deliveries go on for ever.
    ``what``   a sentence.
    ``line``   the number of lines in the trace by then.
    """

    kind: Kind
    what: str
    line: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


class Truth:
    """Learns of every effect, letter and discard, and holds every claim against them. Never raises."""

    def __init__(self, stream: SimulatedStream, trace: Trace, *, ordered: bool, once: bool) -> None:
        self.stream = stream
        self.violations: list[Violation] = []
        self.effects: list[Record] = []
        self.done_keys: dict[str, int] = {}
        self.letters: dict[Item, DeadLetter] = {}
        self.cause: BaseException | None = None
        self._facts: dict[str, set[Hashable]] = {}
        self.lost: set[Item] = set()
        self.overtaken = 0
        self._trace = trace
        self._ordered = ordered
        self._once = once

    # What happens

    def item_of(self, record: Record) -> Item | None:
        """The item that a handler's record is; None, and a violation, if there is no such record."""
        item = self.stream.find(record.shard_id, record.sequence_number, record.sub_sequence_number)
        if item is None or item.malformed or record.data != item.data or record.partition_key != item.partition_key:
            self.violated("altered", f"the handler was given {record!r}, and {item or 'nothing'} was put there")
        return item

    def effect(self, item: Item, record: Record) -> None:
        self.effects.append(record)
        self._check_order(item)
        item.effects += 1
        if self._once and item.effects > 1:
            self.violated("twice", f"the effect of {item} took hold {item.effects} times, in transactions")
        if item.key is not None:
            self._facts.setdefault(item.key, set()).add(item.fact)
            self.done_keys[item.key] = self.done_keys.get(item.key, 0) + 1
            if self._once and self.done_keys[item.key] > 1:
                self.violated("twice", f"two effects of the idempotency key {item.key!r} took hold, in transactions")

    def parked(self, letter: DeadLetter) -> None:
        record = letter.record
        item = self.stream.find(record.shard_id, record.sequence_number, record.sub_sequence_number)
        if item is None or item.data != record.data:
            self.violated("altered", f"a dead letter holds {record!r}, and {item or 'nothing'} was put there")
            return
        item.parked += 1
        self.letters[item] = letter
        if item.key is not None:
            self._facts.setdefault(item.key, set()).add(item.fact)
            self.done_keys.setdefault(item.key, 0)

    def discarded(self, shard: SimulatedShard, records: Iterable[StreamRecord]) -> None:
        for item in _items_of(shard, records):
            item.discarded = True

    def settled(self, item: Item) -> bool:
        """It is done, or its copy or its name is kept where somebody will find it."""
        return bool(
            item.effects
            or item.parked
            or item.discarded
            or (item.key is not None and item.fact in self._facts.get(item.key, ()))
        )

    def _check_order(self, item: Item) -> None:
        chain = item.chain
        while chain.settled < item.rank and self.settled(chain.items[chain.settled]):
            chain.settled += 1
        if chain.settled < item.rank and self._ordered:
            self.overtaken += 1
            self.violated("overtaken", f"{item} took effect before {chain.items[chain.settled]} was settled")

    # What is claimed

    def ledger_says(self, scope: Scope, first: int, last: int, known: Mapping[int, int]) -> int:
        """Checks what was loaded. Returns how many records are known as done."""
        count = 0
        for carrier in self.stream.by_id[scope.shard_id].between(first, last):
            bitmap = known.get(carrier.sequence)
            if not bitmap:
                continue
            for item in carrier.items:
                if bitmap >> item.sub & 1:
                    count += 1
                    if not self.settled(item):
                        self.violated("not done", f"the ledger takes {item} for done, so it will be skipped")
        return count

    def ledger_is_told(self, scope: Scope, done: Mapping[int, int]) -> None:
        shard = self.stream.by_id[scope.shard_id]
        for sequence, bitmap in done.items():
            carrier = shard.carrier(sequence)
            if carrier is None or bitmap >> len(carrier.items):
                self.violated(
                    "not done", f"the ledger is told of {shard.id} {sequence}, bits {bitmap:b}: nothing there"
                )
                continue
            for item in carrier.items:
                if bitmap >> item.sub & 1 and not self.settled(item):
                    self.violated("not done", f"the ledger is told that {item} is done, and it is not")

    def keys_are_done(self, keys: Collection[str]) -> None:
        for key in sorted(keys):
            if key not in self.done_keys:
                self.violated("not done", f"the idempotency key {key!r} is taken for done, and it is not")

    def skipped(self, item: Item) -> None:
        """A transaction found it marked."""
        if not self.settled(item):
            self.violated("not done", f"a transaction found {item} marked as done, and it is not")

    def mapping_settles(self, shard: SimulatedShard, records: Sequence[StreamRecord]) -> None:
        """The mapping will never deliver these again."""
        for item in _items_of(shard, records):
            if not self.settled(item) and item not in self.lost:
                self.lost.add(item)
                self.violated(
                    "lost",
                    f"{item} is not done, and the answer says it is: it will not come again{self._mistaken(item)}",
                )

    def finish(self) -> None:
        """Everything has been delivered and settled."""
        for item in self.stream.items():
            if not self.settled(item) and item not in self.lost:
                self.lost.add(item)
                self.violated("lost", f"{item} ended in no effect, no dead letter and no discard{self._mistaken(item)}")

    def _mistaken(self, item: Item) -> str:
        if item.key is None or item.key not in self.done_keys:
            return ""
        return (
            f". Its idempotency key {item.key!r} is also that of another fact, which is done: so it was skipped for it"
        )

    def violated(self, kind: Kind, what: str, cause: BaseException | None = None) -> None:
        """``cause``: what was raised, if that is what is wrong."""
        self.cause = self.cause or cause
        self._trace.add("VIOLATION {}: {}", kind, what)
        if len(self.violations) < _MOST_VIOLATIONS:
            self.violations.append(Violation(kind, what, len(self._trace)))


def _items_of(shard: SimulatedShard, records: Iterable[StreamRecord]) -> Iterable[Item]:
    for record in records:
        carrier = shard.carrier(int(record.sequence_number))
        assert carrier is not None
        yield from carrier.items
