"""What CloudWatch reads out of the documents of any history is what each batch came to, and nothing changes for it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from kstream import metrics
from kstream.core.telemetry import Telemetry
from kstream.telemetry.metrics import Metrics
from kstream.testing.simulator import simulate
from kstream.testing.simulator.simulation import lambda_runtime
from tests.simulation import histories
from tests.simulation.histories import FACTORS, MODES, history, numbers
from tests.support.cloudwatch import read, total, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.consumer import Consumer
    from kstream.core.outcome import Outcome
    from kstream.core.ports import Clock
    from kstream.core.telemetry import BatchContext
    from kstream.runtimes.aws_lambda import Answer
    from kstream.testing.simulator.simulation import Environment
    from tests.support.cloudwatch import Point

OURS = {metric.name for metric in metrics.ALL}


class Checking(Telemetry):
    """Holds each batch's outcome against what CloudWatch made of the documents that were written since the last."""

    def __init__(self, lines: list[str], clock: Clock, checked: list[Outcome]) -> None:
        self._lines = lines
        self._clock = clock
        self._checked = checked
        self._context: BatchContext | None = None

    def batch_started(self, context: BatchContext) -> None:
        self._context = context

    def batch_finished(self, outcome: Outcome) -> None:
        context = self._context
        assert context is not None
        points = [point for line in self._lines for point in read(line)]
        self._lines.clear()
        assert len(points) == len(OURS), "one document for each batch"
        assert {point.series.name for point in points} == OURS
        for metric in metrics.COUNTS:
            assert metric.field is not None
            assert total(points, metric.name) == getattr(outcome, metric.field), metric.name
        self._check_times(context, outcome, points)
        stream = context.scope.stream_arn.rpartition("/")[2]
        dimensions = (("service", "simulated"), ("stream", stream), ("consumer", context.scope.consumer))
        assert {point.series.dimensions for point in points} == {dimensions}
        self._checked.append(outcome)

    def _check_times(self, context: BatchContext, outcome: Outcome, points: list[Point]) -> None:
        arrivals = {record.sequence_number: record.arrived_at.timestamp() for record in context.batch.outers}
        now = self._clock.time()
        ages = sorted(max(0.0, context.started_at - record.arrived_at.timestamp()) for record in context.batch.outers)
        assert values(points, "RecordAge") == pytest.approx([age * 1000 for age in ages], abs=0.01)
        lagging = context.batch.outers[-1].sequence_number if outcome.checkpoint is None else outcome.checkpoint
        assert values(points, "CheckpointLag") == pytest.approx([max(0, now - arrivals[lagging]) * 1000], abs=0.01)
        assert values(points, "BatchDuration") == pytest.approx([(now - context.started_at) * 1000], abs=0.01)


def runtime(
    consumer: Consumer,
    answer: Answer,
    clock: Clock,
    uniform: Callable[[float, float], float],
    *,
    checked: list[Outcome],
    faults: list[BaseException],
) -> Environment:
    # Each process has its own, as on Lambda: several may be at work at once.
    lines: list[str] = []

    class Loud(Checking):
        def batch_finished(self, outcome: Outcome) -> None:
            try:
                super().batch_finished(outcome)
            except BaseException as error:  # the core would log it, and go on
                faults.append(error)

    watching = (
        *consumer.watching(),
        Metrics(service="simulated", write=lines.append, time=clock.time),
        Loud(lines, clock, checked),
    )
    return lambda_runtime(replace(consumer, telemetry=watching), answer, clock, uniform)


def check(number: int, monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    checked: list[Outcome] = []
    faults: list[BaseException] = []
    without = history(number).run()
    with monkeypatch.context() as patch:
        patch.setattr(
            histories, "simulate", partial(simulate, runtime=partial(runtime, checked=checked, faults=faults))
        )
        report = history(number).run()
    for fault in faults[:1]:
        raise AssertionError(f"history {number}") from fault
    assert _without_ids(str(report.trace)) == _without_ids(str(without.trace)), f"history {number}"
    return checked


def _without_ids(trace: str) -> str:
    return re.sub(r"simulated-\d+-[0-9a-f]{32}", "", trace)


@pytest.mark.parametrize("mode", MODES)
def test_the_documents_of_every_history_tell_its_outcomes(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Outcome] = []
    random = Random(mode)
    chunk = [number for factor in FACTORS for number in numbers(mode, factor, 1)]
    for number in random.sample(chunk, 40):
        outcomes += check(number, monkeypatch)
    # A world in which nothing happens would prove nothing.
    for field in ("done", "failed", "unfinished", "retried", "rejected", "dead_lettered"):
        assert sum(getattr(outcome, field) for outcome in outcomes) > 20, field
    if mode != "none":
        assert sum(outcome.skipped for outcome in outcomes) > 20
        assert sum(outcome.ledger_failures for outcome in outcomes) > 20
