"""Transactions in SQLite beyond what every transactional ledger promises: locks, disks, and handlers that misbehave."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, LedgerError, TransactionError
from kstream.core.handler import TransactionalHandler
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.core.retry import Retry
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing.clock import VirtualClock
from tests.support.effects import SQLiteEffects, apply_all, sqlite_place
from tests.support.processing import Letters, batch, entry, processor_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream.core.record import Record

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
        "; ROLLBACK",
        ";; /* a */ ; -- b\n ;commit",
        "\ufeffROLLBACK",
        "ROLLBACK /* to */",
        "RELEASE kstream_effect",
        "; release\tKStream_Effect",
        'ROLLBACK TO/**/"kstream_effect"',
        "SAVEPOINT [kstream_effect]",
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
        transaction.execute("ROLLBACK /* what came after */ TO mine")
        transaction.execute("RELEASE mine")

    assert apply_all(ledger, SCOPE, [(ONE, None, effect)]) == [ONE]
    assert effects.total("one") == 1


def test_text_that_merely_names_kstream_s_savepoint_is_no_statement_about_it(
    effects: SQLiteEffects, ledger: SQLiteLedger
) -> None:
    def effect(transaction: Any) -> None:
        transaction.execute("INSERT INTO effect VALUES ('release kstream_effect', 1)")

    assert apply_all(ledger, SCOPE, [(ONE, None, effect)]) == [ONE]
    assert effects.total("release kstream_effect") == 1


@pytest.mark.parametrize("way", ["commit", "rollback"])
def test_a_handler_that_ends_the_transaction_behind_its_back_is_found_out(
    effects: SQLiteEffects, ledger: SQLiteLedger, way: str
) -> None:
    """What it has committed nobody can undo; what it has rolled back is its record's failure, like any other."""

    def effect(transaction: Any) -> None:
        cursor = transaction.execute("INSERT INTO effect VALUES ('one', 1)")
        getattr(cursor.connection, way)()

    transaction = ledger.begin(SCOPE)
    kind = LedgerError if way == "commit" else TransactionError
    with pytest.raises(kind, match=r"process\(\) (ended its transaction|has rolled its transaction back)"):
        transaction.apply(ONE, None, effect)
    transaction.rollback()
    # Effect and marker are still one: both there, or neither.
    assert effects.total("one") == (1 if way == "commit" else 0)
    assert apply_all(ledger, SCOPE, [(ONE, None, add)]) == ([] if way == "commit" else [ONE])
    assert effects.total("one") == 1


@pytest.fixture
def bounded(effects: SQLiteEffects) -> None:
    """Constraints that end the whole transaction: of a table, and of a trigger."""
    with closing(sqlite3.connect(effects.place)) as connection:
        connection.execute("CREATE TABLE bounded (n INTEGER CHECK (n >= 0))")
        connection.execute("CREATE TABLE watched (n INTEGER)")
        connection.execute(
            "CREATE TRIGGER watch BEFORE INSERT ON watched WHEN new.n < 0 BEGIN SELECT RAISE(ROLLBACK, 'negative'); END"
        )


ROLLING_BACK = ["INSERT OR ROLLBACK INTO bounded VALUES (-1)", "INSERT INTO watched VALUES (-1)"]


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("statement", ROLLING_BACK)
def test_a_constraint_that_rolls_everything_back_is_the_record_s_failure_and_leaves_nothing_to_commit(
    effects: SQLiteEffects, ledger: SQLiteLedger, statement: str
) -> None:
    transaction = ledger.begin(SCOPE)
    assert transaction.apply(ONE, "one", add)
    with pytest.raises(sqlite3.IntegrityError) as raised:
        transaction.apply(TWO, "two", lambda own: own.execute(statement))
    with pytest.raises(LedgerError, match="rolled back"):
        transaction.apply(THREE, None, add)
    # The very error that has been raised: whoever applied knows then that the others are not to blame.
    with pytest.raises(sqlite3.IntegrityError) as again:
        transaction.commit()
    assert again.value is raised.value
    transaction.rollback()
    assert effects.total("one") == 0
    assert not ledger.load(SCOPE, 1, 3)
    assert apply_all(ledger, SCOPE, [(ONE, "one", add), (TWO, "two", add)]) == [ONE, TWO]
    assert effects.total("one") == 2


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("statement", ROLLING_BACK)
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_handler_that_catches_such_a_constraint_can_do_nothing_more(
    effects: SQLiteEffects, ledger: SQLiteLedger, statement: str, *, goes_on: bool
) -> None:
    def effect(transaction: Any) -> None:
        try:
            transaction.execute(statement)
        except sqlite3.IntegrityError:
            if goes_on:
                add(transaction)

    for _ in range(2):
        transaction = ledger.begin(SCOPE)
        assert transaction.apply(ONE, None, add)
        with pytest.raises(TransactionError, match=r"rolled its transaction back.*(CHECK|negative)"):
            transaction.apply(TWO, None, effect)
        with pytest.raises(TransactionError):
            transaction.commit()
        assert effects.total("one") == 0
        assert not ledger.load(SCOPE, 1, 3)


class Bounding(TransactionalHandler[Any]):
    """Takes a record's number where it is not negative; where it is, everything is rolled back."""

    catches = False

    def process(self, record: Record, transaction: Any) -> None:
        try:
            transaction.execute("INSERT OR ROLLBACK INTO bounded VALUES (?)", (int(record.data),))
        except sqlite3.IntegrityError:
            if not self.catches:
                raise
            add(transaction)


class Catching(Bounding):
    catches = True


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("handler", [Bounding, Catching])
@pytest.mark.parametrize("ordering", ["partition_key", "shard", "none"])
@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize("numbers", [[1, -2, 3], [-1, 2], [1, 2, -3, -4], [1, 2, 3, -4], [-1]])
def test_one_poison_record_blocks_nobody_and_blames_nobody_else(
    effects: SQLiteEffects,
    ledger: SQLiteLedger,
    handler: type[Bounding],
    ordering: Any,
    attempts: int,
    numbers: list[int],
) -> None:
    """Also the one record before it, which has but one attempt, and was undone with it."""
    letters = Letters()
    consumer = Consumer(
        handler,
        name="bounding",
        ordering=ordering,
        ledger=ledger,
        dead_letters=letters,
        retry=Retry(attempts=attempts, base=0, exhausted="dead_letter"),
    )
    processor = processor_of(consumer, clock=VirtualClock())
    given = batch(*(entry(at, str(number).encode(), key=f"k{at}") for at, number in enumerate(numbers, 1)))
    outcome = processor.process(given)
    processor.close()
    good = [number for number in numbers if number > 0]
    assert (outcome.complete, outcome.done, outcome.ledger_failures) == (True, len(good), 0)
    assert [int(letter.record.data) for letter in letters.stored] == [number for number in numbers if number < 0]
    assert {letter.attempts for letter in letters.stored} == {attempts}
    with closing(sqlite3.connect(effects.place)) as connection:
        assert [n for (n,) in connection.execute("SELECT n FROM bounded ORDER BY n")] == good
    assert effects.total("one") == 0


def test_a_statement_that_closes_the_connection_is_not_taken_for_success(ledger: SQLiteLedger) -> None:
    transaction = ledger.begin(SCOPE)
    with pytest.raises(LedgerError):
        transaction.apply(ONE, None, lambda own: own.execute("SELECT 1").connection.close())
    transaction.rollback()
    assert apply_all(ledger, SCOPE, [(ONE, None, add)]) == [ONE]


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
