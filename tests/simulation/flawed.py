"""Batch processing written plainly, with one flaw or none: the designs that lose data, for the suite to catch.

``OwnProcessing`` stands where ``on_lambda`` stands. Without a flaw it is a small, slow and right way of doing it, so that
what a flaw brings about is the flaw's doing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import DeadLetterError, LedgerError, Reject
from kstream.core.ports import Scope
from kstream.runtimes.lambda_event import batch_of

if TYPE_CHECKING:
    from kstream.core.batch import Batch
    from kstream.core.consumer import Consumer
    from kstream.core.record import Record
    from kstream.testing.simulator.simulation import Runtime

Flaw = Literal[
    "none",
    "shard watermark",
    "user-key watermark",
    "range marker",
    "text comparison",
    "marks before the dead letter is written",
    "marks before the effect",
    "answers the highest that failed",
    "takes unfinished for done at the deadline",
    "goes on behind a failure",
    "orders by the user's key",
    "drops malformed aggregates",
    "answers what is not in the batch",
]


class Memory:
    """What the flawed designs store of their own: it survives a crash, as a table would."""

    def __init__(self) -> None:
        self.shards: dict[Scope, int] = {}
        self.keys: dict[tuple[Scope, str], tuple[int, int]] = {}
        self.ranges: list[tuple[Scope, int, int]] = []


def runtime_of(flaw: Flaw) -> Runtime:
    """For ``simulate(runtime=...)``: one history's worth."""
    memory = Memory()

    def runtime(consumer: Consumer, answer: Any, clock: Any, uniform: Any) -> OwnProcessing:
        return OwnProcessing(flaw, memory, consumer)

    return runtime


class OwnProcessing:
    def __init__(self, flaw: Flaw, memory: Memory, consumer: Consumer) -> None:
        assert consumer.ledger is not None
        assert consumer.dead_letters is not None
        self._flaw = flaw
        self._memory = memory
        self._name = consumer.name
        self._ledger = consumer.ledger
        self._letters = consumer.dead_letters
        self._process: Any = consumer.build_handler().process

    def close(self) -> None:
        pass

    def __call__(self, event: Any, context: Any) -> object:
        batch = batch_of(event)
        scope = Scope(self._name, batch.outers[0].stream_arn, batch.outers[0].shard_id)
        known = self._load(scope, batch)
        malformed = batch.malformed()
        blocked: set[str] = set()
        done: list[Record] = []
        undone: list[Record] = []
        for index, record in enumerate(batch.records):
            key = record.partition_key if self._flaw == "orders by the user's key" else record.outer_key
            if context.get_remaining_time_in_millis() < 1_000:
                if self._flaw != "takes unfinished for done at the deadline":
                    undone.append(record)
            elif key in blocked and self._flaw != "goes on behind a failure":
                undone.append(record)
            elif self._is_done(scope, record, known) or self._settle(scope, record, malformed.get(index)):
                done.append(record)
            else:
                undone.append(record)
                blocked.add(key)
        self._remember(scope, batch, done, undone)
        return self._answer(undone)

    def _load(self, scope: Scope, batch: Batch) -> dict[int, int]:
        try:
            first, last = batch.outers[0].position.sequence, batch.outers[-1].position.sequence
            return dict(self._ledger.load(scope, first, last))
        except LedgerError:
            return {}

    def _is_done(self, scope: Scope, record: Record, known: dict[int, int]) -> bool:
        position, memory = record.position, self._memory
        match self._flaw:
            case "shard watermark":
                return position.sequence <= memory.shards.get(scope, -1)
            case "user-key watermark":
                return position <= memory.keys.get((scope, record.partition_key), (-1, 0))
            case "range marker":
                return any(place == scope and low <= position.sequence <= high for place, low, high in memory.ranges)
        return bool(known.get(position.sequence, 0) >> position.sub_sequence & 1)

    def _settle(self, scope: Scope, record: Record, refused: Exception | None) -> bool:
        if self._flaw == "marks before the effect":
            self._mark(scope, [record])
        try:
            if refused is not None:
                raise refused
            self._process(record)
        except Reject as error:
            if self._flaw == "drops malformed aggregates" and refused is not None:
                return True
            return self._park(scope, record, error)
        except Exception:
            return False
        if self._flaw == "shard watermark":
            self._memory.shards[scope] = max(record.position.sequence, self._memory.shards.get(scope, -1))
        elif self._flaw == "user-key watermark":
            place = scope, record.partition_key
            self._memory.keys[place] = max(record.position, self._memory.keys.get(place, (-1, 0)))
        return True

    def _park(self, scope: Scope, record: Record, error: Reject) -> bool:
        if self._flaw == "marks before the dead letter is written":
            self._mark(scope, [record])
        at = record.arrived_at
        try:
            self._letters.put(DeadLetter(self._name, record, error.reason, type(error).__name__, 1, at, at))
        except DeadLetterError:
            return False
        return True

    def _remember(self, scope: Scope, batch: Batch, done: list[Record], undone: list[Record]) -> None:
        if undone:
            self._mark(scope, done)
        else:
            self._memory.ranges.append((scope, batch.outers[0].position.sequence, batch.outers[-1].position.sequence))

    def _mark(self, scope: Scope, records: list[Record]) -> None:
        marked: dict[int, int] = {}
        for record in records:
            sequence, sub = record.position
            marked[sequence] = marked.get(sequence, 0) | 1 << sub
        with suppress(LedgerError):
            self._ledger.save(scope, marked)

    def _answer(self, undone: list[Record]) -> object:
        if not undone:
            return {"batchItemFailures": []}
        numbers = [record.sequence_number for record in undone]
        match self._flaw:
            case "text comparison":
                identifier = min(numbers)
            case "answers the highest that failed":
                identifier = max(numbers, key=int)
            case "answers what is not in the batch":
                identifier = f"{undone[0].shard_id}:{min(numbers, key=int)}"
            case _:
                identifier = min(numbers, key=int)
        return {"batchItemFailures": [{"itemIdentifier": identifier}]}
