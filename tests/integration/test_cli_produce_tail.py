"""`kstream produce` and `kstream tail` against a real Kinesis API, without a pipeline around it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.aggregates import seal
from tests.support.commands import Running, kstream

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from kstream.local.emulator import Emulator


@pytest.fixture
def where(emulator: Emulator, stream: str) -> list[str]:
    return ["--stream", stream, "--endpoint-url", emulator.endpoint_url]


def test_what_is_put_is_tailed_in_its_order(where: list[str], tmp_path: Path) -> None:
    lines = [json.dumps({"key": f"k{n % 3}", "n": n}) for n in range(1_200)]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines))

    put = kstream("produce", "lines.jsonl", "--key", "key", "--direct", *where, cwd=tmp_path)
    tailed = kstream("tail", "--from", "trim", "--no-follow", "--json", *where, cwd=tmp_path)

    assert (put.returncode, put.stdout) == (0, "1,200 put, 0 failed, 0 retried\n")
    records = [json.loads(line) for line in tailed.stdout.splitlines()]
    assert {record["data"] for record in records} == set(lines)
    for key in ("k0", "k1", "k2"):
        of_key = [json.loads(record["data"])["n"] for record in records if record["partitionKey"] == key]
        assert of_key == sorted(of_key)


def test_lines_that_are_not_put_are_named_and_the_others_are_put(where: list[str], tmp_path: Path) -> None:
    done = kstream(
        "produce", "-", "--format", "jsonl", "--key", "k", "--json", *where,
        cwd=tmp_path, stdin=b'{"k": "a"}\n{"k": "quote\\"d"}\n{}\n{"k": "b"}\n',
    )  # fmt: skip

    assert done.returncode == 1
    *failures, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [failure["line"] for failure in failures] == [2, 3]
    assert "partition key" in failures[0]["error"]
    assert summary == {"put": 2, "failed": 2, "retried": 0, "emptyLines": 0}


def test_a_stream_that_is_not_there_fails_in_one_line(emulator: Emulator, tmp_path: Path) -> None:
    where = ["--stream", "no-such", "--endpoint-url", emulator.endpoint_url]

    tailed = kstream("tail", *where, cwd=tmp_path)

    assert tailed.returncode == 2
    assert tailed.stderr.startswith("error: there is no stream 'no-such'")


@pytest.mark.parametrize("listens", [True, False])
def test_where_nothing_can_be_put_straight_the_reason_is_told(
    emulator: Emulator, tmp_path: Path, listens: bool
) -> None:
    endpoint_url = emulator.endpoint_url if listens else "http://127.0.0.1:1"

    put = kstream("produce", "--stream", "no-such", "--endpoint-url", endpoint_url, cwd=tmp_path, stdin=b"x\n")

    assert put.returncode == 1
    assert "0 put, 1 failed" in put.stdout
    reason = "there is no stream 'no-such' at" if listens else "cannot describe stream 'no-such' at http://127.0.0.1:1"
    assert put.stderr.startswith(f"error: {reason}")
    assert put.stderr.count("\n") == 1


def test_an_aggregate_is_tailed_as_its_records(kinesis: KinesisClient, where: list[str], tmp_path: Path) -> None:
    entry = b"\x08\x00\x1a\x02hi"
    aggregate = seal(b"\x0a\x03key" + 2 * (b"\x1a" + bytes([len(entry)]) + entry))
    kinesis.put_record(StreamName=where[1], Data=aggregate, PartitionKey="a")

    done = kstream("tail", "--from", "trim", "--limit", "2", *where, cwd=tmp_path)

    assert done.returncode == 0
    assert [line.split("  ")[-2:] for line in done.stdout.splitlines()] == [["key", "hi"], ["key", "hi"]]
    assert [line.split("  ")[2].rpartition(":")[2] for line in done.stdout.splitlines()] == ["0", "1"]


def test_it_follows_until_it_is_interrupted(kinesis: KinesisClient, where: list[str], tmp_path: Path) -> None:
    with Running("tail", "--from", "trim", *where, cwd=tmp_path) as running:
        kinesis.put_record(StreamName=where[1], Data=b"first", PartitionKey="a")
        running.wait_for("first")
        kinesis.put_record(StreamName=where[1], Data=b"second", PartitionKey="a")
        running.wait_for("second")
        assert running.interrupt() == 130
        assert "Traceback" not in running.said


def test_an_api_that_refuses_is_one_line_and_says_what_was_put(tmp_path: Path, emulator: Emulator) -> None:
    """An address that answers, but is not the ingest API."""
    done = kstream("produce", "--url", emulator.endpoint_url, "--stream", "s", cwd=tmp_path, stdin=b"x\n")

    assert done.returncode == 1
    assert "0 put, 1 failed" in done.stdout
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
