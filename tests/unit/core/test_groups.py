"""Groups of errors: what they stand for, and what they count as."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.breaker import CircuitBreaker
from kstream.core.consumer import Consumer
from kstream.core.errors import Reject
from kstream.core.groups import alone, is_any_of
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from tests.support.processing import Letters, batch, entry, processor_of


@pytest.mark.parametrize(
    ("error", "stands_for"),
    [
        (ExceptionGroup("one", [OSError("down")]), OSError),
        (ExceptionGroup("nested", [ExceptionGroup("one", [Reject("no")])]), Reject),
        (ExceptionGroup("rejects", [Reject("no"), Reject("neither")]), Reject),
        (ExceptionGroup("mixed", [Reject("no"), OSError("down")]), ExceptionGroup),
        (OSError("down"), OSError),
    ],
    ids=["one", "nested", "rejects", "mixed", "none"],
)
def test_a_group_of_errors_stands_for_its_only_one_or_for_nothing_but_rejects(
    error: Exception, stands_for: type[Exception]
) -> None:
    """So a dependency that is down opens the circuit, and poison is set aside, also from within a task group."""
    assert type(alone(error)) is stands_for


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (OSError("down"), True),
        (ConnectionError("down"), True),
        (ValueError("no"), False),
        (ExceptionGroup("mixed", [ValueError("no"), ConnectionError("down")]), True),
        (ExceptionGroup("nested", [ValueError("no"), ExceptionGroup("", [KeyError(), OSError("down")])]), True),
        (ExceptionGroup("others", [ValueError("no"), KeyError()]), False),
    ],
    ids=["it", "a kind of it", "another", "mixed", "nested", "others"],
)
def test_a_group_is_of_a_kind_if_any_error_in_it_is(error: Exception, counts: bool) -> None:
    assert is_any_of(error, (OSError,)) is counts


class Mixed(Handler):
    """Its database is down, and something else fails beside it, so often; then the record shows as poison, if it is."""

    def __init__(self, times: int, then: Exception | None = None) -> None:
        self.times = times
        self.then = then
        self.attempts = 0

    def process(self, record: Any) -> None:
        self.attempts += 1
        if self.attempts <= self.times:
            raise ExceptionGroup("several", [ValueError("another"), ConnectionError("down")])
        if self.then is not None:
            raise self.then


def test_a_mixed_group_opens_the_circuit_and_blames_no_record() -> None:
    handler, letters = Mixed(9), Letters()
    retry = Retry(attempts=5, base=0, exhausted="dead_letter")
    consumer = Consumer(handler, breaker=CircuitBreaker(failures=2), retry=retry, dead_letters=letters)
    outcome = processor_of(consumer).process(batch(entry(1), entry(2)))
    assert (outcome.unfinished, outcome.failed, handler.attempts, letters.stored) == (2, 0, 2, [])


@pytest.mark.parametrize("poison", [False, True])
def test_a_mixed_group_is_worth_a_retry_and_what_is_left_of_it_answers_for_itself(poison: bool) -> None:
    letters = Letters()
    handler = Mixed(1, Reject("poison") if poison else None)
    consumer = Consumer(handler, retry=Retry(attempts=3, base=0, on=(ConnectionError,)), dead_letters=letters)
    outcome = processor_of(consumer).process(batch(entry(1)))
    assert outcome.complete
    assert (outcome.retried, outcome.dead_lettered, handler.attempts) == (1, int(poison), 2)
