"""The PostgreSQL ledger beyond what every ledger promises: connections that break, and handlers that misbehave."""

from __future__ import annotations

import socket
import sys
import threading
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from kstream.core.errors import ConfigurationError, LedgerError, TransactionError
from kstream.core.patience import Patience
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.stores.postgres import PostgresLedger
from kstream.testing.clock import VirtualClock
from tests.support.effects import PostgresEffects, apply_all
from tests.support.postgres import Cut, postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

pytestmark = pytest.mark.integration

ONE, TWO, THREE = Position(1), Position(2), Position(3)


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    with postgres() as dsn:
        PostgresEffects(dsn).create()
        yield dsn


@pytest.fixture
def effects(dsn: str) -> PostgresEffects:
    return PostgresEffects(dsn)


@pytest.fixture
def scope() -> Scope:
    return Scope("totals", uuid.uuid4().hex, "shardId-000000000000")


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def add(effects: PostgresEffects, name: str) -> Callable[[Any], None]:
    return lambda transaction: effects.add(transaction, name)


@pytest.fixture
def ledger(dsn: str) -> Iterator[PostgresLedger]:
    with PostgresLedger(dsn) as ledger:
        yield ledger


def kill(dsn: str, transaction: Any) -> None:
    """Ends the server's side of a transaction, as a failover does."""
    pid = transaction._connection.info.backend_pid
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Waits for its end, up to so many milliseconds.
        assert connection.execute("SELECT pg_terminate_backend(%s, 30000)", (pid,)).fetchone() == (True,)


def test_a_group_of_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        PostgresLedger("", group_limit=0)


def test_connects_at_the_first_use_and_again_after_close(dsn: str, scope: Scope) -> None:
    ledger = PostgresLedger(dsn)
    ledger.save(scope, {1: 1})
    ledger.close()
    ledger.close()
    assert ledger.load(scope, 0, 9) == {1: 1}
    ledger.close()


def test_transactions_take_connections_in_turn_and_side_by_side(dsn: str, ledger: PostgresLedger, scope: Scope) -> None:
    for n in range(5):
        apply_all(ledger, scope, [(Position(n), None, lambda own: None)])
    assert len(ledger._connections._idle) == 1
    one, two = ledger.begin(scope), ledger.begin(scope)
    one.rollback()
    two.rollback()
    assert len(ledger._connections._idle) == 2


@pytest.mark.parametrize("moment", ["idle", "begun", "applied", "in the effect", "commit"])
def test_a_connection_that_breaks_is_a_named_error_and_the_next_transaction_works(
    dsn: str, ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any, moment: str
) -> None:
    def broken(own: Any) -> None:
        kill(dsn, transaction)
        add(own)

    transaction = ledger.begin(scope)
    if moment == "idle":
        # Several connections lie idle, all of them dead: nobody hears of it.
        others = [ledger.begin(scope) for _ in range(3)]
        for one in (transaction, *others):
            one.rollback()
            kill(dsn, one)
    else:
        if moment in ("applied", "commit"):
            assert transaction.apply(ONE, None, add)
        if moment != "in the effect":
            kill(dsn, transaction)
        effect = broken if moment == "in the effect" else add
        step = transaction.commit if moment == "commit" else partial(transaction.apply, TWO, None, effect)
        with pytest.raises(LedgerError, match="the ledger in PostgreSQL"):
            step()
        transaction.rollback()
    assert effects.total(name) == 0
    assert apply_all(ledger, scope, [(ONE, None, add), (TWO, None, add)]) == [ONE, TWO]
    assert effects.total(name) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_answer_is_lost_may_be_applied_again(
    dsn: str, scope: Scope, effects: PostgresEffects, name: str, add: Any, when: Literal["before", "after"]
) -> None:
    """The line breaks before the server hears of the commit, or after it has done it: nobody can tell which."""
    todo = [(ONE, "one", add), (TWO, "two", add)]
    with Cut(dsn) as cut, PostgresLedger(cut.dsn) as ledger:
        apply_all(ledger, scope, [(THREE, None, add)])
        cut.when = when
        with pytest.raises(LedgerError, match="cannot commit"):
            apply_all(ledger, scope, todo)
        assert cut.cuts == 1
        assert effects.total(name) == (1 if when == "before" else 3)
        assert apply_all(ledger, scope, todo) == ([ONE, TWO] if when == "before" else [])
        assert effects.total(name) == 3
        assert ledger.load(scope, 0, 9) == {1: 1, 2: 1, 3: 1}


def test_a_second_transaction_waits_for_the_first_and_then_knows(
    dsn: str, ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any
) -> None:
    first = ledger.begin(scope)
    first.apply(ONE, "key", add)
    found: list[Any] = []
    waiting = threading.Thread(
        target=lambda: found.append(apply_all(ledger, scope, [(ONE, None, add), (TWO, "key", add)]))
    )
    waiting.start()
    waiting.join(0.2)
    assert found == []
    first.commit()
    waiting.join(60)
    assert found == [[]]
    assert effects.total(name) == 1


def test_a_second_transaction_does_it_if_the_first_is_undone(
    ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any
) -> None:
    first = ledger.begin(scope)
    first.apply(ONE, "key", add)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(apply_all(ledger, scope, [(ONE, "key", add)])))
    waiting.start()
    first.rollback()
    waiting.join(60)
    assert found == [[ONE]]
    assert effects.total(name) == 1


@pytest.mark.parametrize(
    "statement",
    ["COMMIT", "ROLLBACK", "end", "START TRANSACTION", "/* so */ ABORT", "PREPARE TRANSACTION 'x'", "ROLLBACK WORK"],
)
def test_a_handler_cannot_end_its_transaction(
    ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any, statement: str
) -> None:
    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, add)
    with pytest.raises(TransactionError, match="must leave its transaction open"):
        transaction.apply(TWO, None, lambda own: (add(own), own.execute(statement)))
    transaction.commit()
    assert effects.total(name) == 1


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT 1; COMMIT", ()),
        ("SELECT ';'; ROLLBACK -- so", ()),
        ("SELECT 1; ROLLBACK; BEGIN; SAVEPOINT kstream_effect", ()),
        ("SELECT 1; SELECT 2;", ()),
        ("SELECT %s::text; COMMIT", ("x",)),
    ],
)
def test_one_statement_at_a_time_as_in_sqlite(
    ledger: PostgresLedger,
    scope: Scope,
    effects: PostgresEffects,
    name: str,
    add: Any,
    statement: str,
    parameters: tuple[str, ...],
) -> None:
    """What is behind the first could end the transaction, with nobody having looked at it."""
    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, add)
    with pytest.raises(TransactionError, match="more than one statement"):
        transaction.apply(TWO, None, lambda own: (add(own), own.execute(statement, parameters)))
    transaction.commit()
    assert effects.total(name) == 1
    assert apply_all(ledger, scope, [(ONE, None, add), (TWO, None, add)]) == [TWO]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'a;b'; -- and no more",
        "SELECT $$a;b$$;",
        "/* a; b */ SELECT 'a;b';;",
        "DO $$ BEGIN PERFORM 1; PERFORM 2; END $$",
        "SELECT '%' || ';'",
    ],
)
def test_a_semicolon_alone_does_not_make_two_statements(
    ledger: PostgresLedger, scope: Scope, name: str, add: Any, statement: str
) -> None:
    assert apply_all(ledger, scope, [(ONE, None, lambda own: (own.execute(statement), add(own)))]) == [ONE]


def test_a_statement_that_is_no_sql_raises_what_the_driver_does(ledger: PostgresLedger, scope: Scope) -> None:
    with pytest.raises(psycopg.errors.SyntaxError, match="SELEC"):
        apply_all(ledger, scope, [(ONE, None, lambda own: own.execute("SELEC 1; SELECT 2"))])


@pytest.mark.parametrize("raises", [False, True])
def test_a_handler_that_ends_the_transaction_behind_its_back_is_found_out(
    ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any, raises: bool
) -> None:
    def effect(own: Any) -> None:
        add(own)
        own.execute("/* /* comments nest here, and not in SQLite */ */ COMMIT")
        if raises:
            raise ValueError("and fails besides")

    transaction = ledger.begin(scope)
    with pytest.raises(LedgerError, match=r"process\(\) ended its transaction"):
        transaction.apply(ONE, None, effect)
    transaction.rollback()
    assert apply_all(ledger, scope, [(ONE, None, add)]) == []
    assert effects.total(name) == 1


def test_a_handler_that_goes_on_after_a_failed_statement_has_failed(
    ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any
) -> None:
    """PostgreSQL would answer its COMMIT with a quiet rollback."""

    def effect(own: Any) -> None:
        add(own)
        with pytest.raises(psycopg.errors.UndefinedTable):
            own.execute("INSERT INTO nowhere VALUES (1)")

    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, add)
    with pytest.raises(TransactionError, match="went on after a statement that failed"):
        transaction.apply(TWO, None, effect)
    transaction.commit()
    assert effects.total(name) == 1
    assert ledger.load(scope, 0, 9) == {1: 1}


def test_a_handler_may_go_on_from_a_savepoint_of_its_own(
    ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any
) -> None:
    def effect(own: Any) -> None:
        own.execute("SAVEPOINT mine")
        with pytest.raises(psycopg.errors.UndefinedTable):
            own.execute("INSERT INTO nowhere VALUES (1)")
        own.execute("ROLLBACK TO SAVEPOINT mine")
        add(own)

    assert apply_all(ledger, scope, [(ONE, None, effect)]) == [ONE]
    assert effects.total(name) == 1


def test_an_error_in_a_statement_passes_as_it_is(ledger: PostgresLedger, scope: Scope, add: Any) -> None:
    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, add)
    with pytest.raises(psycopg.errors.UndefinedTable):
        transaction.apply(TWO, None, lambda own: own.execute("INSERT INTO nowhere VALUES (1)"))
    transaction.commit()
    assert ledger.load(scope, 0, 9) == {1: 1}


@pytest.mark.parametrize("code", ["53100", "57P02", "25006", "XX000"])
def test_what_the_server_is_to_blame_for_is_never_the_record_s_fault(
    ledger: PostgresLedger, scope: Scope, code: str
) -> None:
    """A full disk, a shutdown, a replica, a fault of its own."""
    transaction = ledger.begin(scope)
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$"
    with pytest.raises(LedgerError, match="cannot write the ledger in PostgreSQL"):
        transaction.apply(ONE, None, lambda own: own.execute(raising))
    transaction.rollback()


def test_a_constraint_that_waits_for_the_commit_is_an_effect_s_fault(
    dsn: str, ledger: PostgresLedger, scope: Scope, effects: PostgresEffects, name: str, add: Any
) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE only_once (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO only_once VALUES (7)")
    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, add)
    transaction.apply(TWO, None, lambda own: own.execute("INSERT INTO only_once VALUES (7)"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        transaction.commit()
    assert effects.total(name) == 0
    assert apply_all(ledger, scope, [(ONE, None, add)]) == [ONE]


def test_transactions_clear_away_what_has_expired(dsn: str, scope: Scope) -> None:
    def rows() -> int:
        with psycopg.connect(dsn) as connection:
            row = connection.execute("SELECT count(*) FROM kstream_ledger WHERE scope LIKE %s", (f"%{scope[1]}%",))
            (count,) = row.fetchone() or (0,)
        return int(count)

    # Long ago, so that nothing of the other tests expires.
    clock = VirtualClock(start=1_000_000_000.0)
    with PostgresLedger(dsn, clock=clock) as ledger:
        apply_all(ledger, scope, [(Position(n), f"{n}", lambda own: None) for n in range(50)])
        clock.advance(9 * 86_400)
        apply_all(ledger, scope, [(Position(n), f"{n}", lambda own: None) for n in range(100, 120)])
        assert rows() == 50 + 20 - 40
        apply_all(ledger, scope, [(Position(n), f"{n}", lambda own: None) for n in range(120, 130)])
        assert rows() == 30


def test_instances_that_make_the_tables_at_once_do_not_collide(dsn: str, scope: Scope) -> None:
    database = f"d{uuid.uuid4().hex}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    ledgers = [PostgresLedger(dsn.replace("dbname=postgres", f"dbname={database}")) for _ in range(6)]
    together = threading.Barrier(6)
    errors: list[Exception] = []

    def work(ledger: PostgresLedger, n: int) -> None:
        together.wait()
        try:
            ledger.save(scope, {n: 1})
        except LedgerError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(ledger, n)) for n, ledger in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert ledgers[0].load(scope, 0, 9) == dict.fromkeys(range(6), 1)
    for ledger in ledgers:
        ledger.close()


def test_a_user_who_may_not_make_tables_is_told_so(dsn: str, scope: Scope) -> None:
    database, user = f"d{uuid.uuid4().hex}", f"u{uuid.uuid4().hex}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
        connection.execute(f"CREATE USER {user}")
    own = dsn.replace("dbname=postgres", f"dbname={database}")
    with (
        PostgresLedger(own.replace("user=postgres", f"user={user}")) as ledger,
        pytest.raises(LedgerError, match="permission denied"),
    ):
        ledger.load(scope, 0, 9)


def test_a_server_that_is_not_there_is_a_named_error(scope: Scope, tmp_path: Any) -> None:
    with pytest.raises(LedgerError, match=r"(?s)cannot write the ledger in PostgreSQL.*Is the server running"):
        PostgresLedger(f"host={tmp_path}").begin(scope)


def test_no_message_repeats_the_password(dsn: str, scope: Scope, tmp_path: Any) -> None:
    for given in (
        f"host={tmp_path} password=s3cret",
        "s3cret",
        "host=x password = 's3cret",
        "postgresql://a:s3cret@[x",
    ):
        with pytest.raises(LedgerError) as caught:
            PostgresLedger(given).load(scope, 0, 9)
        error: BaseException | None = caught.value
        while error is not None and not isinstance(error, psycopg.Error):
            assert "s3cret" not in str(error)
            error = error.__cause__


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, scope: Scope) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"kstream\[postgres\]"):
        PostgresLedger("").begin(scope)


# --- Waits for locks, in a hurry ----------------------------------------------------------------------------------------


@pytest.fixture
def row(dsn: str, name: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody else, who holds a row of the effects."""
    with psycopg.connect(dsn) as other:
        other.execute("INSERT INTO effect VALUES (%s, 0)", (name,))
        other.commit()
        other.execute("UPDATE effect SET amount = 1 WHERE name = %s", (name,))
        yield other
        other.rollback()


@pytest.mark.usefixtures("row")
def test_a_statement_that_the_deadline_does_not_let_wait_is_not_the_record_s_fault(
    ledger: PostgresLedger, scope: Scope, name: str
) -> None:
    left = [3600.0]
    transaction = ledger.within(Patience(lambda: left[0])).begin(scope)
    left[0] = 0.2
    with pytest.raises(LedgerError, match="lock timeout"):
        transaction.apply(ONE, None, lambda own: own.execute("UPDATE effect SET amount = 2 WHERE name = %s", (name,)))
    transaction.rollback()


@pytest.mark.usefixtures("row")
def test_a_handler_s_own_nowait_is_the_handler_s_to_see(ledger: PostgresLedger, scope: Scope, name: str) -> None:
    transaction = ledger.within(Patience(lambda: 3600.0)).begin(scope)
    statement = "SELECT 1 FROM effect WHERE name = %s FOR UPDATE NOWAIT"
    with pytest.raises(psycopg.errors.LockNotAvailable):
        transaction.apply(ONE, None, lambda own: own.execute(statement, (name,)))
    transaction.rollback()


@pytest.mark.usefixtures("row")
def test_a_shorter_lock_timeout_of_the_user_s_own_stays(dsn: str, scope: Scope, name: str) -> None:
    with PostgresLedger(f"{dsn} options='-c lock_timeout=50ms'") as ledger:
        transaction = ledger.within(Patience(lambda: 3600.0)).begin(scope)
        statement = "UPDATE effect SET amount = 2 WHERE name = %s"
        with pytest.raises(psycopg.errors.LockNotAvailable):
            transaction.apply(ONE, None, lambda own: own.execute(statement, (name,)))
        transaction.rollback()


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(scope: Scope) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ledger = PostgresLedger(f"host=127.0.0.1 port={silent.getsockname()[1]} user=nobody")
        with pytest.raises(LedgerError, match="cannot read the ledger in PostgreSQL: no answer within"):
            ledger.within(Patience(lambda: 0.2)).load(scope, 0, 9)
