"""Batches from as little as a test has to say, and handlers that follow a script, in each way of running them."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING, Any, Literal

from kstream.core.batch import Batch
from kstream.core.consumer import Consumer
from kstream.core.errors import DeadLetterError, LedgerError, Reject
from kstream.core.handler import Handler
from kstream.core.processor import Processor
from kstream.core.telemetry import Telemetry
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Clock, Scope
    from kstream.core.record import Record

STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
SHARD_ID = "shardId-000000000007"

Way = Literal["inline", "threads", "async", "tasks"]
WAYS: tuple[Way, ...] = ("inline", "threads", "async", "tasks")
"""On the calling thread; on several threads; on an event loop one by one; on an event loop side by side."""

Place = tuple[int, int]
"""A record's position as a plain pair: sequence number, sub-sequence number."""


def entry(
    sequence: int | str, data: bytes = b"{}", key: str = "a", *, raw: str | None = None, shard_id: str = SHARD_ID
) -> dict[str, Any]:
    """An entry of Lambda's Kinesis event. ``raw`` stands in place of the payload's base64."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": str(sequence),
            "data": b64encode(data).decode() if raw is None else raw,
            "approximateArrivalTimestamp": 1_700_000_000.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/consumer",
        "awsRegion": "us-east-1",
        "eventSourceARN": STREAM_ARN,
    }


def event(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(entries)}


def batch(*entries: dict[str, Any]) -> Batch:
    return Batch.from_entries(list(entries))


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def aggregate_of(*users: tuple[str, bytes], key_table: Sequence[str] | None = None) -> bytes:
    """The KPL's format, written plainly. A ``key_table`` too short for the users makes it contradict itself."""
    names = [key for key, _ in users]
    table = list(dict.fromkeys(names)) if key_table is None else list(key_table)
    body = b"".join(_field(1, name.encode()) for name in table)
    for key, data in users:
        index = table.index(key) if key in table else len(table)
        body += _field(3, b"\x08" + _varint(index) + _field(3, data))
    return b"\xf3\x89\x9a\xc2" + body + md5(body).digest()


MALFORMED = aggregate_of(("k", b"{}"), key_table=())
"""Sound by its digest, with an index that its table does not hold."""


class Transient(Exception):
    """What a scripted handler raises where an attempt is to fail and may succeed later."""


@dataclass
class Script:
    """What befalls each record, by its place, and what the handlers saw. Thread-safe.

    ``failing``   how many attempts raise ``Transient`` before one succeeds.
    ``rejected``  records for which ``Reject`` is raised.
    ``reads``     how a record is read before anything else befalls it.
    """

    failing: Mapping[Place, int] = field(default_factory=dict)
    rejected: Collection[Place] = ()
    reads: Callable[[Record], object] = lambda record: record.data
    before: Callable[[Record], object] = lambda record: None
    started: list[Place] = field(default_factory=list)
    done: list[Place] = field(default_factory=list)
    attempts: Counter[Place] = field(default_factory=Counter)
    keys: dict[Place, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def befall(self, record: Record) -> None:
        place = place_of(record)
        with self.lock:
            self.keys[place] = record.outer_key
            self.started.append(place)
            self.attempts[place] += 1
            attempt = self.attempts[place]
        self.before(record)
        self.reads(record)
        if place in self.rejected:
            raise Reject("as scripted")
        if attempt <= self.failing.get(place, 0):
            raise Transient(f"attempt {attempt}")
        with self.lock:
            self.done.append(place)


class Inline(Handler):
    def __init__(self, script: Script) -> None:
        self.script = script

    def process(self, record: Record) -> None:
        self.script.befall(record)


class Asynchronous(Handler):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def process(self, record: Record) -> None:
        import asyncio

        await asyncio.sleep(0)
        self.script.befall(record)


def handler_for(way: Way, script: Script) -> Handler:
    return Inline(script) if way in ("inline", "threads") else Asynchronous(script)


def workers_for(way: Way) -> int:
    return 4 if way in ("threads", "tasks") else 1


def place_of(record: Record) -> Place:
    return int(record.sequence_number), record.sub_sequence_number


class Telling(Telemetry):
    """Telemetry that remembers what it was told."""

    def __init__(self) -> None:
        self.failed: list[tuple[Place, str, int, bool]] = []
        self.ledger: list[Exception] = []
        self.refused: list[Place] = []
        self.outcomes: list[Outcome] = []

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        self.failed.append((place_of(record), type(error).__name__, attempt, parked))

    def ledger_failed(self, error: Exception) -> None:
        self.ledger.append(error)

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        self.refused.append(place_of(record))

    def batch_finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class Letters:
    """A dead-letter sink in a list; ``refuses`` says which letters it cannot take."""

    def __init__(self, refuses: Callable[[DeadLetter], bool] = lambda letter: False) -> None:
        self.stored: list[DeadLetter] = []
        self.refuses = refuses
        self._lock = threading.Lock()

    def put(self, letter: DeadLetter) -> None:
        if self.refuses(letter):
            raise DeadLetterError("the sink is full")
        letter.to_json()
        with self._lock:
            self.stored.append(letter)

    @property
    def places(self) -> set[Place]:
        return {place_of(letter.record) for letter in self.stored}


class NotedLedger:
    """A ledger in a dictionary that remembers each call. ``broken``: the calls, by name, that fail."""

    def __init__(self, known: Collection[Place] = (), *, broken: Collection[str] = ()) -> None:
        self.known: dict[int, int] = {}
        self.broken = broken
        self.loads: list[tuple[Scope, int, int]] = []
        self.saves: list[dict[int, int]] = []
        self.keys: set[str] = set()
        self.key_saves: list[set[str]] = []
        self._lock = threading.Lock()
        for sequence, sub in known:
            self.known[sequence] = self.known.get(sequence, 0) | 1 << sub

    def load(self, scope: Scope, first: int, last: int) -> dict[int, int]:
        with self._lock:
            self.loads.append((scope, first, last))
            if "load" in self.broken:
                raise LedgerError("cannot be read")
            return {sequence: bitmap for sequence, bitmap in self.known.items() if first <= sequence <= last}

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        with self._lock:
            self.saves.append(dict(done))
            if "save" in self.broken:
                raise LedgerError("cannot be written")
            for sequence, bitmap in done.items():
                self.known[sequence] = self.known.get(sequence, 0) | bitmap

    def load_keys(self, scope: Scope, keys: Collection[str]) -> set[str]:
        with self._lock:
            if "load_keys" in self.broken:
                raise LedgerError("cannot be read")
            return self.keys & set(keys)

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        with self._lock:
            self.key_saves.append(set(keys))
            if "save_keys" in self.broken:
                raise LedgerError("cannot be written")
            self.keys |= set(keys)

    @property
    def places(self) -> set[Place]:
        return places_in(self.known)


def places_in(done: Mapping[int, int]) -> set[Place]:
    """The places that bitmaps by sequence number stand for."""
    return {(sequence, sub) for sequence, bits in done.items() for sub in range(bits.bit_length()) if bits >> sub & 1}


def processor_of(consumer: Consumer, *, clock: Clock | None = None, telemetry: Telemetry | None = None) -> Processor:
    return Processor(
        consumer,
        clock=clock or VirtualClock(),
        uniform=lambda low, high: high,
        telemetry=[telemetry or Telling()],
    )


def run_script(way: Way, script: Script, given: Batch, **policies: Any) -> Outcome:
    """One batch through a handler that follows ``script``, and nothing left open."""
    prefix_settles = policies.pop("prefix_settles", True)
    clock, telemetry = policies.pop("clock", None), policies.pop("told", None)
    consumer = Consumer(handler_for(way, script), max_workers=workers_for(way), name="scripted", **policies)
    processor = processor_of(consumer, clock=clock, telemetry=telemetry)
    try:
        return processor.process(given, prefix_settles=prefix_settles)
    finally:
        processor.close()
