"""When to try again in place, how long to wait first, and what happens when that is used up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kstream.core.errors import ConfigurationError
from kstream.core.given import check_exception_types, check_number
from kstream.core.groups import is_any_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity.wait import wait_base

Exhausted = Literal["fail", "dead_letter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The policy for an attempt that raised something else than ``Reject``.

    ``attempts``   tries within one delivery, the first included; 1 means no retry.
    ``base``       seconds: the ceiling of the first pause; it doubles with each further one (full jitter below it).
    ``cap``        seconds: the ceiling never passes it.
    ``on``         the exception types worth a retry; others are used up at once. A group of several errors, as
                   ``asyncio.TaskGroup`` raises it, is worth one if any of them is.
    ``exhausted``  ``"fail"``: reported to the runtime, which delivers again. ``"dead_letter"``: parked, and settled; that
                   takes a consumer with dead letters.
    ``wait``       a tenacity wait strategy in place of ``base``, ``cap`` and jitter.

    A pause that would reach past the deadline is not begun: the record is then unfinished, not failed.
    """

    attempts: int = 3
    base: float = 0.1
    cap: float = 5.0
    on: tuple[type[Exception], ...] = (Exception,)
    exhausted: Exhausted = "fail"
    wait: wait_base | None = None

    def __post_init__(self) -> None:
        check_number("Retry(attempts", self.attempts, least=1, whole=True, what="the first try included")
        check_number("Retry(base", self.base, least=0, what="seconds")
        check_number("Retry(cap", self.cap, least=0, what="seconds")
        check_exception_types("Retry(on", self.on)
        if self.cap < self.base:
            raise ConfigurationError(f"Retry(base={self.base}, cap={self.cap}): 0 <= base <= cap, in seconds")
        if self.exhausted not in ("fail", "dead_letter"):
            raise ConfigurationError(f"Retry(exhausted={self.exhausted!r}): 'fail' or 'dead_letter'")
        if self.wait is not None and not callable(self.wait):
            raise ConfigurationError(f"Retry(wait={self.wait!r}): a tenacity wait strategy, such as wait_fixed(2)")

    def allows(self, error: BaseException, attempt: int) -> bool:
        """Whether attempt number ``attempt``, which raised ``error``, may be followed by another."""
        return attempt < self.attempts and is_any_of(error, self.on)

    def pause(self, error: BaseException, attempt: int, uniform: Callable[[float, float], float]) -> float:
        """Seconds to wait after failed attempt number ``attempt``. ``uniform(low, high)`` is the source of jitter."""
        # Imported when something failed for the first time: it costs more than the rest of kstream together.
        from tenacity import Future, RetryCallState, Retrying, wait_exponential

        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        state.outcome = Future.construct(attempt, error, has_exception=True)
        if self.wait is not None:
            return float(self.wait(state))
        return uniform(0, wait_exponential(multiplier=self.base, max=self.cap)(state))
