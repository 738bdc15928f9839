"""``simulate``: one history of a consumer in a world where things go wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from kstream.core.handler import BatchHandler, TransactionalHandler
from kstream.core.ports import TransactionalLedger
from kstream.core.running import mode_of
from kstream.runtimes.aws_lambda import LambdaHandler
from kstream.settings import Settings
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.clock import VirtualClock
from kstream.testing.simulator.drawing import build_stream, draw_mapping, draw_records
from kstream.testing.simulator.faults import Faults
from kstream.testing.simulator.function import Function
from kstream.testing.simulator.poller import Poller
from kstream.testing.simulator.promises import Promises
from kstream.testing.simulator.report import judged
from kstream.testing.simulator.telling import Telling
from kstream.testing.simulator.trace import Trace
from kstream.testing.simulator.truth import Truth
from kstream.testing.simulator.watched_handler import Stage, watched
from kstream.testing.simulator.watched_stores import WatchedDeadLetters, WatchedLedger
from kstream.testing.simulator.watched_transactions import WatchedTransactionalLedger
from kstream.testing.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kstream.core.consumer import AnyHandler, Consumer, LedgerMode
    from kstream.core.mapping import EventSourceMapping
    from kstream.core.ports import Clock, DeadLetterSink, Ledger
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
    runtime: Runtime = lambda_runtime,
) -> Report:
    """Runs a consumer through one history of an event source mapping and the world around it. Deterministic.

    The real ``on_lambda`` runs the real events, in environments that crash, time out, and work side by side. Time is
    virtual; nothing sleeps, and no thread is started that the seed does not order: ``max_workers`` counts as 1.

    ``seed``          makes all choices. The same arguments and the same seed replay a history step by step.
    ``faults``        what goes wrong; by default drawn from the seed.
    ``mapping``       how it is delivered; by default drawn from the seed. It needs no tumbling window.
    ``records``       what is in the stream, each as ``kstream.testing.events.kinesis_event`` takes it; by default small
                      JSON objects. Shards and sequence numbers are drawn.
    ``ledger``, ``dead_letters``  in place of the consumer's own, which are not touched; by default new ones in memory,
                      where the consumer has any. A ``TransactionalHandler`` uses its consumer's own ledger, because its
                      transactions come from there: give it a file or a table of its own.
    ``answer``        as for ``on_lambda``; by default what the mapping needs.
    ``timeout``       the function's, in seconds of virtual time.
    ``runtime``       what runs the consumer, for tests of another than ``on_lambda``.

    A handler that draws random numbers or looks at the time makes histories of its own. Raises ``ConfigurationError``
    for a consumer that cannot work, and passes on what its handler's ``open`` raises.
    """
    random = Random(seed)  # noqa: S311 - reproducible is what it must be
    clock = VirtualClock()
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
    promises = Promises(setup.mode, consumer.save_every, one_by_one=not setup.batches)
    return judged(truth, promises, seed=seed, mapping=mapping, faults=faults, happened=world.counts, trace=trace)


class _Setup:
    """The consumer as it is simulated: with stores of its own, and everything watched."""

    def __init__(
        self, consumer: Consumer, ledger: Ledger | None, dead_letters: DeadLetterSink | None, clock: VirtualClock
    ) -> None:
        self._consumer = consumer
        self._handler = consumer.build_handler()
        self._built: list[AnyHandler] = []
        self.batches = isinstance(self._handler, BatchHandler)
        if ledger is None and consumer.ledger is not None:
            transactional = isinstance(self._handler, TransactionalHandler)
            ledger = consumer.ledger if transactional else MemoryLedger(clock=clock)
        if dead_letters is None and consumer.dead_letters is not None:
            dead_letters = MemoryDeadLetters()
        self._ledger = ledger
        self._dead_letters = dead_letters
        mode = mode_of(replace(consumer, ledger=ledger), self._handler)
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
        asynchronous = inspect.iscoroutinefunction(self._handler.process)
        stage = Stage(world, truth, exits=not asynchronous)
        ledger = self._ledger
        if ledger is not None:
            if self.mode == "transactional":
                assert isinstance(ledger, TransactionalLedger)
                ledger = WatchedTransactionalLedger(ledger, world, truth)
            else:
                ledger = WatchedLedger(ledger, world, truth)

        def build() -> AnyHandler:
            inner = self._consumer.build_handler()
            self._built.append(inner)
            return watched(inner, stage, asynchronous=asynchronous)

        return replace(
            self._consumer,
            handler=build,
            ledger=ledger,
            dead_letters=WatchedDeadLetters(self._dead_letters, world, truth) if self._dead_letters else None,
            max_workers=1,
            telemetry=Telling(world.trace, self._consumer.telemetry),
        )

    def close(self) -> None:
        """Closes each handler that was opened, also of processes that were killed: this process still holds it."""
        for handler in {id(handler): handler for handler in self._built}.values():
            handler.close()
