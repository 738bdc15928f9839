"""Transactional consumers in several processes at once, over the same records, in every store."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.effects import KINDS, sqlite_place
from tests.support.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.local.emulator import Emulator
    from tests.support.effects import Effects

ROOT = Path(__file__).parents[2]
RECORDS = 150
PROCESSES = 2

# Waits for a line, so that all start at once; then delivers one and the same batch until it is done.
DELIVERING = """
import os, signal, sys, time
from kstream.core.consumer import Consumer
from kstream.core.handler import TransactionalHandler
from tests.support.effects import KINDS
from tests.support.processing import batch, entry, processor_of
from kstream.clock import SystemClock

kind, place, name, records, fatal = sys.argv[1:]
effects = KINDS[kind](place)

class Adding(TransactionalHandler):
    def process(self, record, transaction):
        number = int(record.data)
        effects.add(transaction, name, number)
        if number == int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)

consumer = Consumer(Adding(), name=name, ledger=effects.ledger())
processor = processor_of(consumer, clock=SystemClock())
given = batch(*(entry(n, str(n).encode()) for n in range(int(records))))
print("ready", flush=True)
sys.stdin.readline()
done = 0
for _ in range(100):
    outcome = processor.process(given)
    done += outcome.done
    if outcome.complete:
        break
print(done, outcome.complete, flush=True)
os._exit(0)
"""


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    with postgres() as dsn:
        yield dsn


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def effects(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Effects:
    if kind == "dynamodb":
        emulator: Emulator = request.getfixturevalue("emulator")
        place = f"{emulator.endpoint_url} ledger-{uuid.uuid4().hex}"
    else:
        place = sqlite_place(tmp_path) if kind == "sqlite" else request.getfixturevalue("postgres_dsn")
    effects: Effects = KINDS[kind](place)
    effects.create()
    return effects


class Deliveries:
    """Processes that deliver the same batch, all at once."""

    def __init__(self, kind: str, effects: Effects) -> None:
        self.kind = kind
        self.effects = effects
        self.name = uuid.uuid4().hex

    def run(self, processes: int, *, fatal: int = -1) -> list[tuple[int, str]]:
        """Each one's return code, and what it said: how many records it did, and whether the batch was done."""
        place: str = self.effects.place  # type: ignore[attr-defined]
        command = [sys.executable, "-c", DELIVERING, self.kind, place, self.name, str(RECORDS), str(fatal)]
        running = [
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        said = []
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in running:
            text, _ = process.communicate(timeout=120)
            said.append((process.returncode, text.strip()))
        return said


@pytest.fixture
def deliveries(kind: str, effects: Effects) -> Deliveries:
    return Deliveries(kind, effects)


def test_processes_with_the_same_batch_make_each_effect_once(deliveries: Deliveries) -> None:
    """As when a delivery is repeated while the first one still runs."""
    said = deliveries.run(PROCESSES)
    assert [code for code, _ in said] == [0] * PROCESSES
    assert all(text.endswith(" True") for _, text in said)
    # Some were done by the one and some by the other, none by both.
    assert sum(int(text.split()[0]) for _, text in said) == RECORDS
    assert deliveries.effects.total(deliveries.name) == sum(range(RECORDS))


def test_a_process_that_is_killed_within_an_effect_leaves_nothing_of_it(deliveries: Deliveries) -> None:
    """And its locks keep nobody out."""
    fatal = RECORDS // 2
    assert deliveries.run(1, fatal=fatal) == [(-signal.SIGKILL, "")]
    before = deliveries.effects.total(deliveries.name)
    assert before in (sum(range(n)) for n in range(fatal + 1))
    ((code, text),) = deliveries.run(1)
    assert code == 0
    assert text.endswith(" True")
    assert deliveries.effects.total(deliveries.name) == sum(range(RECORDS))
