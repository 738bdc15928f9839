"""A consumer at work on this machine: what it names none of is given to it, and a runner delivers to it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from kstream.aws.clients import client
from kstream.aws.shards import KinesisReader
from kstream.cli.tally import Tally
from kstream.local.locks import held
from kstream.local.on_failure import OnFailureFile
from kstream.runtimes.defaults import with_defaults
from kstream.runtimes.local import LocalRunner
from kstream.runtimes.watching import default_telemetry
from kstream.stores.checkpoints import SQLiteCheckpoints
from kstream.stores.sqlite import SQLiteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kstream.cli.connection import Connection
    from kstream.core.mapping import EventSourceMapping
    from kstream.core.telemetry import Telemetry
    from kstream.local.state_dir import StateDir
    from kstream.runtimes.aws_lambda import LambdaHandler
    from kstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Function:
    """How the function runs, beside its mapping: its ``timeout`` in seconds, and whether its runner hurries."""

    timeout: float = 60.0
    hurry: bool = False


class Consuming:
    """A context manager: holds the consumer's name in this state directory, so that no second one reads beside it.

    ``runner`` is there inside. The handler stays the author's own object; only the ledger and the dead letters that its
    consumer does not name are set, from the settings or else in the state directory. ``tally`` counts what it does, and
    ``watch`` adds others who look on.
    """

    runner: LocalRunner

    def __init__(
        self,
        handler: LambdaHandler,
        where: Connection,
        mapping: EventSourceMapping,
        function: Function,
        state_dir: StateDir,
        settings: Settings,
    ) -> None:
        self._handler = handler
        self._where = where
        self._mapping = mapping
        self._function = function
        self._state_dir = state_dir
        self._stack = ExitStack()
        self.name = handler.consumer.name
        self.tally = Tally()
        self.defaults = list(self._complete(settings))

    def _complete(self, settings: Settings) -> Iterator[str]:
        """Gives the consumer what it lacks, and says what that is."""
        consumer, state_dir = self._handler.consumer, self._state_dir
        if consumer.ledger is None and settings.ledger is None:
            settings = settings._replace(ledger=f"sqlite:{state_dir.ledger}")
            yield f"ledger in {state_dir.ledger}"
        if consumer.dead_letters is None and settings.dead_letters is None:
            settings = settings._replace(dead_letters=f"dir:{state_dir.dead_letters(self.name)}")
            yield f"dead letters in {state_dir.dead_letters(self.name)}"
        if self._mapping.maximum_retry_attempts != -1 or self._mapping.maximum_record_age != -1:
            yield f"discards told in {state_dir.on_failure(self.name)}"
        consumer = with_defaults(consumer, settings)
        self._handler.consumer = replace(
            consumer, telemetry=(self.tally, *consumer.watching(default_telemetry(settings)))
        )

    def watch(self, telemetry: Telemetry) -> None:
        """To be called before entering."""
        consumer = self._handler.consumer
        self._handler.consumer = replace(consumer, telemetry=(*consumer.watching(), telemetry))

    def __enter__(self) -> Self:
        busy = (
            f"the consumer {self.name} runs in {self._state_dir.path} already (process {{pid}}): two would process "
            "every record twice. Stop it, or give this one another --name or --state-dir"
        )
        with ExitStack() as stack:
            stack.enter_context(held(self._state_dir.consumer_lock(self.name), busy))
            ledger = self._handler.consumer.ledger
            if isinstance(ledger, SQLiteLedger):
                stack.callback(ledger.close)  # so that its file is left in one piece
            stack.callback(self._handler.close)
            self._handler.close()  # as it may have been built, it does not know what was added since
            self._handler.build()  # at once: what cannot work is told before anything is delivered to it
            self.runner = LocalRunner(
                self._handler,
                stream=self._where.stream,
                mapping=self._mapping,
                reader=KinesisReader(
                    client("kinesis", endpoint_url=self._where.endpoint_url, region=self._where.region)
                ),
                checkpoints=stack.enter_context(SQLiteCheckpoints(self._state_dir.checkpoints)),
                consumer_name=self.name,
                on_failure=OnFailureFile(self._state_dir.on_failure(self.name)),
                observer=self.tally.happened,
                timeout=self._function.timeout,
                hurry=self._function.hurry,
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
