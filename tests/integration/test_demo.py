"""The demo over a slice of its data, with real processes: it proves what it says, notices what is wrong, leaves nothing."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import exists, within_a_minute

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
FLIGHTS = 6_000


@contextmanager
def demo(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "consumers.flights.demo", "--limit", str(FLIGHTS), "--home", str(home), *options]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> set[int]:
    """Of all threads of a process."""
    found: set[int] = set()
    for one in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended since
            found |= set(map(int, one.read_text().split()))
    return found


def left_over(home: Path, started: set[int]) -> list[str]:
    """The processes of a run: those it was seen to have, and any whose command line names its directory."""
    left = [str(pid) for pid in started if exists(pid)]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(home).encode() in (command := path.read_bytes()) and exists(int(path.parent.name)):
                left.append(command.replace(b"\0", b" ").decode())
    return left


def sums_file(home: Path) -> Path | None:
    """Of the run under way, once it holds sums."""
    for path in home.glob("run-*/flights.sqlite"):
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'delays'").fetchone() and (
                connection.execute("SELECT 1 FROM delays").fetchone()
            ):
                return path
    return None


def claims(summary: dict[str, Any]) -> dict[str, bool]:
    return {check["claim"]: check["holds"] for check in summary["checks"]}


def test_it_ends_with_exact_sums_although_it_goes_wrong_on_the_way(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "consumers.flights.demo",
        "--limit",
        str(FLIGHTS),
        "--home",
        str(tmp_path),
        "--json",
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["ok"]
    assert all(claims(summary).values())
    assert summary["total"] == summary["expected"]
    assert summary["total"]["flights"] == FLIGHTS
    assert summary["deadLettered"] == 40
    assert summary["restarts"] == 2
    assert min(summary["handlerFailures"], summary["retried"], summary["redelivered"]) > 0
    assert not list(tmp_path.glob("run-*")), "a run that held clears up behind itself"


def test_a_sum_that_is_wrong_is_told_and_fails(tmp_path: Path) -> None:
    with demo(tmp_path, "--json") as process:
        assert within_a_minute(lambda: sums_file(tmp_path) is not None)
        path = sums_file(tmp_path)
        assert path is not None
        with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
            connection.execute("UPDATE delays SET delay_minutes = delay_minutes + 1 WHERE day = '2013-01-01'")
        told, _ = process.communicate(timeout=600)
    assert process.returncode == 1
    summary = json.loads(told[told.index("{\n") : told.rindex("}") + 1])
    assert not summary["ok"]
    failed = [claim for claim, holds in claims(summary).items() if not holds]
    assert failed == ["the sums equal the data set's, for each carrier and day"]
    assert path.exists(), "the files of a run that failed stay, to be looked at"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_interrupted_it_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert within_a_minute(lambda: sums_file(tmp_path) is not None)
        started = children(process.pid)
        assert started
        process.send_signal(how)
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told.endswith("Interrupted: everything is stopped\n")
    assert not left_over(tmp_path, started)


def test_killed_it_takes_its_processes_along(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert within_a_minute(lambda: sums_file(tmp_path) is not None)
        started = children(process.pid)
        process.kill()
        process.wait()
        assert within_a_minute(lambda: not left_over(tmp_path, started))


def test_without_the_data_set_it_says_what_to_do(tmp_path: Path) -> None:
    with demo(tmp_path, "--archive", str(tmp_path / "none")) as process:
        told, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "make demo" in told
    assert "Traceback" not in told
