"""A simulated consumer's telemetry: lines in the trace of its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.core.telemetry import Telemetry

if TYPE_CHECKING:
    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.testing.simulator.trace import Trace


class Telling(Telemetry):
    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        self._trace.add(
            "{}:{} {} after {} attempt(s), {}",
            record.sequence_number,
            record.sub_sequence_number,
            "is parked" if parked else "failed",
            attempt,
            type(error).__name__,
        )

    def batch_finished(self, outcome: Outcome) -> None:
        if outcome.out_of_time:
            self._trace.add("out of time: {} record(s) unfinished", outcome.unfinished)
