from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import ConfigurationError, LedgerError
from kstream.core.patience import Patience
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.stores.sqlite import SQLiteLedger, mark, prepare
from kstream.testing.clock import VirtualClock
from tests.support.effects import apply_all

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPE = Scope("totals", "arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-000000000000")
NOBODY = 65534
COLUMNS = "scope TEXT, sequence TEXT, done BLOB, expires_at REAL"


def connection_of(ledger: SQLiteLedger) -> sqlite3.Connection:
    ledger.load(SCOPE, 0, 0)
    assert ledger._file._connection is not None
    return ledger._file._connection


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


@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TABLE kstream_ledger (id INTEGER PRIMARY KEY, what TEXT)",
        f"CREATE TABLE kstream_ledger ({COLUMNS})",
        f"CREATE TABLE kstream_ledger ({COLUMNS}, own INT NOT NULL, PRIMARY KEY (scope, sequence))",
        "CREATE VIEW kstream_ledger AS SELECT 1 AS expires_at",
    ],
    ids=["other columns", "no key", "one column more", "a view"],
)
@pytest.mark.parametrize("way", ["save", "begin"])
def test_tables_of_another_application_are_named_with_the_remedy(tmp_path: Path, foreign: str, way: str) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute(foreign)
    expected = r"ledger\.db': .*are not as this kstream makes them: name another path"
    with SQLiteLedger(path) as ledger, pytest.raises(LedgerError, match=expected):
        ledger.save(SCOPE, {1: 1}) if way == "save" else apply_all(ledger, SCOPE, [(Position(1), None, lambda own: 0)])


def test_another_application_s_database_may_hold_the_ledger_beside_its_own(tmp_path: Path) -> None:
    """That is what transactions are for."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE orders (id INTEGER)")
    with SQLiteLedger(path) as ledger:
        ledger.save(SCOPE, {1: 1})
        assert ledger.load(SCOPE, 0, 9) == {1: 1}


def test_a_transaction_in_a_file_that_may_not_be_written_names_the_remedy(open_folder: Path) -> None:
    path = open_folder / "ledger.db"
    with SQLiteLedger(path) as ledger:
        ledger.save(SCOPE, {1: 1})
    path.chmod(0o444)
    expected = r"ledger\.db.*(let this process write|needs to read and write)"
    with without_privilege(), SQLiteLedger(path) as ledger, pytest.raises(LedgerError, match=expected):
        ledger.begin(SCOPE)


def test_threads_wait_for_each_other_no_longer_than_the_deadline_allows(tmp_path: Path) -> None:
    with SQLiteLedger(tmp_path / "ledger.db") as ledger:
        transaction = ledger.begin(SCOPE)  # this process's only turn
        with pytest.raises(LedgerError, match="other threads of this process keep it busy"):
            ledger.within(Patience(lambda: 0.02)).begin(SCOPE)
        transaction.rollback()
        ledger.within(Patience(lambda: 0.02)).begin(SCOPE).rollback()


@pytest.mark.parametrize("wrong", [{"busy_timeout": -1}, {"busy_timeout": "5"}, {"busy_timeout": float("nan")}])
def test_a_timeout_that_is_none_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"SQLiteLedger\(busy_timeout=.*seconds, at least 0"):
        SQLiteLedger(tmp_path / "ledger.db", **wrong)


@pytest.mark.parametrize("ttl", [3600, "8d", None])
@pytest.mark.parametrize("store", ["memory", "sqlite", "postgres", "dynamodb"])
def test_a_time_to_live_is_a_timedelta(store: str, ttl: Any) -> None:
    from kstream.aws.ledger import DynamoDBLedger
    from kstream.stores.memory import MemoryLedger
    from kstream.stores.postgres import PostgresLedger

    make: dict[str, Any] = {
        "memory": lambda: MemoryLedger(ttl=ttl),
        "sqlite": lambda: SQLiteLedger("ledger.db", ttl=ttl),
        "postgres": lambda: PostgresLedger("", ttl=ttl),
        "dynamodb": lambda: DynamoDBLedger("ledger", ttl=ttl),
    }
    with pytest.raises(ConfigurationError, match=r"ttl=.* is no timedelta: give one, such as timedelta\(days=8\)"):
        make[store]()


@pytest.mark.parametrize("path", [None, 5, b"ledger.db"])
def test_what_is_no_path_is_refused_at_once(path: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"SQLiteLedger\(.*: a path"):
        SQLiteLedger(path)
