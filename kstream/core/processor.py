"""The processor: a consumer at work. Answers, for batch after batch, which is the first record that is not done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.core.agreement import mode_of
from kstream.core.context import in_hand, put_down, records_are_followed
from kstream.core.guarded import GuardedSink
from kstream.core.guarded_transactions import GuardedTransactionalLedger, guarded
from kstream.core.handler import RecordHandler
from kstream.core.hooks import Hooks, give
from kstream.core.idempotency import Duplicates, has_keys, keys_of
from kstream.core.incidents import Incidents
from kstream.core.journal import Journal, MessageJournal
from kstream.core.patience import Patience
from kstream.core.ports import Scope
from kstream.core.progress import DONE, PARKED, Progress
from kstream.core.run import Run
from kstream.core.running import runner_for
from kstream.core.settling import Settling
from kstream.core.shielded import Shielded
from kstream.core.telemetry import BatchContext
from kstream.core.watch import Watch
from kstream.core.watched import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.core.batch import Batch
    from kstream.core.breaker import Circuit, CircuitBreaker
    from kstream.core.consumer import Consumer
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Clock, Ledger
    from kstream.core.telemetry import Telemetry

FOREVER = float("inf")
NOWHERE = Scope("", "", "")
"""The scope of a batch without records."""


class Processor:
    """Runs batches through a consumer's handler. Not thread-safe: one batch at a time, as a Lambda environment does.

    ``clock``      time, monotonic time and sleep.
    ``uniform``    ``uniform(low, high)``, the source of jitter and of samples.
    ``telemetry``  watches; the consumer's own, where it has one, takes its place.

    Raises ``ConfigurationError`` for a handler and policies that do not go together.
    """

    def __init__(
        self,
        consumer: Consumer,
        *,
        clock: Clock,
        uniform: Callable[[float, float], float],
        telemetry: Sequence[Telemetry] = (),
    ) -> None:
        self.consumer = consumer
        self._clock = clock
        self._uniform = uniform
        self._telemetry = Shielded(consumer.watching(telemetry))
        self._circuit = _circuit(consumer.breaker) if consumer.breaker else None
        self._sink = GuardedSink(consumer.dead_letters) if consumer.dead_letters is not None else None
        self._handler = consumer.build_handler()
        self._mode = mode_of(consumer, self._handler)
        self._ledger = guarded(consumer.ledger, transactional=self._mode == "transactional")
        self._keyed = self._handler if isinstance(self._handler, RecordHandler) and has_keys(self._handler) else None
        self._runner = runner_for(consumer, self._handler, clock)
        self._process = watched(self._handler, self._telemetry, clock, uniform)
        self._in_hand: tuple[BatchContext, Progress, Incidents] | None = None
        give(self._handler, Hooks(self._telemetry, clock))
        self._handler.open()

    def process(
        self, batch: Batch, *, deadline: float = FOREVER, prefix_settles: bool = True, request_id: str = ""
    ) -> Outcome:
        """Processes what of the batch the ledger does not know as done, and says what it came to.

        ``deadline``        in the clock's monotonic seconds: no record is started from then on.
        ``prefix_settles``  whether the runtime will not deliver again what lies before the answer's checkpoint. Where
                            it delivers the whole batch again, the ledger must hold that prefix too.
        ``request_id``      of the invocation, for those who watch.

        Raises nothing for an ``Exception`` of a handler. Whatever it raises means: deliver all again. That is what
        ``batch.verify`` raises for a delivery that contradicts itself, too.
        """
        consumer = self.consumer
        scope = Scope(consumer.name, batch.outers[0].stream_arn, batch.outers[0].shard_id) if batch.outers else NOWHERE
        progress = Progress(batch, batch.queue_order or consumer.ordering)
        incidents = Incidents(self._telemetry)
        context = BatchContext(scope, batch, request_id, self._clock.time())
        with in_hand(context):
            self._telemetry.tell("batch_started", context)
            self._in_hand = context, progress, incidents
            try:
                outcome = self._outcome(context, progress, incidents, deadline, prefix_settles)
            except BaseException as error:
                progress.freeze()
                self._telemetry.tell("batch_interrupted", progress.interrupted(incidents), error)
                raise
            finally:
                self._in_hand = None
            self._telemetry.tell("batch_finished", outcome)
        return outcome

    def deadline_passed(self) -> None:
        """Tells those who watch how far the batch in hand has come, if there is one. May be called from any thread."""
        if (known := self._in_hand) is not None:
            context, progress, incidents = known
            self._telemetry.tell("deadline_passed", context, progress.outcome(incidents))

    def close(self) -> None:
        """Ends the handler and its workers."""
        self._runner.close()
        self._handler.close()

    def _outcome(
        self, context: BatchContext, progress: Progress, incidents: Incidents, deadline: float, prefix_settles: bool
    ) -> Outcome:
        batch = context.batch
        run = self._prepare(context, progress, incidents, deadline)
        try:
            if batch.records:
                self._runner.run(run)
        except BaseException:
            # Nobody gets an answer, so everything comes back: the ledger must know all that is done, from the start.
            put_down()
            progress.stop()
            progress.freeze()
            batch.verify()
            self._remember(run, since=None)
            raise
        put_down()
        progress.freeze()
        if batch.queue_order:
            # No checkpoint tells anything: a message that is done, and deleted, may still come a second time.
            self._remember(run, since=None)
            return progress.outcome(incidents)
        if not progress.has_undone:
            if run.watch.journal is not None:
                run.watch.journal.save({})  # the keys, and what was due before: the checkpoint tells the rest
            return progress.outcome(incidents)
        batch.verify()  # before a position of it is answered
        first = progress.first_undone
        assert first is not None
        self._remember(run, since=first.position.sequence if prefix_settles else None)
        return progress.outcome(incidents)  # once more: writing the ledger may have failed

    def _prepare(self, context: BatchContext, progress: Progress, incidents: Incidents, deadline: float) -> Run:
        consumer, batch = self.consumer, context.batch
        ledger = self._ledger
        if ledger is not None and deadline != FOREVER:
            ledger = ledger.within(Patience(lambda: deadline - self._clock.monotonic()))
        journal = self._journal(ledger, context, incidents)
        refused: dict[int, Exception] = dict(batch.malformed())
        duplicates = None
        if journal is not None:
            done = journal.load(batch)
            if done or self._keyed is not None or self._mode != "sparse" or journal.writes_along:
                batch.verify()  # from here on, positions are believed
            if done:
                progress.skip(done)
            if self._keyed is not None:
                keys, unkeyed = keys_of(self._keyed, progress, refused.keys())
                refused |= unkeyed
                duplicates = Duplicates(keys, progress)
                duplicates.know(journal.load_keys(duplicates.keys))
        watch = Watch(
            progress,
            self._clock,
            circuit=self._circuit,
            journal=journal,
            duplicates=duplicates,
            notes_keys=self._mode != "transactional",
        )
        settling = Settling(
            consumer,
            progress,
            clock=self._clock,
            deadline=deadline,
            uniform=self._uniform,
            incidents=incidents,
            watch=watch,
        )
        return Run(
            process=self._process,
            scope=context.scope,
            progress=progress,
            refused=refused,
            settling=settling,
            clock=self._clock,
            deadline=deadline,
            watch=watch,
            incidents=incidents,
            dead_letters=self._sink,
            max_workers=consumer.max_workers,
            followed=records_are_followed(),
            ledger=ledger if isinstance(ledger, GuardedTransactionalLedger) else None,
        )

    def _journal(self, ledger: Ledger | None, context: BatchContext, incidents: Incidents) -> Journal | None:
        if ledger is None or context.scope is NOWHERE:
            return None
        save_every = {"sparse": self.consumer.save_every, "full": 1, "transactional": None}[self._mode]
        kind = MessageJournal if context.batch.queue_order else Journal
        return kind(ledger, context.scope, incidents, save_every=save_every)

    def _remember(self, run: Run, *, since: int | None) -> None:
        """Writes to the ledger what is done from sequence number ``since`` on (None: from the start) and not in it yet."""
        if run.watch.journal is not None:
            # A transaction has written what it did.
            settled = (PARKED,) if self._mode == "transactional" else (DONE, PARKED)
            run.watch.journal.save(run.progress.done_from(since, settled))


def _circuit(policy: CircuitBreaker) -> Circuit:
    from kstream.core.breaker import Circuit  # for the few that have one

    return Circuit(policy)
