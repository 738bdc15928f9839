"""The consumer: a handler and the policies it runs under, as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from kstream.core.agreement import check_policies
from kstream.core.errors import ConfigurationError
from kstream.core.given import check_number
from kstream.core.handler import BatchHandler, Handler, Lifecycle, TransactionalHandler
from kstream.core.ports import DeadLetterSink, Ledger
from kstream.core.retry import Retry
from kstream.core.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.breaker import CircuitBreaker
    from kstream.core.progress import Ordering

AnyHandler = Handler | TransactionalHandler[Any] | BatchHandler
HandlerSource = AnyHandler | Callable[[], AnyHandler]
HANDLERS = (Handler, TransactionalHandler, BatchHandler)
LedgerMode = Literal["sparse", "full", "transactional"]


@dataclass(frozen=True, slots=True)
class Consumer:
    """What to run over a stream's records, and how. Raises ``ConfigurationError`` for what cannot work.

    ``handler``          a subclass of ``Handler`` or ``BatchHandler``, an instance of one, or a function that makes one.
    ``name``             names this consumer in ledgers, dead letters and metrics; by default the handler's class name.
                         Changing it makes the ledger forget.
    ``ordering``         ``"shard"``: the first failure stops the batch. ``"partition_key"``: it stops its own key (for a
                         KPL aggregate, its outer key), the others go on. ``"none"``: everything goes on. An SQS queue keeps
                         an order of its own instead: see ``on_lambda``.
    ``retry``            what happens in place to an attempt that raised; see ``Retry``.
    ``breaker``          stops the batch while a dependency is down; see ``CircuitBreaker``.
    ``ledger``           remembers what is done beyond the checkpoint, so that redelivery does not run it again. Without
                         one, the runtime may give it the ledger of ``KSTREAM_LEDGER``.
    ``mode``             ``"sparse"``: written once, when a batch is left unfinished. ``"full"``: after every record.
                         ``"transactional"``: with each effect, in its transaction. The default is ``"transactional"``
                         for a ``TransactionalHandler`` and ``"sparse"`` for any other.
    ``save_every``       in sparse mode also save after this many records, to bound what a crash repeats.
    ``dead_letters``     where poison records go, with their payload. Without a sink they count as failed.
    ``max_workers``      keys processed side by side: threads, or tasks of one event loop for ``async def process``.
    ``telemetry``        who watches, one or several, in place of what the runtime would give it; ``()`` for nobody. See
                         ``Telemetry``.
    ``deadline_margin``  seconds before the deadline at which no further record is started (at most a fifth of the time
                         that an invocation has).
    """

    handler: HandlerSource
    name: str = field(default="", kw_only=True)
    ordering: Ordering = field(default="shard", kw_only=True)
    retry: Retry = field(default_factory=Retry, kw_only=True)
    breaker: CircuitBreaker | None = field(default=None, kw_only=True)
    ledger: Ledger | None = field(default=None, kw_only=True)
    mode: LedgerMode | None = field(default=None, kw_only=True)
    save_every: int | None = field(default=None, kw_only=True)
    dead_letters: DeadLetterSink | None = field(default=None, kw_only=True)
    max_workers: int = field(default=1, kw_only=True)
    telemetry: Telemetry | Sequence[Telemetry] | None = field(default=None, kw_only=True)
    deadline_margin: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        _check_handler(self.handler)
        if not self.name:
            object.__setattr__(self, "name", _name_of(self.handler))
        if self.ordering not in ("shard", "partition_key", "none"):
            raise ConfigurationError(f"ordering={self.ordering!r}: it is 'shard', 'partition_key' or 'none'")
        if self.mode not in (None, "sparse", "full", "transactional"):
            raise ConfigurationError(f"mode={self.mode!r}: it is 'sparse', 'full' or 'transactional'")
        check_number("Consumer(max_workers", self.max_workers, least=1, whole=True)
        check_number("Consumer(deadline_margin", self.deadline_margin, least=0, what="seconds")
        _check_name(self.name)
        _check_policies(self.retry, self.breaker)
        self._check_ledger()
        if self.dead_letters is not None and not _is_instance_of(self.dead_letters, DeadLetterSink):
            raise ConfigurationError(
                f"dead_letters={self.dead_letters!r} is not a sink: give one, such as DirectoryDeadLetters(path)"
            )
        _check_synchronous("dead_letters", self.dead_letters, ("put",))
        self._check_telemetry()
        if isinstance(self.handler, (*HANDLERS, type)):  # of what a function makes it is told when it is made
            check_policies(self, self.handler)

    def _check_ledger(self) -> None:
        if self.ledger is not None and not _is_instance_of(self.ledger, Ledger):
            raise ConfigurationError(f"ledger={self.ledger!r} is not a ledger: give one, such as SQLiteLedger(path)")
        _check_synchronous("ledger", self.ledger, ("load", "save", "load_keys", "save_keys"))
        if self.save_every is not None:
            check_number("Consumer(save_every", self.save_every, least=1, whole=True, what="records")
        if self.save_every is not None and self.mode in ("full", "transactional"):
            raise ConfigurationError(
                f"save_every={self.save_every} with mode={self.mode!r}, which writes after every record: leave one out"
            )

    def _check_telemetry(self) -> None:
        given = self.telemetry
        if given is None:
            return
        watching = (given,) if isinstance(given, Telemetry) else given
        if not isinstance(watching, list | tuple) or not all(isinstance(one, Telemetry) for one in watching):
            raise ConfigurationError(
                f"telemetry={given!r} is no telemetry: give an instance of a subclass of kstream.Telemetry, or several"
            )
        for one in watching:
            _check_synchronous("telemetry", one, Telemetry.EVENTS)
            _check_times(one)
        object.__setattr__(self, "telemetry", tuple(watching))

    def watching(self, default: Sequence[Telemetry] = ()) -> Sequence[Telemetry]:
        """Who watches: those given, or ``default``."""
        if self.telemetry is None:
            return default
        return (self.telemetry,) if isinstance(self.telemetry, Telemetry) else self.telemetry

    def build_handler(self) -> AnyHandler:
        """The handler itself: the given instance, or a new one from the given class or function."""
        source = self.handler
        if isinstance(source, HANDLERS):
            return source
        try:
            inspect.signature(source).bind()
        except TypeError as error:  # of the call; one that its code raises is not for us to word
            raise ConfigurationError(
                f"{self.name} cannot be built: {error}. Give Consumer an instance, or a function that makes one"
            ) from error
        except ValueError:
            pass  # a callable in C that has no signature to look at
        built = source()
        if not isinstance(built, HANDLERS):
            raise ConfigurationError(f"{self.name}: {source!r} made {built!r}, which is not a handler")
        return built


def _check_handler(source: object) -> None:
    if isinstance(source, HANDLERS):
        return
    if isinstance(source, type):
        if not issubclass(source, HANDLERS):
            raise ConfigurationError(
                f"{source.__name__} is not a handler: make it a subclass of kstream.Handler and give it process(record)"
            )
        if inspect.isabstract(source):
            raise ConfigurationError(f"{source.__name__} has no process(): define it, as def or async def")
    elif not callable(source):
        raise ConfigurationError(
            f"Consumer({source!r}): give a subclass of kstream.Handler, an instance of one, or a function that makes one"
        )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isprintable():
        raise ConfigurationError(
            f"name={name!r}: text that can be printed, for it names tables' items, files and metrics"
        )


def _check_times(telemetry: Telemetry) -> None:
    """What it asks for is compared with on every attempt: there it would be the record that fails."""
    name, rate, slow = type(telemetry).__name__, telemetry.sample_rate, telemetry.slow_after
    if rate is not None and not (_is_number(rate) and 0 <= rate <= 1):
        raise ConfigurationError(
            f"{name}.sample_rate={rate!r}: a share of records, 0 to 1, or None for no times at all"
        )
    if not (_is_number(slow) and slow >= 0):
        raise ConfigurationError(f"{name}.slow_after={slow!r}: seconds, at least 0, or math.inf for never")


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _check_synchronous(policy: str, store: object, methods: Sequence[str]) -> None:
    for method in methods:
        if inspect.iscoroutinefunction(getattr(store, method, None)):
            raise ConfigurationError(
                f"{policy}={store!r}: its {method} is async def, which nobody would await: make it def"
            )


def _check_policies(retry: object, breaker: object) -> None:
    if not isinstance(retry, Retry):
        raise ConfigurationError(f"retry={retry!r}: give a policy such as Retry(attempts=5)")
    if breaker is None:
        return
    from kstream.core.breaker import CircuitBreaker  # for the few that have one

    if not isinstance(breaker, CircuitBreaker):
        raise ConfigurationError(f"breaker={breaker!r}: give a policy such as CircuitBreaker(failures=10)")


def _is_instance_of(given: object, port: type) -> bool:
    # A class has the methods too, but cannot be called as its instance is.
    return isinstance(given, port) and not isinstance(given, type)


def _name_of(source: object) -> str:
    if isinstance(source, partial):
        return _name_of(source.func)
    if isinstance(source, Lifecycle):
        return type(source).__name__
    name = str(getattr(source, "__name__", type(source).__name__))
    if name == "<lambda>":
        # Two consumers of that name would take each other's records for done.
        raise ConfigurationError("a consumer made by a lambda has no name of its own: give name=, or a named function")
    return name
