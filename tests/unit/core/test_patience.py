"""How long a store may wait, and calls that are given up when that is over."""

from __future__ import annotations

import contextvars
import threading
from math import inf

import pytest

from kstream.core.patience import ENDLESS, LAST_MOMENT, Patience
from kstream.core.timely import call_within


def test_a_wait_takes_half_of_what_is_left_and_a_last_moment_in_any_case() -> None:
    left = [10.0]
    patience = Patience(lambda: left[0])
    assert (patience.seconds(), patience.seconds(3), patience.seconds(0)) == (5.0, 3, 0)
    left[0] = -1
    assert (patience.seconds(), patience.seconds(0.01)) == (LAST_MOMENT, 0.01)
    assert (ENDLESS.seconds(), ENDLESS.seconds(5)) == (inf, 5)


HOUSE = contextvars.ContextVar("house", default="none")


@pytest.mark.parametrize("seconds", [60.0, inf])
def test_a_call_that_is_in_time_answers_as_it_would(seconds: float) -> None:
    HOUSE.set("red")
    assert call_within(seconds, HOUSE.get) == "red"

    def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        call_within(seconds, fails)
    with pytest.raises(SystemExit):
        call_within(seconds, lambda: (_ for _ in ()).throw(SystemExit))


def test_without_a_deadline_no_thread_is_needed() -> None:
    assert call_within(inf, threading.get_ident) == threading.get_ident()


def test_what_a_call_that_was_given_up_returns_is_discarded_once() -> None:
    go_on, discarded = threading.Event(), threading.Event()
    results: list[str] = []

    def call() -> str:
        assert go_on.wait(60)
        return "late"

    def discard(result: str) -> None:
        results.append(result)
        discarded.set()

    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        call_within(0.01, call, discard=discard)
    go_on.set()
    assert discarded.wait(60)
    assert results == ["late"]
