"""The event source mapping of a simulated world: reads shards, invokes the function, stores checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.core.delivery.answer import Failure, Partial, Success, parse_answer
from kstream.core.delivery.batch import Delivery
from kstream.core.events import kinesis_event
from kstream.core.shards import Shard
from kstream.runtimes.shard_order import startable
from kstream.testing.simulator.reader import ShardReader
from kstream.testing.simulator.world import Invocation

if TYPE_CHECKING:
    from kstream.core.delivery.answer import Verdict
    from kstream.core.delivery.batch import Discard
    from kstream.core.mapping import EventSourceMapping
    from kstream.testing.simulator.function import Function
    from kstream.testing.simulator.stream import SimulatedStream
    from kstream.testing.simulator.truth import Truth
    from kstream.testing.simulator.world import World

_STORES = 0.8
"""Chance that a checkpoint is stored at once: else a restart goes back further."""


class Poller:
    """Drives the state machines of ``kstream.core.delivery``; everything that needs choosing is chosen by the seed."""

    def __init__(
        self, world: World, truth: Truth, stream: SimulatedStream, mapping: EventSourceMapping, function: Function
    ) -> None:
        self._world = world
        self._truth = truth
        self._stream = stream
        self._mapping = mapping
        self._function = function
        self._listed = [Shard(shard.id, shard.parents, shard.closed) for shard in stream.shards]
        self._readers: list[ShardReader] = []
        self._ended: set[str] = set()
        self._started: set[str] = set()
        self._start_shards()
        world.meanwhile = self

    def run(self) -> None:
        """Until everything has been read and settled, or nothing comes of it any more."""
        world, clock = self._world, self._world.clock
        for _ in range(1_000 + 100 * len(self._stream)):
            world.trace.now = clock.monotonic()
            if self.turn():
                continue
            now = clock.time()
            times = [at for reader in self._readers for at in (reader.delivery.next_due(), reader.next_arrival()) if at]
            if not times:
                self._truth.finish()
                return
            clock.advance(max(0.0, min(times) - now) + 1e-6)  # a float's last digit must not keep it waiting
        waiting = next((item for item in self._stream.items() if not self._truth.settled(item)), None)
        self._truth.violated(
            "stuck",
            f"deliveries go on for ever, and {waiting} is not settled: it fails each time, the mapping never gives up "
            f"(maximum_retry_attempts={self._mapping.maximum_retry_attempts}), and nothing parks it",
        )

    # What can happen while an invocation is at work

    def turn(self) -> bool:
        readers = self._readers
        random, clock = self._world.random, self._world.clock
        first = random.randrange(len(readers)) if len(readers) > 1 else 0
        for reader in readers[first:] + readers[:first]:
            worked = reader.read(random, clock.time())
            step = reader.delivery.due(clock.time())
            if isinstance(step, Delivery):
                self._deliver(reader, step)
            elif step is not None:
                self._discard(reader, step)
            elif reader.delivery.finished and reader in self._readers:
                self._end(reader)
            elif not worked:
                continue
            return True
        return False

    def deliver_again(self, origin: Invocation) -> None:
        twin = Invocation(self._number(), origin.reader, origin.shard, origin.delivery, origin)
        verdict = self._invoke(twin)
        if not self._waits_for(origin) or self._world.random.random() < 0.5:
            self._world.trace.add("nobody waits for this answer")
            return
        origin.superseded = True
        self._settle(origin, verdict)

    def restart(self) -> None:
        self._world.random.choice(self._readers).restart()

    # Deliveries

    def _deliver(self, reader: ShardReader, delivery: Delivery) -> None:
        invocation = Invocation(self._number(), reader, reader.delivery, delivery)
        verdict = self._invoke(invocation)
        if not self._waits_for(invocation):
            self._world.trace.add("nobody waits for the answer of invocation {}", invocation.number)
            return
        if not isinstance(verdict, Failure) and self._world.fails(self._world.faults.lost_answer, "lost answers"):
            self._world.trace.add("its answer is lost")
            verdict = Failure("the answer was lost")
        self._settle(invocation, verdict)

    def _invoke(self, invocation: Invocation) -> Verdict:
        delivery, trace = invocation.delivery, self._world.trace
        records = delivery.records
        trace.add(
            "invocation {}: {} lane {}, attempt {}, {} record(s) {}..{}",
            invocation.number,
            delivery.shard_id,
            delivery.lane,
            delivery.attempt,
            len(records),
            records[0].sequence_number,
            records[-1].sequence_number,
        )
        trace.depth += 1
        event = kinesis_event(records, shard_id=delivery.shard_id, stream_arn=self._stream.arn)
        ended = self._function.invoke(event, invocation)
        trace.depth -= 1
        if isinstance(ended, Failure):
            verdict: Verdict = ended
        else:
            reports = self._mapping.report_batch_item_failures
            verdict = parse_answer(ended, records, report_batch_item_failures=reports)
            if isinstance(verdict, Failure) or not _one_at_most(ended):
                self._truth.violated("identifier", f"an answer that is not one identifier of its batch: {ended!r:.200}")
        match verdict:
            case Success():
                trace.add("-> all done")
            case Partial(sequence_number):
                trace.add("-> again from {}", sequence_number)
            case Failure(reason):
                trace.add("-> failed: {}", reason)
        return verdict

    def _settle(self, invocation: Invocation, verdict: Verdict) -> None:
        reader, delivery = invocation.reader, invocation.delivery
        records = delivery.records
        if isinstance(verdict, Success):
            self._truth.mapping_settles(reader.shard, records)
        elif isinstance(verdict, Partial):
            at = [record.sequence_number for record in records].index(verdict.sequence_number)
            self._truth.mapping_settles(reader.shard, records[:at])
        invocation.shard.settle(delivery, verdict, self._world.clock.time())
        self._store(reader)

    def _waits_for(self, invocation: Invocation) -> bool:
        return not invocation.superseded and invocation.reader.delivery is invocation.shard

    def _discard(self, reader: ShardReader, discard: Discard) -> None:
        world, now = self._world, self._world.clock.time()
        first, last = discard.records[0].sequence_number, discard.records[-1].sequence_number
        world.trace.add("{} {}..{} given up: {}", discard.shard_id, first, last, discard.condition)
        if world.fails(world.faults.on_failure, "refused discards"):
            world.trace.add("the on-failure destination refuses it")
            reader.delivery.defer(discard, now)
            return
        self._truth.discarded(reader.shard, discard.records)
        reader.delivery.confirm(discard, now)
        self._store(reader)

    def _store(self, reader: ShardReader) -> None:
        if self._world.random.random() < _STORES:
            reader.stored = reader.delivery.checkpoint

    def _number(self) -> int:
        self._world.counts["deliveries"] += 1
        return self._world.counts["deliveries"]

    # Shards

    def _start_shards(self) -> None:
        for shard in startable(self._listed, ended=self._ended, started=self._started):
            self._started.add(shard.id)
            self._readers.append(ShardReader(self._stream.by_id[shard.id], self._mapping))

    def _end(self, reader: ShardReader) -> None:
        self._world.trace.add("{} is read and settled to its end", reader.shard.id)
        self._readers.remove(reader)
        self._ended.add(reader.shard.id)
        self._start_shards()


def _one_at_most(answer: object) -> bool:
    return isinstance(answer, dict) and len(answer.get("batchItemFailures") or ()) <= 1
