"""A simulated consumer's telemetry: a line in the trace, and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Telemetry
    from kstream.core.record import Record
    from kstream.testing.simulator.trace import Trace


class Telling:
    def __init__(self, trace: Trace, inner: Telemetry | None) -> None:
        self._trace = trace
        self._inner = inner

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        self._trace.add(
            "{}:{} {} after {} attempt(s), {}",
            record.sequence_number,
            record.sub_sequence_number,
            "is parked" if parked else "failed",
            attempt,
            type(error).__name__,
        )
        if self._inner is not None:
            self._inner.record_failed(record, error, attempt=attempt, parked=parked)

    def ledger_failed(self, error: Exception) -> None:
        if self._inner is not None:
            self._inner.ledger_failed(error)

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        if self._inner is not None:
            self._inner.dead_letter_failed(record, error)

    def batch_finished(self, outcome: Outcome) -> None:
        if outcome.out_of_time:
            self._trace.add("out of time: {} record(s) unfinished", outcome.unfinished)
        if self._inner is not None:
            self._inner.batch_finished(outcome)
