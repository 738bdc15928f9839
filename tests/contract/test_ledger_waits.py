"""What every ledger that may wait promises. See ``kstream.core.ports.WaitingLedger``.

Each one here would wait for an hour, or for ever, if nobody hurried it: a test that ends has seen it give up.
"""

from __future__ import annotations

import math
import socket
import sqlite3
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from kstream.aws.ledger import DynamoDBLedger
from kstream.core.consumer import Consumer
from kstream.core.errors import LedgerError
from kstream.core.handler import Handler, TransactionalHandler
from kstream.core.patience import Patience
from kstream.core.ports import WaitingLedger
from kstream.core.record import Position
from kstream.stores.postgres import PostgresLedger
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing.clock import VirtualClock
from tests.support.processing import Telling, batch, entry, processor_of

from .conftest import integration, new_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kstream.core.ports import Scope, TransactionalLedger
    from kstream.core.record import Record

AN_HOUR = 3600.0
SHORT = Patience(lambda: 0.2)
LATE = Patience(lambda: -1.0)
LONG = Patience(lambda: math.inf)


@dataclass(frozen=True)
class Jam:
    """A ledger, and what makes it wait: ``jammed()`` holds up every call that needs its store."""

    ledger: Any
    jammed: Callable[[], AbstractContextManager[object]]


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Another process has the file to itself, readers shut out as well."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE IF NOT EXISTS other (one)")
        yield


@contextmanager
def locked_tables(dsn: str) -> Iterator[None]:
    import psycopg

    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE kstream_ledger, kstream_ledger_keys IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.fixture(params=["sqlite", *(pytest.param(kind, marks=integration) for kind in ("postgres", "dynamodb"))])
def jam(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jam]:
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        with SQLiteLedger(path, busy_timeout=AN_HOUR) as ledger:
            yield Jam(ledger, lambda: locked_file(path))
    elif request.param == "postgres":
        dsn = request.getfixturevalue("postgres_dsn")
        with PostgresLedger(dsn) as postgres:
            postgres.load(new_scope(), 0, 0)  # which makes the tables
            yield Jam(postgres, lambda: locked_tables(dsn))
    else:
        yield from dynamodb_jam(request.getfixturevalue("table"), request.getfixturevalue("endpoint"))


def dynamodb_jam(table: str, endpoint: str) -> Iterator[Jam]:
    """The way to the table leads to a port where somebody listens and nobody answers."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=AN_HOUR, connect_timeout=AN_HOUR)
    open_way = boto3.client("dynamodb", endpoint_url=endpoint)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead_end = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}", config=config)
        way = Way(open_way)

        @contextmanager
        def jammed() -> Iterator[None]:
            way.leads_to = dead_end
            yield
            way.leads_to = open_way

        yield Jam(DynamoDBLedger(table, client=way), jammed)  # type: ignore[arg-type]
    # Closed, the silent port ends what still waits for it.


class Way:
    """A client that leads to another."""

    def __init__(self, leads_to: Any) -> None:
        self.leads_to = leads_to

    def __getattr__(self, name: str) -> Any:
        return getattr(self.leads_to, name)


CALLS: dict[str, Callable[[Any, Scope], object]] = {
    "load": lambda ledger, scope: ledger.load(scope, 0, 9),
    "save": lambda ledger, scope: ledger.save(scope, {1: 1}),
    "load_keys": lambda ledger, scope: ledger.load_keys(scope, ["x"]),
    "save_keys": lambda ledger, scope: ledger.save_keys(scope, ["x"]),
}


def in_a_transaction(ledger: TransactionalLedger, scope: Scope, effect: Callable[[Any], object]) -> None:
    transaction = ledger.begin(scope)
    try:
        transaction.apply(Position(1), "x", effect)
        transaction.commit()
    finally:
        transaction.rollback()


CALLS["transaction"] = lambda ledger, scope: in_a_transaction(ledger, scope, lambda transaction: None)


def test_is_a_ledger_that_waits(jam: Jam) -> None:
    assert isinstance(jam.ledger, WaitingLedger)


@pytest.mark.parametrize("patience", [SHORT, LATE], ids=["soon", "already"])
@pytest.mark.parametrize("call", CALLS)
def test_no_call_waits_past_the_deadline(jam: Jam, scope: Scope, call: str, patience: Patience) -> None:
    with jam.jammed(), pytest.raises(LedgerError, match="ledger"):
        CALLS[call](jam.ledger.within(patience), scope)
    # And it is as good as ever, for who comes next.
    jam.ledger.save(scope, {2: 1})
    assert jam.ledger.within(LONG).load(scope, 2, 9) == {2: 1}


def test_a_store_that_is_free_is_used_even_after_the_deadline(
    jam: Jam, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done by then is better known: there is a margin behind the deadline."""
    monkeypatch.setattr("kstream.core.patience.LAST_MOMENT", 60.0)  # as slow as this machine may be
    hurried = jam.ledger.within(LATE)
    hurried.save(scope, {1: 1})
    hurried.save_keys(scope, ["x"])
    assert hurried.load(scope, 0, 9) == {1: 1}
    assert set(hurried.load_keys(scope, ["x", "y"])) == {"x"}
    in_a_transaction(hurried, scope._replace(consumer="other"), lambda transaction: None)


def test_who_is_not_in_a_hurry_shares_the_store(jam: Jam, scope: Scope) -> None:
    jam.ledger.within(Patience(lambda: AN_HOUR)).save(scope, {1: 1})
    assert jam.ledger.load(scope, 0, 9) == {1: 1}


class Plain(Handler):
    def process(self, record: Record) -> None: ...


class Nothing(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None: ...


@pytest.mark.parametrize("mode", ["sparse", "full", "transactional"])
def test_a_store_that_hangs_leaves_the_records_time_and_fails_none(jam: Jam, mode: Any) -> None:
    """Whatever the ledger could not be told comes again; nothing is answered that was not done."""
    told, given = Telling(), batch(entry(1), entry(2), entry(3))
    handler = Nothing if mode == "transactional" else Plain
    consumer = Consumer(handler, name=f"jammed-{uuid.uuid4().hex}", ledger=jam.ledger, mode=mode)
    clock = VirtualClock()
    processor = processor_of(consumer, clock=clock, telemetry=told)
    with jam.jammed():
        outcome = processor.process(given, deadline=0.4)
    assert told.ledger
    if mode == "transactional":
        assert (outcome.checkpoint, outcome.done, outcome.failed, outcome.dead_lettered) == ("1", 0, 0, 0)
        assert (processor.process(given).done, processor.process(given).skipped) == (3, 3)
    else:
        assert (outcome.checkpoint, outcome.done) == (None, 3)
    processor.close()
