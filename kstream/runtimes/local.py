"""The local runner: Lambda's event source mapping, for a Kinesis stream and a function on this machine.

It reads every shard of a stream through a ``StreamReader``, parent before child, and hands real Lambda events to the
function's own ``lambda_handler``; ``kstream.core.delivery`` decides what is delivered when. Delivery is at least once:
the stored checkpoint passes a record only once it is settled, so what was in work when the runner died comes again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.runtimes.bounded_log import BoundedLog
from kstream.runtimes.invocation_pool import InvocationPool
from kstream.runtimes.session import OnFailure, Session, Setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.delivery.backoff import Backoff
    from kstream.core.mapping import EventSourceMapping
    from kstream.core.ports import Clock
    from kstream.core.shards import StreamReader
    from kstream.runtimes.invocation import LambdaHandler
    from kstream.runtimes.runner_events import Observer
    from kstream.stores.checkpoints import Checkpoints

__all__ = ["LocalRunner", "OnFailure"]

_log = logging.getLogger(__name__)

# ``stop`` and ``until`` are heard within this time.
_LONGEST_REST_S = 0.1
_SHORTEST_REST_S = 0.001


class LocalRunner:
    """Delivers ``stream`` to ``lambda_handler`` as ``mapping`` says.

    ``consumer_name``  whose checkpoints these are; also the function's name in events and messages. One runner at a
                       time: two of the same name deliver everything twice.
    ``on_failure``     gets AWS's on-failure message for records that the mapping gives up, and returns once it is
                       durable. If it raises, the records stay where they are, and it is called again after a backoff.
                       Without one they are given up with a line in the log, as AWS does without a destination.
    ``observer``       is told what happens; see ``kstream.runtimes.runner_events``.
    ``timeout``        the function's, in seconds. A handler that takes longer has failed, but cannot be cut short.
    ``concurrency``    invocations at a time. 1 by default, because the handler is one object, and on Lambda an
                       environment runs one invocation at a time. With more, the handler must be thread-safe; shards,
                       and lanes where the mapping's parallelization factor is above 1, are then worked side by side.
    ``hurry``          read without Lambda's pauses: an idle shard every 50 ms, a busy one without a stop.
    ``backoff``        before a failed batch is delivered again; see ``kstream.core.delivery.backoff``.

    Raises ``ConfigurationError`` for a mapping with a tumbling window, which it does not deliver. ``stop`` and the
    properties are thread-safe. ``run`` is called from one thread; it may be called again after it returned, and goes on
    where it was, but not after ``stop``.
    """

    def __init__(
        self,
        lambda_handler: LambdaHandler,
        *,
        stream: str,
        mapping: EventSourceMapping,
        reader: StreamReader,
        checkpoints: Checkpoints,
        consumer_name: str,
        clock: Clock | None = None,
        on_failure: OnFailure | None = None,
        observer: Observer | None = None,
        timeout: float = 60.0,
        concurrency: int = 1,
        hurry: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        if mapping.tumbling_window:
            raise ConfigurationError("the local runner does not deliver tumbling windows; set tumbling_window=0")
        if timeout <= 0:
            raise ConfigurationError(f"timeout is {timeout}; it is a number of seconds above 0")
        if concurrency < 1:
            raise ConfigurationError(f"concurrency is {concurrency}; it is 1 or more")
        if clock is None:
            from kstream.clock import SystemClock

            clock = SystemClock()
        self._setup = Setup(
            lambda_handler=lambda_handler,
            stream=stream,
            mapping=mapping,
            reader=reader,
            checkpoints=checkpoints,
            consumer_name=consumer_name,
            clock=clock,
            on_failure=on_failure,
            observer=observer,
            timeout=timeout,
            concurrency=concurrency,
            hurry=hurry,
            backoff=backoff,
        )
        self._failures = BoundedLog(_log)
        self._session: Session | None = None
        self._stop = threading.Event()
        self._caught_up = False

    def stop(self) -> None:
        """Lets ``run`` finish the batch in hand, store its checkpoint and return. Returns at once."""
        self._stop.set()

    @property
    def caught_up(self) -> bool:
        """As of the last turn, nothing was left to read, to deliver or to wait for.

        ``runner.run(until=lambda: runner.caught_up)`` works off what is in the stream.
        """
        return self._caught_up

    @property
    def failures(self) -> dict[str, int]:
        """How often what went wrong, by kind: exception classes, ``answer``, ``timeout``, ``on_failure``, ``observer``,
        ``ReadError``, and the conditions of discards that had no destination."""
        return self._failures.counts

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Delivers until ``stop`` is called or ``until()`` is true, which is asked often: between turns.

        Raises ``ConfigurationError`` if the stream does not exist or may not be read, ``ReadError`` if it cannot be
        reached at the start (later it waits and tries again), and ``CheckpointError`` if a checkpoint cannot be stored.
        """
        if self._stop.is_set():
            return
        # Kept only if this ends well: what an exception interrupted is delivered again, from the stored checkpoint.
        session, self._session = self._session or Session(self._setup, self._failures), None
        with InvocationPool(session.invoke, self._setup.concurrency, self._setup.clock) as pool:
            while not (self._stop.is_set() or (until is not None and until())):
                worked = session.turn(pool, self._stop.is_set)
                self._caught_up = session.caught_up
                if not worked:
                    self._rest(session, pool)
            while pool.in_flight:
                session.settle_finished(pool, _LONGEST_REST_S)
        self._session = session

    def _rest(self, session: Session, pool: InvocationPool) -> None:
        clock = self._setup.clock
        seconds = min(_LONGEST_REST_S, max(_SHORTEST_REST_S, session.next_step() - clock.time()))
        if pool.in_flight:
            session.settle_finished(pool, seconds)
        else:
            clock.sleep(seconds)
