"""DynamoDB transactions: what a handler may write, what each refusal becomes, and what a lost answer may do."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from kstream.aws.collected_writes import MOST_BYTES, CollectedWrites
from kstream.aws.ledger import DynamoDBLedger
from kstream.aws.transaction import DynamoDBTransaction
from kstream.core.errors import ConditionFailed, LedgerError, Reject, TransactionError
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.local.emulator import Emulator
from kstream.testing.clock import VirtualClock
from tests.support.effects import DynamoDBEffects, apply_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

ONE, TWO = Position(1), Position(2)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with Emulator() as emulator:
        yield emulator.endpoint_url


@pytest.fixture(scope="session")
def place(endpoint: str) -> str:
    place = f"{endpoint} ledger-{uuid.uuid4().hex}"
    DynamoDBEffects(place).create()
    return place


@pytest.fixture
def effects(place: str) -> DynamoDBEffects:
    return DynamoDBEffects(place)


@pytest.fixture
def table(effects: DynamoDBEffects) -> str:
    """The handler's table; its key is ``name``."""
    return f"{effects.table}-effects"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start=4_000_000_000.0)


@pytest.fixture
def client(endpoint: str) -> Any:
    """Tries each request twice, as botocore does with a lost answer."""
    return boto3.client("dynamodb", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 2}))


@pytest.fixture
def ledger(effects: DynamoDBEffects, client: Any, clock: VirtualClock) -> DynamoDBLedger:
    return DynamoDBLedger(effects.table, client=client, clock=clock)


@pytest.fixture
def scope() -> Scope:
    return Scope("totals", uuid.uuid4().hex, "shardId-000000000000")


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def item(client: Any, table: str, name: str) -> Any:
    return client.get_item(TableName=table, Key={"name": {"S": name}}).get("Item")


def commit(ledger: DynamoDBLedger, scope: Scope, effect: Callable[[DynamoDBTransaction], object]) -> bool:
    """Whether it was done now."""
    return apply_all(ledger, scope, [(ONE, None, effect)]) == [ONE]


def test_puts_updates_deletes_and_checks_plain_values(
    ledger: DynamoDBLedger, client: Any, table: str, scope: Scope, name: str
) -> None:
    whole = {"n": 3, "d": Decimal("1.5"), "b": b"\0", "t": True, "nothing": None, "l": [1, "x"], "m": {"s": {"a"}}}

    def effect(transaction: DynamoDBTransaction) -> None:
        transaction.put(table, {"name": name, **whole}, condition="attribute_not_exists(#n)", names={"#n": "name"})
        transaction.update(
            table,
            {"name": f"{name} total"},
            "ADD amount :n SET #w = :w",
            names={"#w": "when"},
            values={":n": 7, ":w": "now"},
        )
        transaction.delete(table, {"name": f"{name} old"})
        transaction.check(table, {"name": f"{name} absent"}, "attribute_not_exists(amount)")

    client.put_item(TableName=table, Item={"name": {"S": f"{name} old"}})
    assert commit(ledger, scope, effect)
    assert item(client, table, name) == {
        "name": {"S": name}, "n": {"N": "3"}, "d": {"N": "1.5"}, "b": {"B": b"\0"}, "t": {"BOOL": True},
        "nothing": {"NULL": True}, "l": {"L": [{"N": "1"}, {"S": "x"}]}, "m": {"M": {"s": {"SS": ["a"]}}},
    }  # fmt: skip
    assert item(client, table, f"{name} total")["amount"] == {"N": "7"}
    assert item(client, table, f"{name} old") is None


def test_one_record_costs_one_request(
    ledger: DynamoDBLedger, client: Any, scope: Scope, effects: Any, name: str
) -> None:
    requests: list[str] = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: requests.append(model.name))
    transaction = ledger.begin(scope)
    transaction.apply(ONE, "key", lambda own: effects.add(own, name))
    assert requests == []
    transaction.commit()
    assert requests == ["TransactWriteItems"]


def test_a_transaction_holds_one_record(ledger: DynamoDBLedger, scope: Scope) -> None:
    assert ledger.group_limit == 1
    transaction = ledger.begin(scope)
    transaction.apply(ONE, None, lambda own: None)
    with pytest.raises(LedgerError, match="holds one record"):
        transaction.apply(TWO, None, lambda own: None)


def test_a_condition_that_does_not_hold_is_the_handler_s_error_and_nothing_is_written(
    ledger: DynamoDBLedger, client: Any, effects: DynamoDBEffects, table: str, scope: Scope, name: str
) -> None:
    def effect(transaction: DynamoDBTransaction) -> None:
        effects.add(transaction, f"{name} other")
        transaction.update(table, {"name": name}, "ADD amount :n", condition="amount > :n", values={":n": 1})

    with pytest.raises(ConditionFailed, match=rf"Update of name='{name}' in the table '{table}'.*does not hold"):
        commit(ledger, scope, effect)
    assert effects.total(f"{name} other") == 0
    assert not ledger.load(scope, 1, 1)
    client.put_item(TableName=table, Item={"name": {"S": name}, "amount": {"N": "5"}})
    assert commit(ledger, scope, effect)
    assert effects.total(name) == 6


@pytest.mark.parametrize("kind", ["put", "update", "delete", "check"])
def test_a_condition_may_say_that_the_record_can_never_succeed(
    ledger: DynamoDBLedger, table: str, scope: Scope, name: str, kind: str
) -> None:
    never = Reject("no such order")

    def effect(transaction: DynamoDBTransaction) -> None:
        transaction.check(table, {"name": f"{name} absent"}, "attribute_not_exists(#n)", names={"#n": "name"})
        demand: dict[str, Any] = {"condition": "attribute_exists(#n)", "names": {"#n": "name"}, "otherwise": never}
        if kind == "update":
            transaction.update(table, {"name": name}, "ADD amount :n", values={":n": 1}, **demand)
        else:
            getattr(transaction, kind)(table, {"name": name}, **demand)

    with pytest.raises(Reject) as caught:
        commit(ledger, scope, effect)
    assert caught.value is never
    assert not ledger.load(scope, 1, 1)


def test_done_before_outweighs_a_condition_that_no_longer_holds(
    ledger: DynamoDBLedger, effects: DynamoDBEffects, table: str, scope: Scope, name: str
) -> None:
    """The record's own effect made it so."""

    def effect(transaction: DynamoDBTransaction) -> None:
        transaction.put(table, {"name": name, "amount": 1}, condition="attribute_not_exists(amount)")

    assert commit(ledger, scope, effect)
    assert not commit(ledger, scope, effect)
    assert effects.total(name) == 1


@pytest.mark.parametrize(("key", "most"), [(None, 99), ("key", 98)])
def test_more_writes_than_dynamodb_takes_are_refused_before_any_request(
    ledger: DynamoDBLedger, effects: DynamoDBEffects, client: Any, scope: Scope, name: str, key: str | None, most: int
) -> None:
    def writes(count: int) -> Callable[[DynamoDBTransaction], None]:
        def effect(transaction: DynamoDBTransaction) -> None:
            for n in range(count):
                effects.add(transaction, f"{name} {n}")

        return effect

    requests: list[str] = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: requests.append(model.name))
    with pytest.raises(TransactionError, match=rf"more than {most} writes.*takes 100 in one transaction"):
        ledger.begin(scope).apply(ONE, key, writes(most + 1))
    assert requests == []
    assert apply_all(ledger, scope, [(ONE, key, writes(most))]) == [ONE]
    assert effects.total(f"{name} {most - 1}") == 1


def test_more_bytes_than_dynamodb_takes_are_refused_before_any_request(ledger: DynamoDBLedger, scope: Scope) -> None:
    def effect(transaction: DynamoDBTransaction) -> None:
        for n in range(12):
            transaction.put("table", {"name": str(n), "much": ["x" * 200_000, b"y" * 180_000]})

    with pytest.raises(TransactionError, match=rf"come to 4,\d\d\d,\d\d\d bytes: DynamoDB takes {MOST_BYTES:,}"):
        ledger.begin(scope).apply(ONE, None, effect)


@pytest.mark.parametrize("value", [1.5, object(), Decimal("1." + "1" * 40), {1, "x"}])
def test_a_value_that_dynamodb_cannot_hold_is_named(value: object) -> None:
    transaction = DynamoDBTransaction(CollectedWrites(room=9))
    with pytest.raises(TransactionError, match=r"DynamoDB cannot hold amount="):
        transaction.put("table", {"name": "a", "amount": value})


def wrong_expression(transaction: DynamoDBTransaction, table: str) -> None:
    transaction.update(table, {"name": "x"}, "ADD amount TO :n", values={":n": 1})


def one_item_twice(transaction: DynamoDBTransaction, table: str) -> None:
    for _ in range(2):
        transaction.put(table, {"name": "x"})


def too_large(transaction: DynamoDBTransaction, table: str) -> None:
    transaction.put(table, {"name": "x", "much": "x" * 500_000})


def no_table_name(transaction: DynamoDBTransaction, table: str) -> None:
    transaction.put(None, {"name": "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize("effect", [wrong_expression, one_item_twice, too_large, no_table_name])
def test_what_dynamodb_does_not_take_is_the_handler_s_fault(
    ledger: DynamoDBLedger, table: str, scope: Scope, effect: Callable[[DynamoDBTransaction, str], None]
) -> None:
    """It would fail again for ever, so it must be able to end in the dead letters."""
    with pytest.raises(TransactionError):
        commit(ledger, scope, lambda own: effect(own, table))
    assert not ledger.load(scope, 1, 1)


def test_a_table_that_does_not_exist_is_the_store_s_fault(ledger: DynamoDBLedger, scope: Scope) -> None:
    with pytest.raises(LedgerError, match="or one that the handler writes to, does not exist"):
        commit(ledger, scope, lambda own: own.put("no-such-table", {"name": "x"}))


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_ledger_table_with_other_keys_is_the_store_s_fault(
    client: Any, table: str, scope: Scope, cancelled: bool
) -> None:
    """``table`` is none of a ledger's. The emulator would take the marker all the same; DynamoDB answers so."""
    line = Line(client)
    if cancelled:
        line.answers = [("ValidationError", "None")]
    else:
        line.invalid = True
    with pytest.raises(LedgerError, match="its keys must be scope"):
        commit(DynamoDBLedger(table, client=client), scope, lambda own: own.put(table, {"name": "x"}))


def test_an_address_where_nothing_listens_is_an_error(scope: Scope) -> None:
    ledger = DynamoDBLedger("ledger", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(LedgerError, match="cannot commit to the ledger table 'ledger'"):
        commit(ledger, scope, lambda own: None)


class Line:
    """Stands between the client and the server, and spoils what comes back.

    ``left``     so many answers get lost, with the work done.
    ``answers``  reasons for which transactions are cancelled, instead of asking the server; ``invalid``: all are refused.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.left = 0
        self.answers: list[tuple[str, ...]] = []
        self.invalid = False
        self.sent: list[dict[str, Any]] = []
        client.meta.events.register("before-send.dynamodb.TransactWriteItems", self)

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        self.sent.append(json.loads(request.body))
        if self.invalid:
            return Answered(request.url, b'{"__type": "ValidationException", "message": "of something"}')
        if self.answers:
            codes = self.answers.pop(0)
            body = {
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": "Transaction cancelled",
                "CancellationReasons": [{"Code": code} for code in codes],
            }
            return Answered(request.url, json.dumps(body).encode())
        if self.left:
            self.left -= 1
            self.client._endpoint.http_session.send(request)
            raise ConnectionClosedError(endpoint_url=request.url)
        return None


class Answered(AWSResponse):
    def __init__(self, url: str, body: bytes) -> None:
        super().__init__(url, 400, HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"}), None)
        self._content = body


def test_a_lost_answer_is_asked_for_again_with_the_same_token(
    ledger: DynamoDBLedger, client: Any, effects: DynamoDBEffects, scope: Scope, name: str
) -> None:
    """DynamoDB then answers as it did, and does nothing twice."""
    line = Line(client)
    line.left = 1
    assert commit(ledger, scope, lambda own: effects.add(own, name))
    assert len(line.sent) == 2
    assert line.sent[0]["ClientRequestToken"] == line.sent[1]["ClientRequestToken"]
    assert effects.total(name) == 1


def test_a_commit_whose_answers_are_all_lost_may_be_applied_again(
    ledger: DynamoDBLedger, client: Any, effects: DynamoDBEffects, scope: Scope, name: str
) -> None:
    line = Line(client)
    line.left = 2
    with pytest.raises(LedgerError, match="ConnectionClosedError"):
        commit(ledger, scope, lambda own: effects.add(own, name))
    assert effects.total(name) == 1
    assert not commit(ledger, scope, lambda own: effects.add(own, name))
    assert effects.total(name) == 1
    assert ledger.load(scope, 1, 1) == {1: 1}


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_meets_another_is_tried_again(
    ledger: DynamoDBLedger,
    client: Any,
    effects: DynamoDBEffects,
    clock: VirtualClock,
    scope: Scope,
    name: str,
    code: str,
) -> None:
    """Each time under a new token: a cancelled transaction has done nothing. A condition that failed with it counts for
    nothing, since the other one may be the same record, just being done."""
    line = Line(client)
    line.answers = [(code, "None"), (code, "ConditionalCheckFailed")]
    start = clock.monotonic()
    assert commit(ledger, scope, lambda own: effects.add(own, name))
    assert len({request["ClientRequestToken"] for request in line.sent}) == 3
    assert clock.monotonic() - start == pytest.approx(0.15)
    assert effects.total(name) == 1


def test_a_transaction_that_meets_another_for_ever_is_the_store_s_fault(
    ledger: DynamoDBLedger, client: Any, effects: DynamoDBEffects, scope: Scope, name: str
) -> None:
    line = Line(client)
    line.answers = [("None", "TransactionConflict")] * 6
    with pytest.raises(LedgerError, match=r"cancelled the transaction 6 times \(TransactionConflict\)"):
        commit(ledger, scope, lambda own: effects.add(own, name))
    assert line.answers == []
    assert effects.total(name) == 0


@pytest.mark.parametrize(
    ("codes", "kind", "words"),
    [
        (("None", "ValidationError"), TransactionError, "Update of name=.*DynamoDB does not take it: ValidationError"),
        (("None", "ItemCollectionSizeLimitExceeded"), TransactionError, "ItemCollectionSizeLimitExceeded"),
        (("ValidationError", "None"), LedgerError, "ValidationError"),
        ((), LedgerError, "TransactionCanceledException"),
    ],
)
def test_other_reasons_are_told_apart_by_whose_write_they_befell(
    ledger: DynamoDBLedger, client: Any, effects: DynamoDBEffects, scope: Scope, name: str,
    codes: tuple[str, ...], kind: type[Exception], words: str,
) -> None:  # fmt: skip
    Line(client).answers = [codes]
    with pytest.raises(kind, match=words):
        commit(ledger, scope, lambda own: effects.add(own, name))


def test_the_marker_is_the_item_that_a_save_of_this_position_writes(
    ledger: DynamoDBLedger, client: Any, effects: DynamoDBEffects, scope: Scope
) -> None:
    """So that a load finds it, and neither ever overwrites more than the other wrote."""

    def stored() -> list[Any]:
        pages = client.get_paginator("scan").paginate(TableName=effects.table)
        return [item for page in pages for item in page["Items"] if scope.stream_arn in item["scope"]["S"]]

    sequence = 49590338271490256608559692538361571095921575989136588898
    position = Position(sequence, 3)
    assert apply_all(ledger, scope, [(position, "key", lambda own: None)]) == [position]
    by_transaction = stored()
    assert len(by_transaction) == 2
    ledger.save(scope, {sequence: 0b1000})
    ledger.save_keys(scope, ["key"])
    assert stored() == by_transaction
