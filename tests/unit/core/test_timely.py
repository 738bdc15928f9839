"""Calls that are given up when their time is over."""

from __future__ import annotations

import contextvars
import threading
from math import inf

import pytest

from kstream.core import timely
from kstream.core.timely import call_within
from tests.support.processes import within_a_minute

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


def test_calls_that_hang_are_bounded_and_the_next_is_refused_until_one_of_them_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sink that hangs for ever would else cost a warm Lambda environment a thread for each letter."""
    monkeypatch.setattr(timely, "_room", threading.BoundedSemaphore(2))
    let_go, called = threading.Event(), []

    def hang() -> None:
        called.append(threading.current_thread())
        assert let_go.wait(60)

    try:
        for _ in range(2):
            with pytest.raises(TimeoutError, match="no answer"):
                call_within(0.01, hang)
        with pytest.raises(TimeoutError, match="earlier calls have not ended"):
            call_within(60, lambda: called.append(threading.current_thread()))
    finally:
        let_go.set()
    assert within_a_minute(lambda: not any(thread.is_alive() for thread in called))
    assert len(called) == 2
    for _ in range(5):
        assert call_within(60, lambda: 7) == 7


def test_a_thread_that_the_system_does_not_give_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(timely, "_room", threading.BoundedSemaphore(1))
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="can't start"):
                call_within(60, lambda: 7)
    assert call_within(60, lambda: 7) == 7
