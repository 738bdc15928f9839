"""A virtual clock moves only when it is told to."""

from __future__ import annotations

import asyncio

import pytest

from kstream.testing.clock import VirtualClock


def test_sleeping_moves_it_and_returns_at_once() -> None:
    clock = VirtualClock(start=100.0)
    clock.sleep(2.5)
    asyncio.run(clock.sleep_async(0.5))
    clock.advance(1)
    clock.sleep(-1)
    assert (clock.time(), clock.monotonic()) == (104.0, 4.0)


def test_it_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="-1"):
        VirtualClock().advance(-1)
