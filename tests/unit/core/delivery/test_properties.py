"""What holds for every history of a shard, whatever the mapping, the answers and the timing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from kstream.core.delivery import (
    Delivery,
    Discard,
    Failure,
    Partial,
    ShardDelivery,
    StreamRecord,
    Success,
)
from kstream.core.events import kinesis_event
from kstream.core.mapping import EventSourceMapping

if TYPE_CHECKING:
    from kstream.core.delivery import (
        Verdict,
    )

NOW = 1_700_000_000.0
LIMIT = 6_000

mappings = st.builds(
    EventSourceMapping,
    batch_size=st.integers(1, 12),
    batching_window=st.sampled_from([0, 0, 5]),
    parallelization_factor=st.sampled_from([1, 2, 4, 10]),
    maximum_retry_attempts=st.sampled_from([-1, 0, 1, 3]),
    maximum_record_age=st.sampled_from([-1, -1, 60]),
    bisect_on_error=st.booleans(),
)
keys = st.sampled_from(["a", "b", "c", "d", 'quote"\\', "schlüssel", "🗝"])
payloads = st.binary(max_size=30) | st.sampled_from([b"x" * 1_500, b"x" * 5_000])


@dataclass
class History:
    """Drives a shard, and checks after every step what must always hold."""

    shard: ShardDelivery
    mapping: EventSourceMapping
    offered: list[StreamRecord] = field(default_factory=list)
    in_flight: list[Delivery] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    first_delivered: list[StreamRecord] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    tries: dict[tuple[str, ...], int] = field(default_factory=dict)
    now: float = NOW

    def offer(self, records: list[StreamRecord]) -> None:
        self.shard.offer(records, self.now)
        self.offered += records

    def step(self) -> bool:
        """Takes what is due. Says whether there was anything."""
        step = self.shard.due(self.now)
        if isinstance(step, Delivery):
            self.take(step)
        elif isinstance(step, Discard):
            self.judge(step)
            self.shard.confirm(step, self.now)
            self.settle(step.records)
        self.check()
        return step is not None

    def take(self, delivery: Delivery) -> None:
        assert 1 <= len(delivery.records) <= self.mapping.batch_size
        event = kinesis_event(delivery.records, shard_id=delivery.shard_id, stream_arn="arn:aws:kinesis:x:1:stream/s")
        assert len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()) <= LIMIT
        assert all(each.lane != delivery.lane for each in self.in_flight)
        assert len(self.in_flight) < self.mapping.parallelization_factor
        maximum = self.mapping.maximum_record_age
        assert maximum < 0 or self.now - delivery.records[0].arrived_at <= maximum
        if self.mapping.maximum_retry_attempts >= 0:
            assert delivery.attempt <= self.mapping.maximum_retry_attempts + 1
        for record in delivery.records:
            assert record.sequence_number not in self.settled, "settled records are not delivered again"
            if record.sequence_number not in self.seen:
                self.seen.add(record.sequence_number)
                self.first_delivered.append(record)
        self.in_flight.append(delivery)

    def judge(self, discard: Discard) -> None:
        if discard.condition == "RecordAgeExceeded":
            maximum = self.mapping.maximum_record_age
            assert maximum >= 0
            assert all(self.now - record.arrived_at > maximum for record in discard.records)
        elif discard.invocations:
            assert self.mapping.maximum_retry_attempts >= 0
            if not self.mapping.bisect_on_error:
                assert discard.invocations == self.mapping.maximum_retry_attempts + 1, "the retry budget is exact"

    def answer(self, index: int, verdict: Verdict | int) -> None:
        """Settles one of those in flight; a number stands for a partial answer at that index."""
        delivery = self.in_flight.pop(index % len(self.in_flight))
        if isinstance(verdict, int):
            at = verdict % len(delivery.records)
            self.shard.settle(delivery, Partial(delivery.records[at].sequence_number), self.now)
            self.settle(delivery.records[:at])
        else:
            self.shard.settle(delivery, verdict, self.now)
            if isinstance(verdict, Success):
                self.settle(delivery.records)
        self.check()

    def settle(self, records: tuple[StreamRecord, ...]) -> None:
        for record in records:
            assert record.sequence_number not in self.settled, "settled once"
            self.settled.add(record.sequence_number)

    def check(self) -> None:
        """The checkpoint is exactly the end of the settled prefix, and nothing is lost on the way."""
        prefix = None
        for record in self.offered:
            if record.sequence_number not in self.settled:
                break
            prefix = record.sequence_number
        assert self.shard.checkpoint == prefix
        assert self.shard.pending == len(self.offered) - len(self.settled)
        assert self.shard.idle == (self.shard.pending == 0)

    def finish(self) -> None:
        """Everything succeeds from here on, so everything gets settled."""
        self.shard.close()
        for _ in range(10_000):
            while self.step():
                pass
            if self.in_flight:
                self.answer(0, Success())
            elif self.shard.finished:
                return
            else:
                due = self.shard.next_due()
                assert due is not None, "something is pending and nothing will ever happen"
                self.now = max(self.now, due)
        raise AssertionError("it does not come to an end")


verdicts = st.one_of(st.just(Success()), st.just(Failure("boom")), st.integers(0, 11))


@given(st.data(), mappings)
def test_nothing_is_lost_and_the_checkpoint_never_passes_what_is_not_settled(
    data: st.DataObject, mapping: EventSourceMapping
) -> None:
    history = History(ShardDelivery(mapping, "shard-0", payload_limit=LIMIT, envelope=640), mapping)
    number = 97  # so that text and numbers order differently
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["offer", "step", "step", "answer", "answer", "wait"])):
            case "offer":
                new = []
                for key, payload in data.draw(st.lists(st.tuples(keys, payloads), max_size=8)):
                    number += data.draw(st.integers(1, 3))
                    new.append(StreamRecord(key, str(number), payload, history.now))
                history.offer(new)
            case "step":
                history.step()
            case "answer" if history.in_flight:
                history.answer(data.draw(st.integers(0, 9)), data.draw(verdicts))
            case "wait":
                history.now += data.draw(st.sampled_from([0.25, 1, 5, 61]))
    history.finish()
    assert len(history.settled) == len(history.offered)
    for key in {record.partition_key for record in history.offered}:
        first = [int(each.sequence_number) for each in history.first_delivered if each.partition_key == key]
        assert first == sorted(first), "first deliveries of a key come in the shard's order"


@given(
    count=st.integers(1, 60),
    poison=st.integers(0, 59),
    batch_size=st.integers(1, 60),
    factor=st.sampled_from([1, 4]),
    retries=st.sampled_from([0, 2]),
)
def test_bisect_isolates_a_poison_record_and_all_others_succeed(
    count: int, poison: int, batch_size: int, factor: int, retries: int
) -> None:
    poison %= count
    mapping = EventSourceMapping(
        batch_size=batch_size, parallelization_factor=factor, bisect_on_error=True, maximum_retry_attempts=retries
    )
    shard = ShardDelivery(mapping, "shard-0", backoff=lambda _: 0.0)
    shard.offer([StreamRecord(f"k{n % 7}", str(n), b"", NOW) for n in range(count)], NOW)
    done: list[int] = []
    discards: list[Discard] = []
    while (step := shard.due(NOW)) is not None:
        if isinstance(step, Discard):
            discards.append(step)
            shard.confirm(step, NOW)
            continue
        held = [int(record.sequence_number) for record in step.records]
        failed = poison in held
        shard.settle(step, Failure("boom") if failed else Success(), NOW)
        done += [] if failed else held
    assert [[int(record.sequence_number) for record in each.records] for each in discards] == [[poison]]
    assert sorted(done) == [n for n in range(count) if n != poison]
    assert shard.idle
    assert shard.checkpoint == str(count - 1)
