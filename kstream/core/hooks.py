"""What a handler says about its own work: counts, times and notes, beside those that kstream makes by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from kstream.core.handler import Lifecycle
    from kstream.core.ports import Clock
    from kstream.core.shielded import Shielded


class Hooks:
    """A handler's ``self.telemetry``. Thread-safe. Raises nothing; does nothing where nobody watches.

    A handler that no consumer has taken up, as in a unit test of its own, has one that does nothing.
    """

    def __init__(self, telemetry: Shielded | None = None, clock: Clock | None = None) -> None:
        self._telemetry = telemetry
        self._clock = clock

    def count(self, name: str, value: float = 1) -> None:
        """Adds ``value`` to the metric ``name``, which is summed over the batch."""
        if self._telemetry is not None:
            self._telemetry.tell("count", name, value)

    def time(self, name: str) -> Stopwatch:
        """``with self.telemetry.time("lookup"):`` measures the block's seconds, also if it raises. In ``async def`` too."""
        return Stopwatch(self, name)

    def observe(self, name: str, seconds: float) -> None:
        """A time that was measured otherwise, in seconds."""
        if self._telemetry is not None:
            self._telemetry.tell("observe", name, seconds)

    def annotate(self, key: str, value: str | float | bool) -> None:
        """Notes a fact on the trace of what is in hand: of the record if it is traced, else of the batch."""
        if self._telemetry is not None:
            self._telemetry.tell("annotate", key, value)

    def now(self) -> float:
        """Monotonic seconds, of the consumer's clock."""
        return 0.0 if self._clock is None else self._clock.monotonic()


def give(handler: Lifecycle, hooks: Hooks) -> None:
    """Puts them where the handler looks for them, unless it has something of its own by that name.

    Past the handler's own ``__setattr__``, which may refuse, as a frozen dataclass does.
    """
    if isinstance(handler.telemetry, Hooks):
        object.__setattr__(handler, "telemetry", hooks)


class Stopwatch:
    """One block's time. Used once."""

    def __init__(self, hooks: Hooks, name: str) -> None:
        self._hooks = hooks
        self._name = name
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = self._hooks.now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hooks.observe(self._name, self._hooks.now() - self._began)
