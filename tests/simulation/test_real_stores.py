"""The same histories over stores that people use: SQLite's ledger with the effects beside its markers, and directories."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.handler import Handler, TransactionalHandler
from kstream.stores.directory import DirectoryDeadLetters
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing.simulator import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from kstream.core.record import Record


class Counting(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None:
        transaction.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1",
            (record.partition_key,),
        )


class Plain(Handler):
    def process(self, record: Record) -> None:
        pass


def test_effects_in_sqlite_happen_exactly_once(tmp_path: Path, soak: bool) -> None:
    path = tmp_path / "effects.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER)")
    happened = 0
    with SQLiteLedger(path) as ledger:
        for seed in range(2_000 if soak else 150):
            consumer = Consumer(Counting, ordering="partition_key", ledger=ledger, dead_letters=MemoryDeadLetters())
            report = simulate(consumer, seed=seed)
            report.raise_for_violations()
            happened += len(report.effects)
            [(count,)] = connection.execute("SELECT coalesce(sum(count), 0) FROM counts")
            assert count == happened, f"seed {seed}: the effects and the report differ"
    connection.close()


@pytest.mark.parametrize("mode", ["sparse", "full"])
def test_a_sqlite_ledger_and_a_directory_keep_every_promise(tmp_path: Path, mode: Any, soak: bool) -> None:
    with SQLiteLedger(tmp_path / "ledger.sqlite") as ledger:
        letters = DirectoryDeadLetters(tmp_path / "letters")
        consumer = Consumer(
            Plain, ordering="partition_key", ledger=MemoryLedger(), mode=mode, dead_letters=MemoryDeadLetters()
        )
        for seed in range(2_000 if soak else 100):
            simulate(consumer, seed=seed, ledger=ledger, dead_letters=letters).raise_for_violations()
