"""The local runner at work on a stream: finding shards, giving each its turn, settling, storing.

One thread does all of it, but for the invocations themselves when several run at a time.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kstream.core.delivery.answer import Partial, Success
from kstream.core.delivery.batch import Delivery, Discard
from kstream.core.delivery.on_failure import on_failure_message
from kstream.core.delivery.shard import ShardDelivery
from kstream.core.errors import ReadError
from kstream.core.events import envelope_bytes
from kstream.core.shards import Latest
from kstream.runtimes import runner_events as events
from kstream.runtimes.invocation import Invoker
from kstream.runtimes.shard_order import startable
from kstream.runtimes.shard_progress import ShardProgress
from kstream.runtimes.shard_worker import ShardWorker
from kstream.stores.checkpoints import StreamKey

if TYPE_CHECKING:
    from kstream.core.delivery.backoff import Backoff
    from kstream.core.mapping import EventSourceMapping
    from kstream.core.ports import Clock
    from kstream.core.shards import Shard, Start, StreamReader
    from kstream.runtimes.bounded_log import BoundedLog
    from kstream.runtimes.invocation import LambdaHandler
    from kstream.runtimes.invocation_pool import InvocationPool, Invoked
    from kstream.stores.checkpoints import Checkpoints

OnFailure = Callable[[dict[str, Any]], None]

_log = logging.getLogger(__name__)

# A reshard ends a shard, and then the list is read at once. This is for what slips through.
_LIST_EVERY_S = 30.0
_LIST_EVERY_HURRIED_S = 1.0
_LONGEST_LISTING_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What ``LocalRunner`` was given; see there."""

    lambda_handler: LambdaHandler
    stream: str
    mapping: EventSourceMapping
    reader: StreamReader
    checkpoints: Checkpoints
    consumer_name: str
    clock: Clock
    on_failure: OnFailure | None
    observer: events.Observer | None
    timeout: float
    concurrency: int
    hurry: bool
    backoff: Backoff | None


class Session:
    """Not thread-safe. Making one describes the stream and, on a first start at LATEST, finds its tip."""

    def __init__(self, setup: Setup, failures: BoundedLog) -> None:
        self._setup = setup
        self._clock = setup.clock
        self._failures = failures
        self._stream = setup.reader.describe(setup.stream)
        self._progress = ShardProgress(
            setup.checkpoints,
            StreamKey(setup.consumer_name, self._stream.arn, self._stream.created_at),
            setup.mapping.starting_position,
        )
        self._invoker = Invoker(
            setup.lambda_handler,
            stream=self._stream,
            mapping=setup.mapping,
            function_name=setup.consumer_name,
            timeout=setup.timeout,
            clock=setup.clock,
            log=failures,
        )
        self.invoke = self._invoker.invoke
        self._workers: dict[str, ShardWorker] = {}
        self._turns: deque[ShardWorker] = deque()
        self._next_listing = -math.inf
        self._listing_failures = 0
        self._list_every = _LIST_EVERY_HURRIED_S if setup.hurry else _LIST_EVERY_S
        if setup.mapping.starting_position == "LATEST" and self._progress.first_start:
            self._start_at_the_tip()

    @property
    def caught_up(self) -> bool:
        """Nothing is left to read, to deliver or to wait for, as of each shard's last read."""
        return self._next_listing > -math.inf and all(worker.caught_up for worker in self._turns)

    def turn(self, pool: InvocationPool, stopping: Callable[[], bool]) -> bool:
        """One step for every shard, in turn. Says whether there was anything to do."""
        worked = self._find_shards()
        for _ in range(len(self._turns)):
            worked |= self.settle_finished(pool)
            if stopping() or not self._turns:
                break
            if not pool.has_room:
                continue
            worker = self._turns[0]
            self._turns.rotate(-1)
            worked |= self._step(worker, pool)
        return self.settle_finished(pool) or worked

    def settle_finished(self, pool: InvocationPool, wait: float = 0.0) -> bool:
        """Settles what has ended, waiting up to ``wait`` seconds for the first. Says whether there was any."""
        any_done = False
        while (done := pool.next_done(0.0 if any_done else wait)) is not None:
            any_done = True
            self._settle(done)
        return any_done

    def next_step(self) -> float:
        """When a turn may have something to do, in epoch seconds."""
        return min([self._next_listing, *(worker.next_step() for worker in self._turns)])

    def _step(self, worker: ShardWorker, pool: InvocationPool) -> bool:
        step = worker.delivery.due(self._clock.time())
        read = step is None and worker.wants_to_read(self._clock.time())
        if read:
            self._read(worker)
            step = worker.delivery.due(self._clock.time())
        if isinstance(step, Delivery):
            pool.submit(worker, step)
        elif isinstance(step, Discard):
            self._give_up(worker, step)
        self._end_if_finished(worker)
        # A read that brought nothing is not work: the next one is due after a pause.
        return step is not None or (read and worker.next_step() <= self._clock.time())

    # Shards

    def _start_at_the_tip(self) -> None:
        # A tip has no sequence number before a record comes, so the time stands for it: the earlier one of ours and
        # the service's, taken before the shards are opened.
        now = self._clock.time()
        since = now if self._stream.described_at is None else min(now, self._stream.described_at)
        shards = self._setup.reader.shards(self._setup.stream)
        self._progress.pin(shards, since)
        for shard in startable(shards, ended=self._progress.ended, started=self._workers):
            self._start(shard, Latest(since))

    def _find_shards(self) -> bool:
        """Starts the shards that may start, if it is time to look. Says whether there were any."""
        now = self._clock.time()
        if now < self._next_listing:
            return False
        try:
            shards = self._setup.reader.shards(self._setup.stream)
        except ReadError as error:
            pause = min(_LONGEST_LISTING_PAUSE_S, 0.5 * 2 ** min(self._listing_failures, 10))
            self._listing_failures += 1
            self._next_listing = now + pause
            self._read_failed(None, error, pause)
            return False
        self._listing_failures = 0
        self._next_listing = now + self._list_every
        new = startable(shards, ended=self._progress.ended, started=self._workers)
        for shard in new:
            self._start(shard, self._progress.start_of(shard.id))
        return bool(new)

    def _start(self, shard: Shard, start: Start) -> None:
        setup, stream = self._setup, self._stream
        checkpoint = self._progress.checkpoint_of(shard.id)
        delivery = ShardDelivery(
            setup.mapping,
            shard.id,
            checkpoint=checkpoint,
            envelope=envelope_bytes(shard_id=shard.id, stream_arn=stream.arn, region=stream.region),
            backoff=setup.backoff,
        )
        worker = ShardWorker(shard.id, setup.reader.open(setup.stream, shard.id, start), delivery, hurry=setup.hurry)
        self._workers[shard.id] = worker
        self._turns.append(worker)
        self._tell(events.ShardStarted(shard.id, checkpoint))

    def _end_if_finished(self, worker: ShardWorker) -> None:
        if worker.delivery.finished:
            self._progress.end(worker.shard_id)
            self._turns.remove(worker)
            self._next_listing = -math.inf
            self._tell(events.ShardEnded(worker.shard_id))

    def _read(self, worker: ShardWorker) -> None:
        try:
            page = worker.read(self._clock.time())
        except ReadError as error:
            self._read_failed(worker.shard_id, error, worker.pause(self._clock.time()))
            return
        if page.throttled:
            pause = worker.pause(self._clock.time())
            self._tell(events.ReadFailed(worker.shard_id, "throttled", pause))
        elif page.records:
            self._tell(events.ShardRead(worker.shard_id, len(page.records), page.behind_ms))

    def _read_failed(self, shard_id: str | None, error: ReadError, pause: float) -> None:
        self._failures.failed("ReadError", str(error))
        self._tell(events.ReadFailed(shard_id, str(error), pause))

    # Batches

    def _settle(self, done: Invoked) -> None:
        worker, delivery, verdict = done.worker, done.delivery, done.verdict
        assert verdict is not None
        now = self._clock.time()
        before = worker.delivery.pending
        worker.delivery.settle(delivery, verdict, now)
        self._tell(
            events.BatchFinished(
                worker.shard_id,
                len(delivery.records),
                before - worker.delivery.pending,
                delivery.attempt,
                verdict,
                done.seconds,
                max(0.0, (now - delivery.records[-1].arrived_at) * 1000),
            )
        )
        if isinstance(verdict, (Success, Partial)):
            self._store(worker)
        self._end_if_finished(worker)

    def _give_up(self, worker: ShardWorker, discard: Discard) -> None:
        now = self._clock.time()
        message = on_failure_message(
            discard,
            stream_arn=self._stream.arn,
            function_arn=self._invoker.function_arn,
            request_id=self._invoker.request_id(discard.delivery_id),
            now=now,
        )
        count = len(discard.records)
        described = f"{count} records of {worker.shard_id} from {discard.records[0].sequence_number} on"
        if self._setup.on_failure is None:
            self._failures.failed(
                discard.condition, f"gave up {described}: {discard.condition}. {discard.error}".rstrip()
            )
        else:
            try:
                self._setup.on_failure(message)
            except Exception as error:  # noqa: BLE001 -- the destination is the user's
                worker.delivery.defer(discard, now)
                self._failures.failed("on_failure", f"the on-failure destination refused {described}", error)
                self._tell(events.DiscardRefused(worker.shard_id, count, f"{type(error).__qualname__}: {error}"[:300]))
                return
        worker.delivery.confirm(discard, now)
        self._tell(events.Discarded(worker.shard_id, count, message))
        self._store(worker)

    def _store(self, worker: ShardWorker) -> None:
        checkpoint = worker.delivery.checkpoint
        if checkpoint is not None and checkpoint != worker.stored:
            self._progress.advance(worker.shard_id, checkpoint)
            worker.stored = checkpoint
            self._tell(events.CheckpointStored(worker.shard_id, checkpoint))

    def _tell(self, event: events.RunnerEvent) -> None:
        if self._setup.observer is None:
            return
        try:
            self._setup.observer(event)
        except Exception as error:  # noqa: BLE001 -- a view must not stop the work
            self._failures.failed("observer", "the observer failed", error)
