"""How long a store may wait."""

from __future__ import annotations

from math import inf

from kstream.core.patience import ENDLESS, LAST_MOMENT, Patience


def test_a_wait_takes_half_of_what_is_left_and_a_last_moment_in_any_case() -> None:
    left = [10.0]
    patience = Patience(lambda: left[0])
    assert (patience.seconds(), patience.seconds(3), patience.seconds(0)) == (5.0, 3, 0)
    left[0] = -1
    assert (patience.seconds(), patience.seconds(0.01)) == (LAST_MOMENT, 0.01)
    assert (ENDLESS.seconds(), ENDLESS.seconds(5)) == (inf, 5)
