"""Where a thread is stuck, seen from another."""

from __future__ import annotations

import threading

from kstream.telemetry.thread_place import DEEPEST, place_of
from tests.support.processes import within_a_minute


def deep(levels: int, reached: threading.Event, leave: threading.Event) -> None:
    if levels:
        deep(levels - 1, reached, leave)
        return
    reached.set()
    leave.wait(60)


def test_a_thread_in_nothing_of_ours_is_shown_from_its_start_and_never_too_deep() -> None:
    reached, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=deep, args=(100, reached, leave))
    thread.start()
    assert reached.wait(60)
    # It goes on to wait, but when?
    assert within_a_minute(lambda: "in wait" in place_of(thread.ident)[1].splitlines()[-2])
    place, stack = place_of(thread.ident)
    leave.set()
    thread.join()
    assert place.startswith("_bootstrap (threading.py:")
    assert stack.count('  File "') <= DEEPEST


def test_there_is_no_place_of_no_thread_of_one_that_has_ended_and_of_the_one_that_asks() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    for ident in (None, thread.ident, threading.get_ident()):
        assert place_of(ident) == ("", "")
