"""``simulate``: one history of a consumer in a world where things go wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from kstream.core.agreement import mode_of
from kstream.core.handler import BatchHandler, TransactionalHandler
from kstream.core.ports import TransactionalLedger
from kstream.runtimes.aws_lambda import LambdaHandler
from kstream.settings import Settings
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.simulator import stored_letters
from kstream.testing.simulator.drawing import build_stream, draw_mapping, draw_records
from kstream.testing.simulator.faults import Faults
from kstream.testing.simulator.function import Function
from kstream.testing.simulator.given import check_callable, check_given
from kstream.testing.simulator.poller import Poller
from kstream.testing.simulator.promises import Promises
from kstream.testing.simulator.report import judged
from kstream.testing.simulator.telling import Telling
from kstream.testing.simulator.trace import Trace
from kstream.testing.simulator.truth import Truth
from kstream.testing.simulator.virtual_loop import SimulatedClock
from kstream.testing.simulator.watched_handler import Stage, watched
from kstream.testing.simulator.watched_stores import WatchedDeadLetters, WatchedLedger
from kstream.testing.simulator.watched_transactions import WatchedTransactionalLedger
from kstream.testing.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from kstream.core.consumer import AnyHandler, Consumer, LedgerMode
    from kstream.core.mapping import EventSourceMapping
    from kstream.core.ports import Clock, DeadLetterSink, Ledger
    from kstream.core.record import Record
    from kstream.runtimes.aws_lambda import Answer
    from kstream.testing.events import LambdaContext, Simple
    from kstream.testing.simulator.report import Report


class Environment(Protocol):
    """What ``on_lambda`` makes: a process of a Lambda function."""

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> object: ...
    def close(self) -> None: ...


Runtime = Callable[["Consumer", "Answer", "Clock", Callable[[float, float], float]], Environment]
"""Makes an environment of a consumer, from the way it is to answer, a clock, and a source of jitter."""


def lambda_runtime(
    consumer: Consumer, answer: Answer, clock: Clock, uniform: Callable[[float, float], float]
) -> Environment:
    """The real one. It is told nothing of this machine's settings."""
    return LambdaHandler(consumer, answer, Settings(in_lambda=True), clock, uniform)


def simulate(
    consumer: Consumer,
    *,
    seed: int = 0,
    faults: Faults | None = None,
    mapping: EventSourceMapping | None = None,
    records: Iterable[Simple] | None = None,
    ledger: Ledger | None = None,
    dead_letters: DeadLetterSink | None = None,
    answer: Answer | None = None,
    timeout: float = 10.0,
    fact: Callable[[Record], Hashable] | None = None,
    runtime: Runtime = lambda_runtime,
) -> Report:
    """Runs a consumer through one history of an event source mapping and the world around it. Deterministic.

    The real ``on_lambda`` runs the real events, in environments that crash, time out, and work side by side. Time is
    virtual, for ``asyncio.sleep`` too; nothing sleeps, and nothing runs that the seed does not order. The tasks of an
    ``async def`` handler run side by side, up to ``max_workers``; threads would not be ordered, so for ``def`` it counts as
    1, which the report's ``left_out`` says.

    ``seed``          makes all choices. The same arguments and the same seed replay a history step by step.
    ``faults``        what goes wrong; by default drawn from the seed.
    ``mapping``       how it is delivered; by default drawn from the seed. It needs no tumbling window.
    ``records``       what is in the stream, each as ``kstream.testing.events.kinesis_event`` takes it; by default small
                      JSON objects. Shards and sequence numbers are drawn.
    ``ledger``, ``dead_letters``  in place of the consumer's own, which are not touched; by default new ones in memory,
                      where the consumer has any. A ``TransactionalHandler`` uses its consumer's own ledger, because its
                      transactions come from there: give it a file or a table of its own.
    ``answer``        as for ``on_lambda``; by default what the mapping needs.
    ``timeout``       the function's, in seconds of virtual time, at least 1.
    ``fact``          where the handler has an ``idempotency_key``: what tells records apart that are not one and the same,
                      put twice. By default the partition key and the payload.
    ``runtime``       what runs the consumer, for tests of another than ``on_lambda``.

    A handler that draws random numbers or looks at the time makes histories of its own. Raises ``ConfigurationError``
    for a consumer that cannot work, for an argument that is none, and in a running event loop; ``TypeError`` for what is
    no record. What its handler's ``open`` raises is a violation.
    """
    check_given(consumer, mapping=mapping, faults=faults, seed=seed, timeout=timeout, answer=answer)
    check_callable("runtime", runtime)
    if fact is not None:
        check_callable("fact", fact)
    random = Random(seed)  # noqa: S311 - reproducible is what it must be
    clock = SimulatedClock()
    faults = Faults.drawn(random) if faults is None else faults
    setup = _Setup(consumer, ledger, dead_letters, clock)
    if mapping is None:
        mapping = draw_mapping(random, blocks=not setup.parks)
    stream = build_stream(
        random,
        draw_records(random) if records is None else records,
        faults,
        # Stores that are kept must not mix histories, not even two of the same seed.
        arn=f"arn:aws:kinesis:us-east-1:000000000000:stream/simulated-{seed}-{uuid4().hex}",
        now=clock.time(),
        fact=fact,
    )
    trace = Trace()
    truth = Truth(stream, trace, ordered=setup.ordered, once=setup.mode == "transactional")
    world = World(random, faults, clock, trace, timeout=timeout)
    if answer is None:
        answer = "partial" if mapping.report_batch_item_failures else "raise"
    build = partial(runtime, setup.watched(world, truth), answer, clock, random.uniform)
    function = Function(world, truth, build, timeout=timeout, raises=answer == "raise")
    try:
        Poller(world, truth, stream, mapping, function).run()
    finally:
        function.close()
        setup.close()
    if dead_letters is not None and stored_letters.tells(dead_letters):
        stored_letters.check(dead_letters, truth)
    promises = Promises(setup.mode, consumer.save_every, workers=setup.workers, one_by_one=not setup.batches)
    return judged(
        truth,
        promises,
        seed=seed,
        mapping=mapping,
        faults=faults,
        happened=world.counts,
        left_out=[*_left_out(consumer, setup.workers, dead_letters)],
        trace=trace,
    )


def _left_out(consumer: Consumer, workers: int, dead_letters: DeadLetterSink | None) -> Iterator[str]:
    if consumer.max_workers > workers:
        yield f"max_workers={consumer.max_workers} counts as 1: threads would bring an order of their own"
    if dead_letters is not None and not stored_letters.tells(dead_letters):
        yield f"{type(dead_letters).__name__} has no letters to ask for, so nobody has looked whether it keeps what it takes"


class _Setup:
    """The consumer as it is simulated: with stores of its own, and everything watched."""

    def __init__(
        self, consumer: Consumer, ledger: Ledger | None, dead_letters: DeadLetterSink | None, clock: Clock
    ) -> None:
        self._consumer = consumer
        self._handler = consumer.build_handler()
        self._stage: Stage | None = None
        self.batches = isinstance(self._handler, BatchHandler)
        self._asynchronous = inspect.iscoroutinefunction(self._handler.process)
        self.workers = consumer.max_workers if self._asynchronous else 1
        if ledger is None and consumer.ledger is not None:
            transactional = isinstance(self._handler, TransactionalHandler)
            ledger = consumer.ledger if transactional else MemoryLedger(clock=clock)
        if dead_letters is None and consumer.dead_letters is not None:
            dead_letters = MemoryDeadLetters()
        self._ledger = ledger
        self._dead_letters = dead_letters
        mode = mode_of(replace(consumer, ledger=ledger, dead_letters=dead_letters), self._handler)
        self.mode: LedgerMode | None = None if ledger is None else mode

    @property
    def parks(self) -> bool:
        """Whether a record that can never succeed comes to an end."""
        if self._dead_letters is None:
            return False
        return not self.batches or self._consumer.retry.exhausted == "dead_letter"

    @property
    def ordered(self) -> bool:
        # A batch handler has all records in hand, and orders them itself.
        return self._consumer.ordering != "none" and not self.batches

    def watched(self, world: World, truth: Truth) -> Consumer:
        stage = self._stage = Stage(world, truth, exits=not self._asynchronous)
        ledger, letters = self._ledger, self._dead_letters
        if ledger is not None:
            if self.mode == "transactional":
                assert isinstance(ledger, TransactionalLedger)
                ledger = WatchedTransactionalLedger(ledger, world, truth)
            else:
                ledger = WatchedLedger(ledger, world, truth)

        def build() -> AnyHandler:
            inner = self._consumer.build_handler()
            return watched(inner, stage, asynchronous=self._asynchronous, beside_others=self.workers > 1)

        return replace(
            self._consumer,
            handler=build,
            ledger=ledger,
            dead_letters=None if letters is None else WatchedDeadLetters(letters, world, truth),
            max_workers=self.workers,
            telemetry=(Telling(world.trace), *self._consumer.watching()),
        )

    def close(self) -> None:
        """Closes each handler that was opened, also of processes that were killed: this process still holds it."""
        opened = [] if self._stage is None else self._stage.opened
        for handler in {id(handler): handler for handler in opened}.values():
            handler.close()
