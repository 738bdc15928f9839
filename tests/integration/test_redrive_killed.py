"""A redrive that is killed at any of its steps: afterwards every record has been redriven once, or a person is asked."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import boto3
import pytest

from kstream.aws.dead_letters import S3DeadLetters, SQSDeadLetters
from kstream.stores.directory import DirectoryDeadLetters
from tests.support.commands import kstream
from tests.support.processes import within_a_minute
from tests.unit.redrive.builders import letter

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from kstream.local.emulator import Emulator

# The command itself, but for one method, before or after which the process is gone. The second call of it, so that
# something has been done, something is under way, and something is left.
KILLED = """
import importlib, os, signal, sys

module, name, method, when, *arguments = sys.argv[1:]
owner = getattr(importlib.import_module(module), name)
real, calls = getattr(owner, method), 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def call(*given, **more):
    global calls
    calls += 1
    if calls == int(os.environ["CALL"]) and when == "before":
        die()
    result = real(*given, **more)
    if calls == int(os.environ["CALL"]):
        die()
    return result

setattr(owner, method, call)
from kstream.redrive import queue_source
queue_source.HIDDEN_S = 1
sys.argv = ["kstream", *arguments]
from kstream.cli import main
main()
"""
CONSUMER = """
from kstream import Consumer, SQLiteLedger, TransactionalHandler

class Totals(TransactionalHandler):
    def process(self, record, transaction):
        transaction.execute("CREATE TABLE IF NOT EXISTS effects (place TEXT)")
        transaction.execute("INSERT INTO effects VALUES (?)", (record.partition_key,))

consumer = Consumer(Totals, ledger=SQLiteLedger("ledger.db"))
"""
JOURNAL = ("kstream.redrive.journal", "Journal")
PUT = ("kstream.aws.record_put", "RecordPut", "put")
DELETE = ("kstream.redrive.directory_source", "DirectorySource", "delete")
COMMIT = ("kstream.stores.sqlite_transaction", "SQLiteTransaction", "commit")
# Two calls of sent for each letter: its one unit, and the whole of it.
HARMLESS = [
    ((*JOURNAL, "start"), "before", 2),
    ((*JOURNAL, "sent"), "after", 3),
    ((*JOURNAL, "sent"), "before", 4),
    ((*JOURNAL, "sent"), "after", 4),
    (DELETE, "before", 2),
    (DELETE, "after", 2),
    ((*JOURNAL, "deleted"), "before", 2),
    ((*JOURNAL, "deleted"), "after", 2),
]
KEYS = ("a", "b", "c")


def killed(
    method: tuple[str, ...], when: str, call: int, *arguments: str, cwd: Path
) -> subprocess.CompletedProcess[str]:
    import os

    done = subprocess.run(
        [sys.executable, "-c", KILLED, *method, when, *arguments],
        cwd=cwd, env={**os.environ, "CALL": str(call)}, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(autouse=True)
def letters(tmp_path: Path) -> DirectoryDeadLetters:
    (tmp_path / "totals.py").write_text(CONSUMER)
    sink = DirectoryDeadLetters(tmp_path / "letters")
    for number, key in enumerate(KEYS):
        sink.put(letter(number, key=key))
    return sink


def left(letters: DirectoryDeadLetters) -> list[str]:
    return [stored.letter().record.partition_key for stored in letters.letters()]


def in_stream(kinesis: KinesisClient, stream: str) -> list[str]:
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        at = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        found += [
            record["PartitionKey"] for record in kinesis.get_records(ShardIterator=at["ShardIterator"])["Records"]
        ]
    return sorted(found)


def effects(directory: Path) -> list[str]:
    with sqlite3.connect(directory / "ledger.db") as connection:
        found = sorted(row[0] for row in connection.execute("SELECT place FROM effects"))
    connection.close()
    return found


@pytest.mark.parametrize(("method", "when", "call"), HARMLESS)
def test_into_a_stream_each_record_is_put_once(
    method: tuple[str, ...], when: str, call: int, emulator: Emulator, kinesis: KinesisClient, stream: str,
    letters: DirectoryDeadLetters, tmp_path: Path,
) -> None:  # fmt: skip
    redrive = ["dead-letters", "redrive", "letters", "--to-stream", stream, "--endpoint-url", emulator.endpoint_url]
    killed(method, when, call, *redrive, cwd=tmp_path)

    done = kstream(*redrive, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert in_stream(kinesis, stream) == ["a", "b", "c"]
    assert left(letters) == []


@pytest.mark.parametrize(
    ("method", "when", "call", "put"),
    [
        ((*JOURNAL, "start"), "after", 2, False),
        (PUT, "before", 2, False),
        (PUT, "after", 2, True),
        ((*JOURNAL, "sent"), "before", 3, True),
    ],
)
def test_killed_around_the_put_a_person_is_asked_and_nothing_is_doubled_or_lost(
    method: tuple[str, ...], when: str, call: int, put: bool, emulator: Emulator, kinesis: KinesisClient, stream: str,
    letters: DirectoryDeadLetters, tmp_path: Path,
) -> None:  # fmt: skip
    redrive = ["dead-letters", "redrive", "letters", "--to-stream", stream, "--endpoint-url", emulator.endpoint_url]
    killed(method, when, call, *redrive, cwd=tmp_path)

    done = kstream(*redrive, "--json", cwd=tmp_path)

    assert done.returncode == 1
    verdicts = [json.loads(line).get("verdict") for line in done.stdout.splitlines()]
    assert verdicts == ["unknown", "redriven", None]
    assert "give --unknown again or --unknown sent" in done.stdout
    assert in_stream(kinesis, stream) == (["a", "b", "c"] if put else ["a", "c"])
    assert left(letters) == ["b"]
    listed = kstream("dead-letters", "list", "letters", cwd=tmp_path)
    assert "a redrive was interrupted: it may have been put" in listed.stdout

    decided = kstream(*redrive, "--unknown", "sent" if put else "again", cwd=tmp_path)

    assert decided.returncode == 0
    assert in_stream(kinesis, stream) == ["a", "b", "c"]
    assert left(letters) == []


@pytest.mark.parametrize(
    ("method", "when", "call"),
    [
        *HARMLESS,
        ((*JOURNAL, "start"), "after", 2),
        ((*JOURNAL, "sent"), "before", 3),
        (COMMIT, "before", 2),
        (COMMIT, "after", 2),
    ],
)
def test_through_a_transactional_consumer_each_effect_happens_once(
    method: tuple[str, ...], when: str, call: int, letters: DirectoryDeadLetters, tmp_path: Path
) -> None:
    redrive = ["dead-letters", "redrive", "letters", "--to-consumer", "totals.py"]
    killed(method, when, call, *redrive, cwd=tmp_path)

    done = kstream(*redrive, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert effects(tmp_path) == ["a", "b", "c"]
    assert left(letters) == []


def test_from_a_queue_the_messages_come_back_and_each_is_put_once(
    emulator: Emulator, kinesis: KinesisClient, stream: str, tmp_path: Path
) -> None:
    client = boto3.client("sqs", endpoint_url=emulator.endpoint_url)
    url = client.create_queue(QueueName=f"letters-{uuid.uuid4().hex}")["QueueUrl"]
    sink = SQSDeadLetters(url, endpoint_url=emulator.endpoint_url)
    for number, key in enumerate(KEYS):
        sink.put(letter(number, key=key))
    endpoint = ["--endpoint-url", emulator.endpoint_url]
    redrive = ["dead-letters", "redrive", f"sqs:{url}", "--to-stream", stream, *endpoint]
    queue = ("kstream.redrive.queue_source", "QueueSource", "delete")
    killed(queue, "before", 2, *redrive, cwd=tmp_path)

    # Hidden for a second by the run that was killed.
    assert within_a_minute(lambda: len(waiting(url, emulator, tmp_path)) == 2)
    done = kstream(*redrive, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert in_stream(kinesis, stream) == ["a", "b", "c"]
    assert waiting(url, emulator, tmp_path) == []


def waiting(url: str, emulator: Emulator, cwd: Path) -> list[str]:
    listed = kstream("dead-letters", "list", f"sqs:{url}", "--json", "--endpoint-url", emulator.endpoint_url, cwd=cwd)
    return listed.stdout.splitlines()


def test_from_a_bucket_each_is_put_once(
    emulator: Emulator, kinesis: KinesisClient, stream: str, tmp_path: Path
) -> None:
    bucket = f"letters-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=emulator.endpoint_url).create_bucket(Bucket=bucket)
    sink = S3DeadLetters(bucket, "parked/", endpoint_url=emulator.endpoint_url)
    for number, key in enumerate(KEYS):
        sink.put(letter(number, key=key))
    target = ["--to-stream", stream, "--endpoint-url", emulator.endpoint_url]
    s3 = ("kstream.redrive.bucket_source", "BucketSource", "delete")
    killed(s3, "before", 2, "dead-letters", "redrive", f"s3:{bucket}/parked/", *target, cwd=tmp_path)

    # Spelled otherwise, it is the same place.
    done = kstream("dead-letters", "redrive", f"s3:{bucket}", *target, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert in_stream(kinesis, stream) == ["a", "b", "c"]
    assert list(sink.letters()) == []
