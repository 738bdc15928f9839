"""Alarms and the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.config import names
from deploy.config.fields import Complaint, Table, setting, settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring(Table):
    """An alarm is in force when ``datapoints`` of the last ``periods`` minutes are over its threshold.

    What is only told when a batch ends is looked at in longer steps, where a batch may take longer than a minute
    (``timeout_seconds``, ``batching_window``). Of records that are lost or set aside one data point is enough.
    """

    enabled: bool = setting(True, doc="Whether there are alarms and a dashboard")
    warn: tuple[str, ...] = setting((), doc="Topics that are told of every alarm", pattern=names.TOPIC_ARN, high=5)
    page: tuple[str, ...] = setting(
        (), doc="Topics that are told when records are at risk", pattern=names.TOPIC_ARN, high=5
    )
    periods: int = setting(
        5, doc="Minutes that are looked at (longer ones, where a batch may take longer)", low=1, high=60
    )
    datapoints: int = setting(3, doc="Minutes of them that must be over; one, for lost records", low=1, high=60)
    iterator_age_seconds: int = setting(60, doc="Warn when a consumer is so far behind", low=1, high=86_400)
    error_percent: float = setting(1, doc="Warn when so many invocations fail", low=0, high=100)
    duration_percent: int = setting(80, doc="Warn when a batch takes so much of the timeout", low=1, high=100)
    latency_ms: int = setting(1000, doc="Warn when a hundredth of the API's answers is slower", low=1, high=29_000)

    def complaints(self) -> Iterator[Complaint]:
        if self.datapoints > self.periods:
            yield "datapoints", f"is {self.datapoints}, more than periods = {self.periods}"

    def idle(self) -> Iterator[Complaint]:
        if not self.enabled:
            for name in settings_of(Monitoring):
                if name != "enabled":
                    yield name, "enabled is false"
