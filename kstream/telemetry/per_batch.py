"""Telemetry that looks at each batch once, when it is over."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from kstream.core.telemetry import Telemetry
from kstream.telemetry.numbers import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.outcome import Outcome
    from kstream.core.telemetry import BatchContext
    from kstream.telemetry.numbers import Numbers

Ended = Literal["finished", "interrupted", "deadline"]


@dataclass(frozen=True, slots=True, eq=False)
class BatchNumbers:
    """A batch that is over. ``error`` is the name of what interrupted it, if that is how it ``ended``."""

    context: BatchContext
    outcome: Outcome
    numbers: Numbers
    ended_at: float
    ended: Ended
    error: str | None = None


class PerBatch(Telemetry, ABC):
    """Calls ``measured`` once for each batch that had records: at its end, its interruption or its deadline, whichever
    comes first. What a handler does beyond a deadline is in no numbers: nobody may be left to tell them.

    ``time`` is the clock that the batches' ``started_at`` comes from, in seconds since the epoch. Thread-safe.
    """

    def __init__(self, time: Callable[[], float] = time.time) -> None:
        self._time = time
        self._untold: BatchContext | None = None
        self._telling = threading.Lock()

    @abstractmethod
    def measured(self, batch: BatchNumbers) -> None: ...

    def batch_started(self, context: BatchContext) -> None:
        with self._telling:
            self._untold = context

    def batch_finished(self, outcome: Outcome) -> None:
        self._over(outcome, "finished")

    def batch_interrupted(self, outcome: Outcome, error: BaseException) -> None:
        self._over(outcome, "interrupted", type(error).__name__)

    def deadline_passed(self, context: BatchContext, outcome: Outcome) -> None:
        # Whoever would have noticed it is stuck. If this is the last that is heard, an alarm must find it.
        self._over(replace(outcome, out_of_time=True), "deadline", of=context)

    def _over(
        self, outcome: Outcome, ended: Ended, error: str | None = None, *, of: BatchContext | None = None
    ) -> None:
        with self._telling:
            if of is not None and of is not self._untold:
                return  # told late, and of a batch that is over: these numbers are not those of the one in hand
            context, self._untold = self._untold, None
        if context is not None and context.batch.outers:
            ended_at = self._time()
            self.measured(BatchNumbers(context, outcome, measure(context, outcome, ended_at), ended_at, ended, error))
