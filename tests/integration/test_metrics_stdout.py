"""Metrics on a standard output that is full, closed or gone: what is processed, and how the process ends, stay the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cloudwatch import read, total

PROGRAM = """
import json, logging, os, sys
from kstream import Consumer, Handler, Reject, on_lambda
from kstream.stores.memory import MemoryDeadLetters
from kstream.testing.events import kinesis_event

logging.basicConfig(filename="log.txt")
seen = []

class Shop(Handler):
    def process(self, record):
        self.telemetry.count("orders")
        seen.append(record.text())
        if record.text() == "r3":
            raise Reject("never")

if "close" in sys.argv:
    os.close(1)
handle = on_lambda(Consumer(Shop, dead_letters=MemoryDeadLetters()))
answers = [handle(kinesis_event([f"r{n}" for n in range(5)])) for _ in range(100)]
with open("done.json", "w") as done:
    json.dump([answers, seen], done)
"""


# Where somebody reads, a line that is put is out; it must not be lost because the machine was slow for a moment.
PATIENT = """
from kstream.telemetry.lines_out import metrics_out

metrics_out()._patience = 60.0
"""


def environment(metrics: str) -> dict[str, str]:
    return {**os.environ, "KSTREAM_METRICS": metrics, "PYTHONPATH": str(Path(__file__).parents[2])}


def run(
    directory: Path, *arguments: str, stdout: int | None, metrics: str = "emf", program: str = PROGRAM
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=directory,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(metrics),
        timeout=240,
        check=False,
    )


def done(directory: Path) -> object:
    return json.loads((directory / "done.json").read_text())


@pytest.fixture
def expected(tmp_path: Path) -> object:
    """What is processed without any metrics."""
    directory = tmp_path / "without"
    directory.mkdir()
    ran = run(directory, stdout=subprocess.PIPE, metrics="off")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    return done(directory)


def test_with_a_reader_there_is_a_document_for_each_batch(tmp_path: Path, expected: object) -> None:
    ran = run(tmp_path, stdout=subprocess.PIPE, program=PATIENT + PROGRAM)

    lines = ran.stdout.decode().split()
    assert (ran.returncode, ran.stderr, len(lines)) == (0, b"", 100)
    assert total([point for line in lines for point in read(line)], "orders") == 500
    assert done(tmp_path) == expected


DOTS = """
import os
from kstream import Consumer, Handler, on_lambda
from kstream.testing.events import kinesis_event

class Dots(Handler):
    def process(self, record):
        print(".", end="")
        if record.text() == "child":
            os.write(1, b"...")  # past what Python knows of, as a child process would

handle = on_lambda(Consumer(Dots))
for text in ("a", "child", "b"):
    handle(kinesis_event([text, text]))
"""


@pytest.mark.parametrize("to", ["pipe", "file"])
def test_a_document_stands_alone_behind_what_a_handler_left_unfinished(tmp_path: Path, to: str) -> None:
    with (tmp_path / "out").open("wb") as file:
        ran = run(tmp_path, stdout=subprocess.PIPE if to == "pipe" else file.fileno(), program=PATIENT + DOTS)

    assert (ran.returncode, ran.stderr) == (0, b"")
    lines = (ran.stdout if to == "pipe" else (tmp_path / "out").read_bytes()).decode().splitlines()
    documents = [line for line in lines if line.startswith("{")]
    assert total([point for line in documents for point in read(line)], "RecordsSucceeded") == 6
    assert [line for line in lines if line not in documents] == ["..", "........", ".."]


BLOCKS = """
import logging, time
from kstream import Consumer, Handler, on_lambda
from kstream.testing import LambdaContext, kinesis_event

class Blocks(logging.Handler):
    def emit(self, record):
        time.sleep(600)

class Stuck(Handler):
    def process(self, record):
        time.sleep(600)

logging.getLogger().addHandler(Blocks())
on_lambda(Consumer(Stuck))(kinesis_event(["a"]), LambdaContext(timeout=0.2))
"""


def test_at_a_time_out_a_log_handler_that_blocks_keeps_no_metrics_back(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCKS],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**environment("emf"), "AWS_LAMBDA_FUNCTION_NAME": "shop"},
    )
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if line.strip())
    finally:
        process.kill()
        process.communicate()
    points = read(line.decode())
    assert total(points, "BatchesOutOfTime") == 1
    assert total(points, "RecordsUnfinished") == 1


def test_nobody_reads(tmp_path: Path, expected: object) -> None:
    end, stdout = os.pipe()
    os.set_blocking(stdout, False)
    try:
        while True:
            os.write(stdout, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(stdout, True)
    try:
        ran = run(tmp_path, stdout=stdout)
    finally:
        os.close(stdout)
        os.close(end)

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert done(tmp_path) == expected


def test_the_reader_is_gone(tmp_path: Path, expected: object) -> None:
    end, stdout = os.pipe()
    os.close(end)
    try:
        ran = run(tmp_path, stdout=stdout)
    finally:
        os.close(stdout)

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert done(tmp_path) == expected
    log = (tmp_path / "log.txt").read_text()
    assert "1 document(s) of metrics dropped so far: standard output: BrokenPipeError" in log
    assert "64 document(s) of metrics dropped so far" in log


def test_standard_output_is_closed(tmp_path: Path, expected: object) -> None:
    ran = run(tmp_path, "close", stdout=subprocess.PIPE)

    assert ran.stdout == b""
    assert done(tmp_path) == expected
    assert "Bad file descriptor" in (tmp_path / "log.txt").read_text()
    assert ran.returncode == 0


def test_the_disk_is_full(tmp_path: Path, expected: object) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = run(tmp_path, stdout=full.fileno())

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert done(tmp_path) == expected
    assert "No space left on device" in (tmp_path / "log.txt").read_text()
