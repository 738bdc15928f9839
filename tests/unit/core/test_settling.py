"""The steps that settle failures, one at a time, without anybody to perform them."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import DeadLetterError, Reject
from kstream.core.incidents import Incidents
from kstream.core.progress import DONE, FAILED, PARKED, PENDING, Progress
from kstream.core.retry import Retry
from kstream.core.settling import Again, Park, Settling
from kstream.core.shielded import Shielded
from kstream.core.watch import Watch
from kstream.testing.clock import VirtualClock
from tests.support.processing import Inline, Letters, Script, Telling, batch, entry


class Case:
    def __init__(self, records: int, *, deadline: float = float("inf"), **policies: Any) -> None:
        self.clock, self.told = VirtualClock(1_000), Telling()
        self.incidents = Incidents(Shielded([self.told]))
        consumer = Consumer(Inline(Script()), name="settles", ordering="none", **policies)
        self.progress = Progress(batch(*(entry(number) for number in range(records))), "none")
        self.settling = Settling(
            consumer,
            self.progress,
            clock=self.clock,
            deadline=deadline,
            uniform=lambda low, high: high,
            incidents=self.incidents,
            watch=Watch(self.progress, self.clock),
        )

    @property
    def states(self) -> list[int]:
        return list(self.progress.states)


def test_several_records_share_each_pause_and_drop_out_one_by_one() -> None:
    case = Case(4, retry=Retry(attempts=3, base=1, exhausted="dead_letter"), dead_letters=Letters())
    error = OSError("down")
    steps = case.settling.steps({0: error, 1: error, 2: Reject("no"), 3: error})

    step = next(steps)
    assert isinstance(step, Park)
    assert (step.letter.record.sequence_number, step.letter.reason, step.letter.attempts) == ("2", "no", 1)
    assert case.states == [PENDING] * 4, "only a stored letter settles"
    assert steps.send(None) == Again(1, (0, 1, 3), 2)
    assert case.states == [PENDING, PENDING, PARKED, PENDING]

    case.clock.advance(1)
    assert steps.send({1: error, 3: error}) == Again(2, (1, 3), 3)
    assert case.states == [DONE, PENDING, PARKED, PENDING]

    case.clock.advance(2)
    step = steps.send({3: error})
    assert isinstance(step, Park)
    assert (step.letter.attempts, step.letter.error_type, step.letter.reason) == (3, "OSError", "down")
    assert step.letter.first_attempt_at.timestamp() == 1_000
    assert step.letter.last_attempt_at.timestamp() == 1_003
    with pytest.raises(StopIteration):
        steps.send(DeadLetterError("full"))
    assert case.states == [DONE, DONE, PARKED, FAILED]
    assert case.incidents.retried == 5
    assert case.told.refused == [(3, 0)]
    assert case.told.failed == [((2, 0), "Reject", 1, True), ((3, 0), "OSError", 3, False)]


def test_an_error_that_is_not_worth_a_retry_is_used_up_at_once() -> None:
    case = Case(1, retry=Retry(attempts=9, on=(OSError,)))
    assert list(case.settling.steps({0: ValueError("bad")})) == []
    assert case.states == [FAILED]


def test_a_pause_that_would_end_at_the_deadline_is_not_begun() -> None:
    case = Case(1, retry=Retry(base=1, cap=1), deadline=1)
    assert list(case.settling.steps({0: OSError()})) == []
    assert (case.states, case.progress.out_of_time) == ([PENDING], True)
    sooner = Case(1, retry=Retry(base=1, cap=1), deadline=1.001)
    assert next(sooner.settling.steps({0: OSError()})) == Again(1, (0,), 2)


class Bare(Reject):
    """A subclass that does not call its base's ``__init__``."""

    def __init__(self, amount: int) -> None:
        self.amount = amount


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("down"), "down"),
        (OSError(), "OSError"),
        (Reject("negative"), "negative"),
        (Reject(""), "Reject"),
        (Reject(ValueError("seven")), "seven"),  # type: ignore[arg-type]
        (Bare(3), "3"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "'utf-8' codec can't decode byte 0xff in position 0: bad"),
    ],
    ids=repr,
)
def test_the_reason_is_text_whatever_was_raised(error: Exception, reason: str) -> None:
    case = Case(1, retry=Retry(attempts=1, exhausted="dead_letter"), dead_letters=Letters())
    step = next(case.settling.steps({0: error}))
    assert isinstance(step, Park)
    assert step.letter.reason == reason
    step.letter.to_json()
