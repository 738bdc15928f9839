"""The first signal stops in good order, the second at once."""

from __future__ import annotations

import signal

import pytest

from kstream.local.stop_signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_armed_the_first_signal_stops_and_the_second_hurries(number: signal.Signals) -> None:
    heard: list[str] = []
    before = signal.getsignal(number)
    with StopSignals() as signals:
        signals.arm(lambda: heard.append("first"), lambda: heard.append("again"))
        signal.raise_signal(number)
        assert (signals.stopping.is_set(), signals.hurrying.is_set()) == (True, False)
        signal.raise_signal(number)
        signal.raise_signal(number)

    assert heard == ["first", "again", "again"]
    assert signals.hurrying.is_set()
    assert signal.getsignal(number) is before


def test_while_something_starts_a_signal_interrupts_it_once() -> None:
    """What was started is then being ended, and must not be interrupted."""
    with StopSignals():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
