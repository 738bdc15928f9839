"""Which attempts get a span: no more than may, the sampled from the whole batch."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.telemetry.showing import Showing, likely_samples


@given(rate=st.floats(0.05, 1), count=st.integers(1, 2_000), most=st.integers(0, 40))
@settings(max_examples=50)
def test_a_thinned_sample_keeps_its_bound_and_is_as_large_as_it_may_be(rate: float, count: int, most: int) -> None:
    showing = Showing(1_000, most, likely_samples(rate, count))
    announced = round(rate * count)
    shown = [index for index in range(announced) if showing.shows_sampled()]
    assert len(shown) <= most
    assert len(shown) >= min(announced, most) * 0.4 - 1
    if announced > 2 * most > 40:
        assert shown[-1] >= announced * 0.8
        assert shown[len(shown) // 2] >= announced * 0.4


def test_few_samples_are_all_shown() -> None:
    showing = Showing(100, 25, likely_samples(0.01, 1_000))
    assert [showing.shows_sampled() for _ in range(25)] == [True] * 25
    assert not showing.shows_sampled()
    assert showing.left_out() == {"sampled": 1}


def test_failures_may_take_all_that_is_left() -> None:
    showing = Showing(3, 1, likely_samples(1, 1))
    assert showing.shows_sampled()
    assert [showing.shows("ValueError") for _ in range(4)] == [True, True, False, False]
    assert showing.left_out() == {"ValueError": 2}
