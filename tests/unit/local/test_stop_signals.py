"""The first signal stops in good order, the second at once."""

from __future__ import annotations

import os
import signal
from queue import Queue

import pytest

from kstream.local.stop_signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_armed_the_first_signal_stops_and_the_second_hurries(number: signal.Signals) -> None:
    heard: Queue[str] = Queue()
    before = signal.getsignal(number)
    with StopSignals() as signals:
        signals.arm(lambda: heard.put("first"), lambda: heard.put("again"))
        signal.raise_signal(number)
        assert heard.get(timeout=60) == "first"
        assert (signals.stopping.is_set(), signals.hurrying.is_set()) == (True, False)
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert [heard.get(timeout=60), heard.get(timeout=60)] == ["again", "again"]

    assert signals.hurrying.is_set()
    assert signal.getsignal(number) is before


def test_of_two_sent_at_once_none_is_lost() -> None:
    heard: Queue[str] = Queue()
    with StopSignals() as signals:
        signals.arm(lambda: heard.put("first"), lambda: heard.put("again"))
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert [heard.get(timeout=60), heard.get(timeout=60)] == ["first", "again"]


def test_while_something_starts_a_signal_interrupts_it_once() -> None:
    """What was started is then being ended, and must not be interrupted."""
    with StopSignals():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)


def test_afterwards_signals_wake_whom_they_woke_before() -> None:
    with StopSignals():
        pass
    assert signal.set_wakeup_fd(-1) == -1
