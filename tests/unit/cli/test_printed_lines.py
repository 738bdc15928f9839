"""What a handler prints while the live table stands: all of it, in its order, and few tables in between."""

# ruff: noqa: T201 - as handlers do

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading

import pytest
from rich.console import Console
from rich.live import Live

from kstream.cli.consume_view import ConsumeView
from kstream.cli.output import Output
from kstream.cli.printed_lines import PrintedLines
from kstream.cli.tally import Tally
from kstream.clock import SystemClock

TABLE = "the table"


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, soft_wrap=True, width=200)


def told(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lines_that_are_drawn_at_once_draw_one_table() -> None:
    console = terminal()
    expected = [f"line {number}" for number in range(500)]
    with PrintedLines(console) as printed, Live(TABLE, console=console, auto_refresh=False):
        before = told(console).count(TABLE)
        for line in expected:
            print(line, file=sys.stderr if line.endswith("7") else sys.stdout, flush=True)
        assert "line" not in told(console)
        printed.draw()
        assert told(console).count(TABLE) - before == 1
        shown = told(console)
    assert re.findall(r"line \d+", shown) == expected


def test_each_line_stays_whole_and_none_is_lost_whoever_prints() -> None:
    """Also while they are drawn, and when there are more of them than are kept."""
    console = terminal()

    def speak(name: int) -> None:
        for number in range(1000):
            sys.stdout.write(f"speaker {name} says {number:04} {'x' * 40}\n")

    with PrintedLines(console) as printed, Live(TABLE, console=console, auto_refresh=False):
        speakers = [threading.Thread(target=speak, args=(name,)) for name in range(3)]
        for speaker in speakers:
            speaker.start()
        while any(speaker.is_alive() for speaker in speakers):
            printed.draw()
            speakers[0].join(0.01)
    for name in range(3):
        lines = [line for line in told(console).splitlines() if f"speaker {name} says" in line]
        assert [line.split("says ")[1] for line in lines] == [f"{number:04} {'x' * 40}" for number in range(1000)]


def test_whoever_prints_more_than_is_kept_draws_it() -> None:
    console = terminal()
    with PrintedLines(console):
        print("x" * 70_000)
        assert "x" * 70_000 in told(console)


def test_a_line_that_never_ends_is_drawn_before_it_takes_more_than_is_kept() -> None:
    """However often the others are drawn meanwhile: a dot for each record, for hours, must not fill the memory."""
    console = terminal()
    with PrintedLines(console) as printed:
        for number in range(70_000):
            print(".", end="")
            if number % 10_000 == 0:
                printed.draw()
        assert told(console).count(".") > 60_000
    assert told(console).count(".") == 70_000


def test_at_the_end_a_line_without_its_end_is_drawn_and_the_streams_are_what_they_were() -> None:
    console = terminal()
    before = sys.stdout, sys.stderr
    with PrintedLines(console):
        print("whole")
        print("be", end="", flush=True)
        print("error", file=sys.stderr)
        print("gun", end="")
    assert (sys.stdout, sys.stderr) == before
    assert told(console) == "whole\nerror\nbegun\n"


def test_what_cannot_be_written_is_told_to_whoever_prints_it() -> None:
    console = terminal()
    with PrintedLines(console):
        with pytest.raises(UnicodeEncodeError):
            print("\ud800")
        print("after")
    assert told(console).strip() == "after"


def test_a_fork_prints_for_itself() -> None:
    code = """
import io, os
from rich.console import Console
from kstream.cli.printed_lines import PrintedLines
with PrintedLines(Console(file=io.StringIO())):
    child = os.fork()
    if not child:
        print("from the fork", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "from the fork\n"


def test_the_view_shows_what_was_printed_and_not_a_table_for_each_line() -> None:
    output = Output()
    output.console = console = terminal()
    with ConsumeView(Tally(), output, SystemClock()):
        for number in range(1000):
            print(f"line {number}.")
    shown = told(console)
    places = [shown.index(f"line {number}.") for number in range(1000)]
    assert places == sorted(places)
    assert shown.count("received") < 500
    assert shown.rindex("received") > places[-1]
