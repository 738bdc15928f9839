"""Transactions in SQLite beyond what every transactional ledger promises: locks, disks, and handlers that misbehave."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import ConfigurationError, LedgerError, TransactionError
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing.clock import VirtualClock
from tests.support.effects import SQLiteEffects, apply_all, sqlite_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCOPE = Scope("totals", "arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-000000000000")
ONE, TWO, THREE = Position(1), Position(2), Position(3)


@pytest.fixture
def effects(tmp_path: Path) -> SQLiteEffects:
    effects = SQLiteEffects(sqlite_place(tmp_path))
    effects.create()
    return effects


@pytest.fixture
def ledger(effects: SQLiteEffects) -> Iterator[SQLiteLedger]:
    with SQLiteLedger(effects.place) as ledger:
        yield ledger


def add(transaction: Any) -> None:
    transaction.execute("INSERT INTO effect VALUES ('one', 1)")


def test_a_group_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        SQLiteLedger(tmp_path / "ledger.db", group_limit=0)


def test_reads_what_it_wrote_and_answers_rows(ledger: SQLiteLedger) -> None:
    def effect(transaction: Any) -> None:
        assert transaction.execute("INSERT INTO effect VALUES (:name, :n)", {"name": "one", "n": 4}).rowcount == 1
        assert transaction.execute("SELECT amount FROM effect WHERE name = ?", ("one",)).fetchone() == (4,)

    assert apply_all(ledger, SCOPE, [(ONE, None, effect)]) == [ONE]


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT",
        " commit;",
        "END",
        "BEGIN IMMEDIATE",
        "ROLLBACK",
        "-- why\n/* not */ rollback",
        "RELEASE kstream_effect",
    ],
)
def test_a_handler_cannot_end_its_transaction(effects: SQLiteEffects, ledger: SQLiteLedger, statement: str) -> None:
    def effect(transaction: Any) -> None:
        add(transaction)
        transaction.execute(statement)

    transaction = ledger.begin(SCOPE)
    assert transaction.apply(ONE, None, add)
    with pytest.raises(TransactionError, match="must leave its transaction open"):
        transaction.apply(TWO, None, effect)
    transaction.commit()
    assert effects.total("one") == 1


def test_a_handler_may_have_savepoints_of_its_own(effects: SQLiteEffects, ledger: SQLiteLedger) -> None:
    def effect(transaction: Any) -> None:
        add(transaction)
        transaction.execute("SAVEPOINT mine")
        add(transaction)
        transaction.execute("ROLLBACK TO mine")
        transaction.execute("RELEASE mine")

    assert apply_all(ledger, SCOPE, [(ONE, None, effect)]) == [ONE]
    assert effects.total("one") == 1


@pytest.mark.parametrize("way", ["commit", "rollback"])
def test_a_handler_that_ends_the_transaction_behind_its_back_is_found_out(
    effects: SQLiteEffects, ledger: SQLiteLedger, way: str
) -> None:
    def effect(transaction: Any) -> None:
        cursor = transaction.execute("INSERT INTO effect VALUES ('one', 1)")
        getattr(cursor.connection, way)()

    transaction = ledger.begin(SCOPE)
    with pytest.raises(LedgerError, match=r"process\(\) ended its transaction"):
        transaction.apply(ONE, None, effect)
    transaction.rollback()
    # Effect and marker are still one: both there, or neither.
    assert effects.total("one") == (1 if way == "commit" else 0)
    assert apply_all(ledger, SCOPE, [(ONE, None, add)]) == ([] if way == "commit" else [ONE])
    assert effects.total("one") == 1


def test_a_statement_that_fails_is_the_handler_s_to_catch(effects: SQLiteEffects, ledger: SQLiteLedger) -> None:
    def effect(transaction: Any) -> None:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            transaction.execute("INSERT INTO nowhere VALUES (1)")
        add(transaction)

    assert apply_all(ledger, SCOPE, [(ONE, None, effect)]) == [ONE]
    assert effects.total("one") == 1


def test_an_error_in_a_statement_passes_as_it_is(ledger: SQLiteLedger) -> None:
    transaction = ledger.begin(SCOPE)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        transaction.apply(ONE, None, lambda own: own.execute("INSERT INTO nowhere VALUES (1)"))
    assert transaction.apply(ONE, None, add)
    transaction.commit()


def test_a_full_disk_is_the_store_s_fault_and_never_the_record_s(effects: SQLiteEffects, ledger: SQLiteLedger) -> None:
    transaction = ledger.begin(SCOPE)
    transaction.apply(ONE, None, add)
    connection = ledger._file._transactions
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    def much(transaction: Any) -> None:
        try:
            transaction.execute("INSERT INTO effect VALUES (?, 1)", ("x" * 1_000_000,))
        except sqlite3.Error as error:
            raise RuntimeError("wrapped by the handler") from error

    with pytest.raises(LedgerError, match="full: make room on its disk"):
        transaction.apply(TWO, None, much)
    transaction.rollback()
    assert effects.total("one") == 0
    connection.execute(f"PRAGMA max_page_count = {1 << 30}")
    assert apply_all(ledger, SCOPE, [(ONE, None, add), (TWO, None, add)]) == [ONE, TWO]


def test_a_constraint_that_waits_for_the_commit_is_an_effect_s_fault(
    effects: SQLiteEffects, ledger: SQLiteLedger
) -> None:
    with closing(sqlite3.connect(effects.place)) as connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    ledger.begin(SCOPE).rollback()
    assert ledger._file._transactions is not None
    ledger._file._transactions.execute("PRAGMA foreign_keys = ON")
    transaction = ledger.begin(SCOPE)
    transaction.apply(ONE, None, add)
    transaction.apply(TWO, None, lambda own: own.execute("INSERT INTO child VALUES (7)"))
    with pytest.raises(sqlite3.IntegrityError):
        transaction.commit()
    assert effects.total("one") == 0
    assert apply_all(ledger, SCOPE, [(ONE, None, add)]) == [ONE]


def test_another_process_that_holds_the_lock_is_a_named_error_and_the_next_transaction_works(
    effects: SQLiteEffects,
) -> None:
    with (
        closing(sqlite3.connect(effects.place, isolation_level=None)) as other,
        SQLiteLedger(effects.place, busy_timeout=0) as ledger,
    ):
        ledger.begin(SCOPE).rollback()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"cannot write.*locked.*busy_timeout"):
            ledger.begin(SCOPE)
        other.execute("ROLLBACK")
        assert apply_all(ledger, SCOPE, [(ONE, None, add)]) == [ONE]


def test_a_connection_that_breaks_is_a_named_error_and_the_next_transaction_works(
    effects: SQLiteEffects, ledger: SQLiteLedger
) -> None:
    for _ in range(2):
        transaction = ledger.begin(SCOPE)
        transaction.apply(ONE, None, add)
        assert ledger._file._transactions is not None
        ledger._file._transactions.close()
        with pytest.raises(LedgerError):
            transaction.apply(TWO, None, add)
        transaction.rollback()
    transaction = ledger.begin(SCOPE)
    transaction.apply(ONE, None, add)
    assert ledger._file._transactions is not None
    ledger._file._transactions.close()
    with pytest.raises(LedgerError, match="cannot commit"):
        transaction.commit()
    assert apply_all(ledger, SCOPE, [(ONE, None, add)]) == [ONE]
    assert effects.total("one") == 1


def test_a_transaction_that_is_over_takes_nothing_more(ledger: SQLiteLedger) -> None:
    transaction = ledger.begin(SCOPE)
    transaction.commit()
    with pytest.raises(LedgerError, match="over"):
        transaction.apply(ONE, None, add)
    with pytest.raises(LedgerError, match="over"):
        transaction.commit()


def test_closing_waits_for_no_transaction_and_breaks_none(effects: SQLiteEffects, ledger: SQLiteLedger) -> None:
    """A thread that outlived its deadline may still be at it."""
    transaction = ledger.begin(SCOPE)
    transaction.apply(ONE, None, add)
    ledger.close()
    transaction.commit()
    assert effects.total("one") == 1
    ledger.close()
    assert ledger._file._transactions is None


def test_transactions_clear_away_what_has_expired(effects: SQLiteEffects) -> None:
    clock = VirtualClock()
    with SQLiteLedger(effects.place, clock=clock, group_limit=10) as ledger:
        for n in range(5):
            apply_all(ledger, SCOPE, [(Position(n * 10 + i), f"{n}-{i}", add) for i in range(10)])
        clock.advance(9 * 86_400)
        for n in range(5, 9):
            apply_all(ledger, SCOPE, [(Position(n * 10 + i), f"{n}-{i}", add) for i in range(10)])
    with closing(sqlite3.connect(effects.place)) as connection:
        assert connection.execute("SELECT count(*) FROM kstream_ledger").fetchone() == (40,)
        assert connection.execute("SELECT count(*) FROM kstream_ledger_keys").fetchone() == (40,)
