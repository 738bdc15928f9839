"""Ledgers between processes: several at once, and one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from kstream.aws.ledger import DynamoDBLedger
from kstream.core.ports import Scope
from kstream.stores.sqlite import SQLiteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream.core.ports import Ledger
    from kstream.local.emulator import Emulator

BASE = 49590338271490256608559692538361571095921575989136588898
PROCESSES = 4
SAVES = 25

# Waits for a line, so that all start at once; then saves what is its own and what is everybody's.
SAVING = """
import os, signal, sys
from kstream.aws.ledger import DynamoDBLedger
from kstream.core.ports import Scope
from kstream.stores.sqlite import SQLiteLedger

kind, place, name, me, saves, base, end = sys.argv[1:]
me, saves, base = int(me), int(saves), int(base)
scope = Scope(name, "arn", "shardId-000000000000")
ledger = SQLiteLedger(place, busy_timeout=60) if kind == "sqlite" else DynamoDBLedger(name, endpoint_url=place)
print("ready", flush=True)
sys.stdin.readline()
for n in range(saves):
    ledger.save(scope, {base: 1 << (me * saves + n), base + 1 + me * saves + n: 1})
    ledger.save_keys(scope, [f"{me}-{n}"])
if end == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "sqlite":
    ledger.close()
"""


class Shared:
    """A store that processes share."""

    def __init__(self, kind: str, place: str, ledger: Ledger, name: str) -> None:
        self.kind = kind
        self.place = place
        self.ledger = ledger
        self.scope = Scope(name, "arn", "shardId-000000000000")

    def start(self, me: int, *, end: str = "closed") -> subprocess.Popen[str]:
        arguments = [self.kind, self.place, self.scope.consumer, str(me), str(SAVES), str(BASE), end]
        return subprocess.Popen(
            [sys.executable, "-c", SAVING, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def check(self, processes: int) -> None:
        count = processes * SAVES
        expected = {BASE: (1 << count) - 1} | {BASE + 1 + n: 1 for n in range(count)}
        assert dict(self.ledger.load(self.scope, BASE, BASE + count)) == expected
        keys = {f"{me}-{n}" for me in range(processes) for n in range(SAVES)}
        assert set(self.ledger.load_keys(self.scope, keys | {"other"})) == keys


@pytest.fixture(params=["sqlite", "dynamodb"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    name = f"ledger-{uuid.uuid4().hex}"
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        with SQLiteLedger(path) as ledger:
            yield Shared("sqlite", str(path), ledger, name)
    else:
        emulator: Emulator = request.getfixturevalue("emulator")
        table = DynamoDBLedger(name, endpoint_url=emulator.endpoint_url)
        table.create_table()
        yield Shared("dynamodb", emulator.endpoint_url, table, name)


def finish(processes: list[subprocess.Popen[str]]) -> list[int]:
    """Lets them all go at once, and waits for their ends."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=240)
    return [process.returncode for process in processes]


def test_processes_that_save_at_once_lose_nothing(shared: Shared) -> None:
    """The SQLite file does not exist before: all of them make it at once, too."""
    assert finish([shared.start(me) for me in range(PROCESSES)]) == [0] * PROCESSES
    shared.check(PROCESSES)


def test_what_was_saved_outlives_a_process_that_is_killed(shared: Shared) -> None:
    assert finish([shared.start(0, end="killed")]) == [-signal.SIGKILL]
    shared.check(1)
    # And what it left open keeps nobody out.
    assert finish([shared.start(1)]) == [0]
    shared.check(2)
