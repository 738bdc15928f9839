"""A consumer process that is killed again and again on its way through 100,000 records, in each ledger mode."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import uuid
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import KSTREAM
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from kstream.local.emulator import Emulator

pytestmark = pytest.mark.xdist_group("crash")

RECORDS = 100_000
KEYS = 50
SHARDS = 2
BATCH = 1_000
KILLS = 6

# Past so many records it stands still until it is killed: it must not get to the end of the stream while nobody looks.
STANDING_STILL = """
import itertools, os, time

calls, most = itertools.count(), int(os.environ["MOST_RECORDS"])

def stand_still():
    if next(calls) >= most:
        time.sleep(600)
"""

EXACT = """
from kstream import Consumer, SQLiteLedger, SQLTransaction, TransactionalHandler

class Sums(TransactionalHandler[SQLTransaction]):
    def process(self, record, transaction):
        stand_still()
        transaction.execute(
            "INSERT INTO sums VALUES (?, 1, ?) "
            "ON CONFLICT (name) DO UPDATE SET count = count + 1, total = total + excluded.total",
            (record.partition_key, int(record.data)),
        )

consumer = Consumer(Sums, ledger=SQLiteLedger("sums.db", busy_timeout=60))
"""

SPARSE = """
import os
from kstream import Consumer, Handler, SQLiteLedger

class Notes(Handler):
    def open(self):
        # Unbuffered, so that each effect is there the moment it is done, whatever becomes of this process.
        self.file = os.open("notes.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def process(self, record):
        stand_still()
        os.write(self.file, record.data + b"\\n")

consumer = Consumer(Notes, name=NAME, ledger=SQLiteLedger("ledger.db", busy_timeout=60), save_every=SAVE_EVERY)
"""


@pytest.fixture(scope="module")
def loaded(kinesis: KinesisClient) -> Iterator[str]:
    """A stream with the numbers below 100,000 in it, each under the key of its last digits."""
    name = f"crash-{uuid.uuid4().hex}"
    kinesis.create_stream(StreamName=name, ShardCount=SHARDS)
    for start in range(0, RECORDS, 500):
        answer = kinesis.put_records(
            StreamName=name,
            Records=[{"Data": str(n).encode(), "PartitionKey": f"k{n % KEYS}"} for n in range(start, start + 500)],
        )
        assert answer["FailedRecordCount"] == 0
    yield name
    kinesis.delete_stream(StreamName=name)


def work_off(emulator: Emulator, stream: str, folder: Path, progress: Callable[[], int]) -> int:
    """Runs the consumer to the end of the stream, and kills it on the way there, at moments drawn once and for all.

    Returns how often it was killed while it worked.
    """
    command = [*KSTREAM, "consume", "consumer.py", "--stream", stream, "--endpoint-url", emulator.endpoint_url]
    command += ["--hurry", "--once-through", "--batch-size", str(BATCH)]
    moments = sorted(random.Random(KILLS).sample(range(1, RECORDS - 30 * BATCH), KILLS))
    kills = 0
    with (folder / "said.txt").open("wb") as said:
        for moment in [*moments, None]:
            # At least a few records further than where the last one was killed, so that each has worked.
            begun = progress()
            target = RECORDS if moment is None else max(moment, begun + 1)
            # Progress may be told too small: by a batch or two in all, where it is told by the bytes that were written.
            most = 100 * RECORDS if moment is None else target - begun + 3 * BATCH
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | {"MOST_RECORDS": str(most)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            try:
                if moment is None:
                    assert process.wait(240) == 0, (folder / "said.txt").read_text()
                    break
                assert within_a_minute(lambda: progress() >= target or process.poll() is not None)  # noqa: B023
                assert process.poll() is None, (folder / "said.txt").read_text()
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
            kills += process.returncode == -signal.SIGKILL
    return kills


def test_transactional_effects_are_exact_however_often_the_process_is_killed(
    emulator: Emulator, loaded: str, tmp_path: Path
) -> None:
    (tmp_path / "consumer.py").write_text(STANDING_STILL + EXACT)
    with closing(sqlite3.connect(tmp_path / "sums.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE sums (name TEXT PRIMARY KEY, count INTEGER, total INTEGER)")

        def progress() -> int:
            (count,) = database.execute("SELECT coalesce(sum(count), 0) FROM sums").fetchone()
            return int(count)

        assert work_off(emulator, loaded, tmp_path, progress) == KILLS
        sums = {name: (count, total) for name, count, total in database.execute("SELECT * FROM sums")}
    expected = {f"k{key}": range(key, RECORDS, KEYS) for key in range(KEYS)}
    assert sums == {name: (len(numbers), sum(numbers)) for name, numbers in expected.items()}


@pytest.mark.parametrize("save_every", [None, 100])
def test_sparse_mode_loses_nothing_and_repeats_no_more_than_it_says(
    emulator: Emulator, loaded: str, tmp_path: Path, save_every: int | None
) -> None:
    """Each kill repeats at most the batch in hand of each shard; with ``save_every``, so many records of it."""
    text = SPARSE.replace("NAME", repr(f"sparse-{save_every}")).replace("SAVE_EVERY", str(save_every))
    (tmp_path / "consumer.py").write_text(STANDING_STILL + text)
    notes = tmp_path / "notes.txt"
    notes.touch()
    kills = work_off(emulator, loaded, tmp_path, lambda: notes.stat().st_size // 6)
    assert kills == KILLS
    seen = Counter(map(int, notes.read_bytes().split()))
    assert set(seen) == set(range(RECORDS)), "records were lost"
    repeated = sum(seen.values()) - RECORDS
    assert repeated <= kills * SHARDS * (save_every or BATCH)
