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


def run(
    directory: Path, *arguments: str, stdout: int | None, metrics: str = "emf"
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=directory,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "KSTREAM_METRICS": metrics, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=120,
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
    ran = run(tmp_path, stdout=subprocess.PIPE)

    lines = ran.stdout.decode().splitlines()
    assert (ran.returncode, ran.stderr, len(lines)) == (0, b"", 100)
    assert total([point for line in lines for point in read(line)], "orders") == 500
    assert done(tmp_path) == expected


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
