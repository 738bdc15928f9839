"""The retry policy: what it allows, how long it pauses, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity.wait import wait_fixed, wait_incrementing

from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry

ERROR = OSError("down")


def _high(low: float, high: float) -> float:
    assert low == 0
    return high


@given(
    attempt=st.integers(1, 1_000),
    base=st.floats(0, 10),
    more=st.floats(0, 100),
    jitter=st.floats(0, 1),
)
def test_a_pause_lies_anywhere_below_a_ceiling_that_doubles_up_to_the_cap(
    attempt: int, base: float, more: float, jitter: float
) -> None:
    retry = Retry(attempts=3, base=base, cap=base + more)
    ceiling = min(base * 2 ** (attempt - 1), base + more)
    assert retry.pause(ERROR, attempt, _high) == pytest.approx(ceiling)
    assert 0 <= retry.pause(ERROR, attempt, lambda low, high: low + (high - low) * jitter) <= base + more


def test_the_first_ceilings() -> None:
    retry = Retry(base=0.1, cap=0.5)
    assert [retry.pause(ERROR, attempt, _high) for attempt in (1, 2, 3, 4, 5)] == pytest.approx(
        [0.1, 0.2, 0.4, 0.5, 0.5]
    )


def test_a_tenacity_strategy_takes_the_place_of_the_jitter() -> None:
    assert Retry(wait=wait_fixed(7)).pause(ERROR, 1, _high) == 7
    assert Retry(wait=wait_incrementing(start=1, increment=2)).pause(ERROR, 3, _high) == 5


def test_it_allows_so_many_attempts_of_the_named_kinds() -> None:
    retry = Retry(attempts=3, on=(OSError,))
    assert [retry.allows(ConnectionError(), attempt) for attempt in (1, 2, 3)] == [True, True, False]
    assert not retry.allows(ValueError(), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": "3"},
        {"attempts": 2.5},
        {"attempts": True},
        {"base": -1},
        {"base": None},
        {"cap": float("nan")},
        {"base": 2, "cap": 1},
        {"exhausted": "drop"},
        {"on": ("ConnectionError",)},
        {"on": ConnectionError},
        {"on": (int,)},
        {"on": [OSError]},
        {"on": (KeyboardInterrupt,)},
        {"wait": 2},
    ],
    ids=str,
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Retry\("):
        Retry(**wrong)
