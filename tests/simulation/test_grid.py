"""Every promise holds in every cell of the grid: tens of thousands of histories, and many times that in ``make soak``."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.histories import FACTORS, MODES, cell_of, history, numbers

_SOAK_ROUNDS = 50


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("mode", MODES)
def test_every_promise_holds(mode: str, factor: int, soak: bool) -> None:
    """None lost, order per outer key, nothing skipped that was not done, transactions once, and a sound answer."""
    happened: Counter[str] = Counter()
    for number in numbers(mode, factor, _SOAK_ROUNDS if soak else 1):
        told = history(number)
        report = told.run()
        if not report.ok:
            try:
                report.raise_for_violations()
            except AssertionError as error:
                pytest.fail(
                    f"history {number}, {cell_of(number)}\nreplay: python -m tests.simulation.replay {number}\n{error}",
                    pytrace=False,
                )
        if told.store is not None:
            table = told.store.table
            counts = {key: count for key, count in table.items() if key != "count"}
            assert counts == Counter(record.partition_key for record in report.effects), f"history {number}"
            assert table.get("count", 0) == len(report.effects), f"history {number}: the store tells another"
        happened.update(report.happened)
        happened["dead-lettered"] += report.dead_lettered
        happened["discarded"] += report.discarded
        happened["run twice"] += report.run_twice
    # A world in which nothing happens would prove nothing.
    expected = ["crashes", "timeouts", "exits", "duplicates", "restarts", "lost answers", "dead-letter failures"]
    expected += ["handler errors", "dead-lettered", "discarded", "refused discards"]
    if mode != "none":
        expected.append("ledger failures")
    assert [name for name in expected if happened[name] < 100] == []
    assert (happened["run twice"] == 0) == (mode == "transactional")


# Histories beyond the first round in which something was wrong once, with what it was.
FOUND = {9582430: "the simulator let two transactions at once use up the same last failure of a record"}


@pytest.mark.parametrize("number", FOUND)
def test_what_was_found_once_stays_right(number: int) -> None:
    history(number).run().raise_for_violations()


def test_the_grid_is_whole() -> None:
    """The chunks together are every cell, once."""
    seen = [number for mode in MODES for factor in FACTORS for number in numbers(mode, factor, 1)]
    cells = {tuple(cell_of(number).values()) for number in seen}
    assert len(seen) == len(cells) >= 30_000
    for mode in MODES:
        for factor in FACTORS:
            assert {(cell_of(n)["mode"], cell_of(n)["factor"]) for n in numbers(mode, factor, 2)} == {(mode, factor)}
