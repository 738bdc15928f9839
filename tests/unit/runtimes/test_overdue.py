"""The thread that speaks up: once for each batch that is late, never of one that is over."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

import pytest

from kstream.runtimes.overdue import Overdue
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 3600.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the other thread is kept from running: only what never ends may be given up."""
    monkeypatch.setattr("kstream.runtimes.overdue._PATIENCE_S", 60.0)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kstream-overdue"]


class Calls:
    """Counts the calls; ``wait`` for the next."""

    def __init__(self, during: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._during = during
        self._called = threading.Semaphore(0)

    def __call__(self) -> None:
        self.count += 1
        self._called.release()
        self._during()

    def wait(self) -> None:
        assert self._called.acquire(timeout=60)


def test_what_is_late_is_told_once_each_time() -> None:
    late = Calls()
    overdue = Overdue(late)
    for expected in (1, 2, 3):
        overdue.set(0.0)
        late.wait()
        overdue.clear()
        assert late.count == expected


def test_what_was_cleared_is_not_told_whatever_the_thread_slept_for() -> None:
    late = Calls()
    overdue = Overdue(late)
    for seconds in (LONG, 2 * LONG, LONG / 2):
        overdue.set(seconds)
        overdue.clear()
    overdue.set(0.001)  # sooner than the thread meant to wake
    late.wait()
    overdue.clear()
    assert late.count == 1


class Sleeps(Overdue):
    """Notes until when its thread means to sleep."""

    def __init__(self, late: Callable[[], None]) -> None:
        super().__init__(late)
        self.until: list[float] = []

    def _sleep_until(self, moment: float) -> None:
        self.until.append(moment)
        super()._sleep_until(moment)


def test_a_later_time_wakes_nobody_and_who_wakes_too_soon_only_looks_again() -> None:
    """As after a freeze: it wakes at the time of a batch that is done, while another is under way."""
    late = Calls()
    overdue = Sleeps(late)
    overdue.set(LONG)
    assert within_a_minute(lambda: len(overdue.until) == 1)
    for _ in range(100):
        overdue.clear()
        overdue.set(2 * LONG)
    with overdue._changed:
        assert len(overdue.until) == 1
        overdue._changed.notify()  # in place of the time that has come
    assert within_a_minute(lambda: len(overdue.until) == 2)
    assert overdue.until[1] > overdue.until[0]
    overdue.clear()
    with overdue._changed:
        overdue._changed.notify()
    assert within_a_minute(lambda: len(overdue.until) == 3)
    assert overdue.until[2] == math.inf, "with nothing to wait for it does not wake at all"
    assert late.count == 0
    overdue.set(0.0)
    late.wait()


def test_one_thread_and_none_before_it_is_needed() -> None:
    before = len(threads())
    overdue = Overdue(Calls())
    assert len(threads()) == before
    for _ in range(10):
        overdue.set(LONG)
        overdue.clear()
    assert len(threads()) == before + 1
    assert all(thread.daemon for thread in threads()), "it keeps no process alive"


def test_cleared_means_that_nothing_is_told_any_more() -> None:
    leave, left = threading.Event(), []

    def during() -> None:
        assert leave.wait(60)
        left.append(True)

    late = Calls(during)
    overdue = Overdue(late)
    overdue.set(0.0)
    late.wait()
    threading.Timer(0.01, leave.set).start()
    overdue.clear()
    overdue.set(LONG)
    assert left == [True]


def test_telling_that_never_ends_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kstream.runtimes.overdue._PATIENCE_S", 0.1)
    leave = threading.Event()
    late = Calls(lambda: leave.wait(60))
    overdue = Overdue(late)
    overdue.set(0.0)
    late.wait()
    for _ in range(2):
        overdue.clear()
        overdue.set(0.0)  # returns, and is not told
    assert late.count == 1
    leave.set()

    def is_told() -> bool:
        overdue.set(0.0)
        return late.count > 1

    assert within_a_minute(is_told)


def test_telling_that_raises_is_logged_and_the_thread_lives_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise LookupError("no batch")

    late = Calls(broken)
    overdue = Overdue(late)
    for _ in range(2):
        overdue.set(0.0)
        late.wait()
        overdue.clear()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "no batch" in caplog.text
