"""What every ledger with transactions promises. See ``kstream.core.ports.Transaction`` and ``TransactionalLedger``."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import Reject, TransactionError
from kstream.core.handler import TransactionalHandler
from kstream.core.ports import TransactionalLedger
from kstream.core.record import Position
from kstream.runtimes.aws_lambda import on_lambda
from kstream.testing import dynamodb_event, sqs_event
from kstream.testing.clock import VirtualClock
from tests.support.effects import KINDS, TTL, apply_all, sqlite_place
from tests.support.processing import Letters, aggregate_of, batch, entry, processor_of

from .conftest import integration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kstream.core.ports import Scope
    from kstream.core.record import Record
    from tests.support.effects import Effects

KINESIS = 49590338271490256608559692538361571095921575989136588898
STEP = 1 << 80
ONE, TWO, THREE = (Position(KINESIS + n * STEP) for n in range(3))


@pytest.fixture(scope="session")
def tables(endpoint: str) -> str:
    place = f"{endpoint} ledger-{uuid.uuid4().hex}"
    KINDS["dynamodb"](place).create()
    return place


@pytest.fixture(params=["sqlite", *(pytest.param(kind, marks=integration) for kind in ("postgres", "dynamodb"))])
def effects(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> Effects:
    """Each store, with the ledger in it. Emulator and server are shared, so names must be a test's own."""
    kind = request.param
    if kind == "dynamodb":
        place = request.getfixturevalue("tables")
    else:
        place = sqlite_place(tmp_path) if kind == "sqlite" else request.getfixturevalue("postgres_dsn")
    store: Effects = KINDS[kind](place, clock)
    if kind != "dynamodb":
        store.create()
    return store


@pytest.fixture
def ledger(effects: Effects) -> Iterator[TransactionalLedger]:
    ledger = effects.ledger()
    yield ledger
    close(ledger)


def close(ledger: Any) -> None:
    if hasattr(ledger, "close"):
        ledger.close()


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def add(effects: Effects, name: str) -> Callable[[Any], None]:
    return lambda transaction: effects.add(transaction, name)


def test_is_a_transactional_ledger(ledger: TransactionalLedger) -> None:
    assert isinstance(ledger, TransactionalLedger)
    assert ledger.group_limit >= 1


def test_effect_and_marker_take_hold_together_when_it_commits(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    transaction = ledger.begin(scope)
    assert transaction.apply(ONE, "key", add)
    assert effects.total(name) == 0
    other = effects.ledger()
    assert not other.load(scope, ONE.sequence, ONE.sequence)
    assert not other.load_keys(scope, ["key"])
    assert not transaction.commit()
    assert effects.total(name) == 1
    assert dict(other.load(scope, ONE.sequence, THREE.sequence)) == {ONE.sequence: 1}
    assert set(other.load_keys(scope, ["key", "other"])) == {"key"}
    close(other)


def test_a_rollback_leaves_neither_effect_nor_marker(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    transaction = ledger.begin(scope)
    transaction.apply(ONE, "key", add)
    transaction.rollback()
    transaction.rollback()
    assert effects.total(name) == 0
    assert not ledger.load(scope, ONE.sequence, ONE.sequence)
    assert apply_all(ledger, scope, [(ONE, "key", add)]) == [ONE]
    assert effects.total(name) == 1


def test_a_rollback_after_the_commit_undoes_nothing(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, add)
    transaction.commit()
    transaction.rollback()
    assert effects.total(name) == 1
    assert apply_all(ledger, scope, [(ONE, None, add)]) == []


def test_a_transaction_without_effects_may_be_committed(ledger: TransactionalLedger, scope: Scope) -> None:
    assert not ledger.begin(scope).commit()
    ledger.begin(scope).rollback()


@pytest.mark.parametrize("kind", [ValueError, Reject, KeyboardInterrupt])
def test_an_effect_that_raises_undoes_itself_and_nothing_else(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any, kind: type[BaseException]
) -> None:
    def fails(transaction: Any) -> None:
        effects.add(transaction, name, 100)
        raise kind("no")

    transaction = ledger.begin(scope)
    several = ledger.group_limit > 1
    if several:
        assert transaction.apply(ONE, "one", add)
    with pytest.raises(kind, match="no"):
        transaction.apply(TWO, "two", fails)
    if several:
        assert transaction.apply(THREE, "three", add)
    transaction.commit()
    assert effects.total(name) == (2 if several else 0)
    done = [ONE, THREE] if several else []
    assert dict(ledger.load(scope, ONE.sequence, THREE.sequence)) == {position.sequence: 1 for position in done}
    assert "two" not in ledger.load_keys(scope, ["one", "two", "three"])
    assert apply_all(ledger, scope, [(TWO, "two", add)]) == [TWO]


def test_what_is_marked_is_not_applied_again(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    assert apply_all(ledger, scope, [(ONE, None, add), (TWO, None, add)]) == [ONE, TWO]
    other = effects.ledger()
    assert apply_all(other, scope, [(ONE, None, add), (TWO, None, add), (THREE, None, add)]) == [THREE]
    close(other)
    assert effects.total(name) == 3


def test_a_key_is_done_once_wherever_it_comes_again(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    """In another position of the same batch, later, or in another shard; a resharding moves a producer's duplicate."""
    assert apply_all(ledger, scope, [(ONE, "key", add), (TWO, "key", add)]) == [ONE]
    assert apply_all(ledger, scope._replace(shard_id="shardId-000000000009"), [(THREE, "key", add)]) == []
    assert apply_all(ledger, scope, [(THREE, "other", add)]) == [THREE]
    assert effects.total(name) == 2
    # What was not applied marked nothing either.
    assert dict(ledger.load(scope, TWO.sequence, TWO.sequence)) == {}


def test_a_key_that_was_saved_outside_a_transaction_counts(
    ledger: TransactionalLedger, scope: Scope, effects: Effects, name: str, add: Any
) -> None:
    ledger.save_keys(scope, ["key"])
    assert apply_all(ledger, scope, [(ONE, "key", add)]) == []
    assert effects.total(name) == 0


def test_a_position_that_was_saved_alone_counts(ledger: TransactionalLedger, scope: Scope, add: Any) -> None:
    """As a dead letter's is."""
    ledger.save(scope, {ONE.sequence: 1})
    assert apply_all(ledger, scope, [(ONE, None, add)]) == []


def test_each_user_record_of_an_aggregate_is_marked_by_itself(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    parts = [Position(KINESIS, sub) for sub in (0, 1, 7, 9_999)]
    assert apply_all(ledger, scope, [(part, None, add) for part in parts]) == parts
    assert apply_all(ledger, scope, [(Position(KINESIS, sub), None, add) for sub in (0, 2, 9_999)]) == [(KINESIS, 2)]
    assert dict(ledger.load(scope, KINESIS, KINESIS)) == {KINESIS: 0b10000111 | 1 << 9_999}
    assert effects.total(name) == 5


def test_scopes_are_apart(ledger: TransactionalLedger, scope: Scope, add: Any) -> None:
    for other in (
        scope,
        scope._replace(consumer="other"),
        scope._replace(stream_arn=scope.stream_arn + "2"),
        scope._replace(shard_id="shardId-000000000001"),
    ):
        assert apply_all(ledger, other, [(ONE, None, add)]) == [ONE]


def test_what_has_expired_may_run_again(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any, clock: VirtualClock
) -> None:
    apply_all(ledger, scope, [(ONE, "key", add)])
    clock.advance(TTL.total_seconds() - 1)
    assert apply_all(ledger, scope, [(ONE, None, add), (TWO, "key", add)]) == []
    clock.advance(2)
    assert not ledger.load(scope, ONE.sequence, ONE.sequence)
    assert apply_all(ledger, scope, [(ONE, "key", add)]) == [ONE]
    assert dict(ledger.load(scope, ONE.sequence, ONE.sequence)) == {ONE.sequence: 1}
    assert apply_all(ledger, scope, [(ONE, "key", add)]) == []
    assert effects.total(name) == 2


def test_a_transaction_kept_beyond_its_record_takes_nothing_more(
    effects: Effects, ledger: TransactionalLedger, scope: Scope, name: str, add: Any
) -> None:
    kept: list[Any] = []
    apply_all(ledger, scope, [(ONE, None, kept.append)])
    with pytest.raises(TransactionError, match="do not keep it"):
        effects.add(kept[0], name)
    following = ledger.begin(scope)
    with pytest.raises(TransactionError, match="do not keep it"):
        effects.add(kept[0], name)
    following.rollback()
    assert effects.total(name) == 0


@pytest.mark.parametrize("instances", [1, 2])
def test_threads_with_the_same_records_make_each_effect_once(
    effects: Effects, scope: Scope, name: str, add: Any, instances: int
) -> None:
    """As when a delivery is repeated while the first one still runs."""
    ledgers = [effects.ledger() for _ in range(instances)]
    todo = [(Position(KINESIS + n * STEP), f"key-{n}", add) for n in range(20)]
    together = threading.Barrier(4)

    def work(thread: int) -> list[Position]:
        together.wait()
        return apply_all(ledgers[thread % instances], scope, todo)

    with ThreadPoolExecutor(4) as pool:
        fresh = [position for some in pool.map(work, range(4)) for position in some]
    assert sorted(fresh) == [position for position, _, _ in todo]
    assert effects.total(name) == 20
    for one in ledgers:
        close(one)


class Adding(TransactionalHandler[Any]):
    """Adds each record's number; fails the first attempts of some, rejects others, and breaks down where it is told."""

    def __init__(self, effects: Effects, name: str) -> None:
        self.effects = effects
        self.name = name
        self.attempts: dict[str, int] = {}

    def process(self, record: Record, transaction: Any) -> None:
        number = int(record.data)
        self.attempts[record.id] = attempt = self.attempts.get(record.id, 0) + 1
        self.effects.add(transaction, self.name, number)
        if number % 10 == 7:
            raise Reject("as scripted")
        if number % 5 == 3 and attempt < 3:
            raise OSError("not yet")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_consumer_s_effects_happen_once_over_all_deliveries(
    effects: Effects, ledger: TransactionalLedger, name: str, workers: int
) -> None:
    """Alone and in aggregates, with failures, dead letters, redelivery, and a second consumer with the same batch."""
    alone = [entry(KINESIS + n * STEP, str(n).encode(), key=f"k{n % 3}") for n in range(20)]
    bundle = aggregate_of(*((f"k{n % 3}", str(n).encode()) for n in range(20, 40)))
    given = batch(*alone, entry(KINESIS + 20 * STEP, bundle, key="a"))
    letters = Letters()
    consumer = Consumer(
        Adding(effects, name),
        name=name,
        ordering="partition_key",
        ledger=ledger,
        dead_letters=letters,
        max_workers=workers,
    )
    first, second = processor_of(consumer, clock=VirtualClock()), processor_of(consumer, clock=VirtualClock())
    outcomes = [first.process(given), first.process(given), second.process(given), second.process(given)]
    assert outcomes[-1].complete
    rejected = {7, 17, 27, 37}
    assert effects.total(name) == sum(set(range(40)) - rejected)
    assert sum(outcome.done for outcome in outcomes) == 36
    assert {int(letter.record.data) for letter in letters.stored} == rejected
    first.close()
    second.close()


@pytest.mark.parametrize(
    "event", [sqs_event(["1", "2", "4"]), dynamodb_event([{"id": n} for n in (1, 2, 4)])], ids=["queue", "table"]
)
def test_what_comes_from_a_queue_or_a_table_takes_effect_once_however_often_it_comes(
    effects: Effects, ledger: TransactionalLedger, name: str, event: dict[str, Any]
) -> None:
    class Adds(TransactionalHandler[Any]):
        def process(self, record: Record, transaction: Any) -> None:
            value = record.json()
            effects.add(
                transaction, name, value if isinstance(value, int) else int(value["dynamodb"]["Keys"]["id"]["N"])
            )

    function = on_lambda(Consumer(Adds, name=name, ledger=ledger))
    for _ in range(3):
        assert function(event) == {"batchItemFailures": []}
    assert effects.total(name) == 7
