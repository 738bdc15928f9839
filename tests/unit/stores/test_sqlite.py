from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kstream.core.errors import ConfigurationError, LedgerError
from kstream.core.ports import Scope
from kstream.stores.sqlite import SQLiteLedger, mark, prepare
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPE = Scope("totals", "arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-000000000000")
NOBODY = 65534


def connection_of(ledger: SQLiteLedger) -> sqlite3.Connection:
    ledger.load(SCOPE, 0, 0)
    assert ledger._connection is not None
    return ledger._connection


def rows(path: Path, table: str = "kstream_ledger") -> int:
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    finally:
        connection.close()
    assert isinstance(count, int)
    return count


@contextmanager
def without_privilege() -> Iterator[None]:
    """Root may write to read-only files; nobody may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that every user can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_makes_no_file_before_it_is_used(tmp_path: Path) -> None:
    SQLiteLedger(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


def test_writes_ahead_and_syncs_every_commit(tmp_path: Path) -> None:
    """WAL lets readers and a writer at it at once; FULL keeps a save through a power failure."""
    with SQLiteLedger(tmp_path / "ledger.db") as ledger:
        connection = connection_of(ledger)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_opens_again_after_close(tmp_path: Path) -> None:
    ledger = SQLiteLedger(tmp_path / "ledger.db")
    ledger.save(SCOPE, {1: 1})
    ledger.close()
    ledger.close()
    assert ledger.load(SCOPE, 0, 9) == {1: 1}
    ledger.close()


def test_a_load_looks_along_one_index(tmp_path: Path) -> None:
    """A clean batch must cost the same however much the file holds."""
    from kstream.stores import sqlite

    with SQLiteLedger(tmp_path / "ledger.db") as ledger:
        plan = connection_of(ledger).execute("EXPLAIN QUERY PLAN " + sqlite._LOAD, ("s", "1", "2", 0)).fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH kstream_ledger USING PRIMARY KEY (scope=? AND sequence>? AND sequence<?)"
    ]


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with SQLiteLedger(path, busy_timeout=0) as writer, SQLiteLedger(path, busy_timeout=0) as reader:
        writer.save(SCOPE, {1: 1})
        connection_of(writer).execute("BEGIN IMMEDIATE")
        assert reader.load(SCOPE, 0, 9) == {1: 1}
        connection_of(writer).execute("ROLLBACK")


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with SQLiteLedger(path) as writer, SQLiteLedger(path, busy_timeout=0) as other:
        connection_of(other)
        connection_of(writer).execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"cannot write.*ledger\.db.*locked.*busy_timeout"):
            other.save(SCOPE, {1: 1})
        connection_of(writer).execute("ROLLBACK")
        other.save(SCOPE, {1: 1})


def test_clears_away_what_expired_a_little_with_each_save(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "ledger.db"
    with SQLiteLedger(path, ttl=timedelta(hours=1), clock=clock) as ledger:
        ledger.save(SCOPE, dict.fromkeys(range(1_000), 1))
        ledger.save_keys(SCOPE, [f"key-{n}" for n in range(1_000)])
        clock.advance(3601)
        ledger.save(SCOPE, dict.fromkeys(range(2_000, 2_100), 1))
        assert rows(path) == 1_000 - 200 + 100
        ledger.save_keys(SCOPE, ["new"])
        assert rows(path, "kstream_ledger_keys") == 1_000 - 2 + 1
        for n in range(5):
            ledger.save(SCOPE, dict.fromkeys(range(3_000 + n * 100, 3_100 + n * 100), 1))
        assert rows(path) == 600


def test_marks_within_a_transaction_of_somebody_else(tmp_path: Path) -> None:
    """The seam for a handler whose effect lies in the same file: both take hold, or neither."""
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path, isolation_level=None)
    prepare(connection)
    connection.execute("CREATE TABLE effect (what TEXT)")
    with SQLiteLedger(path) as ledger:
        for end, expected in (("ROLLBACK", {}), ("COMMIT", {1: 0b11})):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO effect VALUES ('done')")
            mark(connection, SCOPE, {1: 0b01}, now=0, expires_at=4e9)
            mark(connection, SCOPE, {1: 0b10}, now=0, expires_at=4e9)
            connection.execute(end)
            assert ledger.load(SCOPE, 0, 9) == expected
    connection.close()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with (
        SQLiteLedger(tmp_path / "absent" / "ledger.db") as ledger,
        pytest.raises(LedgerError, match=r"cannot read.*the directory '.*absent' does not exist: make it"),
    ):
        ledger.load(SCOPE, 0, 9)


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with SQLiteLedger(tmp_path) as ledger, pytest.raises(LedgerError, match="it is a directory: name a file"):
        ledger.save(SCOPE, {1: 1})


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("dear diary\n" * 500)
    with SQLiteLedger(path) as ledger, pytest.raises(LedgerError, match=r"not a database.*name another path"):
        ledger.save(SCOPE, {1: 1})
    assert path.read_text() == "dear diary\n" * 500


def test_a_file_that_may_not_be_written_is_named(open_folder: Path) -> None:
    path = open_folder / "ledger.db"
    with SQLiteLedger(path) as ledger:
        ledger.save(SCOPE, {1: 1})
    path.chmod(0o444)
    expected = r"ledger\.db.*(let this process write|needs to read and write)"
    with without_privilege(), SQLiteLedger(path) as ledger, pytest.raises(LedgerError, match=expected):
        ledger.save(SCOPE, {2: 1})


def test_a_directory_that_may_not_be_written_is_named(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    expected = "needs to read and write it and its directory"
    ledger = SQLiteLedger(open_folder / "ledger.db")
    with without_privilege(), pytest.raises(LedgerError, match=expected):
        ledger.save(SCOPE, {2: 1})


def test_a_full_disk_fails_the_save_whole_and_the_next_one_works(tmp_path: Path) -> None:
    with SQLiteLedger(tmp_path / "ledger.db") as ledger:
        ledger.save(SCOPE, {1: 1})
        connection = connection_of(ledger)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(LedgerError, match=r"cannot write.*full: make room on its disk"):
            ledger.save(SCOPE, dict.fromkeys(range(10_000), 1))
        assert ledger.load(SCOPE, 0, 99_999) == {1: 1}
        connection.execute(f"PRAGMA max_page_count = {1 << 30}")
        ledger.save(SCOPE, {2: 1})
        assert ledger.load(SCOPE, 0, 99_999) == {1: 1, 2: 1}


def test_a_disk_that_refuses_to_grow_the_file_is_named(tmp_path: Path) -> None:
    """As the system refuses it, and not SQLite."""
    with SQLiteLedger(tmp_path / "ledger.db") as ledger:
        ledger.save(SCOPE, {1: 1})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(LedgerError, match=r"cannot write.*(full|I/O error).*disk"):
                ledger.save(SCOPE, dict.fromkeys(range(50_000), 1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        ledger.save(SCOPE, {2: 1})
        assert ledger.load(SCOPE, 0, 99_999) == {1: 1, 2: 1}


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_database_in_memory_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="MemoryLedger"):
        SQLiteLedger(path)


def test_a_time_to_live_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="retention"):
        SQLiteLedger(tmp_path / "ledger.db", ttl=timedelta(0))
