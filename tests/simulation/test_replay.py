"""A history is the same whenever and wherever it runs, and one command shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.histories import CELLS, Asynchronous, history

ROOT = Path(__file__).parents[2]
SPREAD = range(11, CELLS, CELLS // 40)
# Tasks side by side are told apart by nothing but their address, which no two processes have alike.
TASKS = [n for n in range(400) if (told := history(n).consumer).handler is Asynchronous and told.max_workers > 1]
NUMBERS = [*SPREAD, *TASKS]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_history_replays_line_by_line(number: int) -> None:
    first, second = history(number).run(), history(number).run()
    assert first.trace == second.trace
    assert first.happened == second.happened
    assert [record.position for record in first.effects] == [record.position for record in second.effects]


def replay(*numbers: int, hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.replay", *map(str, numbers)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    ).stdout


def test_tasks_side_by_side_are_among_them() -> None:
    assert len(TASKS) >= 3


def test_a_history_replays_in_another_process() -> None:
    """Whatever order that process has its sets in."""
    told = [replay(*NUMBERS, hash_seed=hash_seed) for hash_seed in ("1", "2")]
    assert told[0] == told[1]
    for number in NUMBERS:
        assert "\n".join(history(number).run().trace) in told[0]
