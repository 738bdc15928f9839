"""A consumer on a queue: every message is done, set aside, or answered for, and a FIFO queue's groups keep their order."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream import (
    BatchHandler,
    BatchUnfinished,
    CircuitBreaker,
    Consumer,
    Handler,
    MemoryLedger,
    Reject,
    Retry,
    SQLiteLedger,
    TransactionalHandler,
    on_lambda,
)
from kstream.telemetry.logs import Logs
from kstream.testing import LambdaContext, MemoryDeadLetters, VirtualClock, sqs_event
from tests.support.processing import WAYS, NotedLedger, workers_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kstream import Record
    from tests.support.processing import Way

FIFO = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
ONCE = Retry(attempts=1)

Fate = Literal["done", "fails", "flaky", "poison"]


class Fated(Handler):
    """Does with each message what its body says. Thread-safe."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.done: list[str] = []
        self.lock = threading.Lock()

    def process(self, record: Record) -> None:
        self.befall(record)

    def befall(self, record: Record) -> None:
        number, fate = record.text().split()
        with self.lock:
            again = number in self.started
            self.started.append(number)
        if fate == "poison":
            raise Reject("poison")
        if fate == "fails" or (fate == "flaky" and not again):
            raise RuntimeError(fate)
        with self.lock:
            self.done.append(number)


class FatedAsync(Fated):
    async def process(self, record: Record) -> None:  # type: ignore[override]
        self.befall(record)


def handler_for(way: Way) -> Fated:
    return Fated() if way in ("inline", "threads") else FatedAsync()


def answered(answer: Mapping[str, Sequence[Mapping[str, str]]], event: Mapping[str, Any]) -> list[int]:
    """The places in the event of the messages that were answered, as they were answered."""
    places = {message["messageId"]: index for index, message in enumerate(event["Records"])}
    return [places[failure["itemIdentifier"]] for failure in answer["batchItemFailures"]]


messages = st.lists(
    st.tuples(st.sampled_from(("done", "fails", "flaky", "poison")), st.sampled_from("abc")), max_size=9
)


@given(messages, st.sampled_from(WAYS), st.booleans(), st.sampled_from(("shard", "partition_key", "none")))
def test_of_a_standard_queue_exactly_what_is_not_settled_is_answered_and_nothing_holds_it_up(
    given_messages: list[tuple[Fate, str]], way: Way, parks: bool, ordering: Any
) -> None:
    handler, letters = handler_for(way), MemoryDeadLetters()
    function = on_lambda(
        Consumer(
            handler,
            ordering=ordering,
            retry=Retry(attempts=2),
            dead_letters=letters if parks else None,
            max_workers=workers_for(way),
        ),
        clock=VirtualClock(),
    )
    event = sqs_event([f"{index} {fate}" for index, (fate, _) in enumerate(given_messages)])
    answer = function(event, LambdaContext())
    function.close()
    fates = [fate for fate, _ in given_messages]
    parked = [index for index, fate in enumerate(fates) if fate == "poison" and parks]
    undone = [index for index, fate in enumerate(fates) if fate == "fails" or (fate == "poison" and not parks)]
    assert answered(answer, event) == undone
    assert sorted(map(int, handler.done)) == sorted(set(range(len(fates))) - set(undone) - set(parked))
    assert sorted(int(letter.record.text().split()[0]) for letter in letters.letters) == parked
    assert function.outcome is not None
    assert function.outcome.complete == (not undone)


@given(messages, st.sampled_from(WAYS), st.booleans(), st.sampled_from(("shard", "partition_key", "none")))
def test_a_fifo_group_never_runs_past_a_failure_and_comes_back_from_there(
    given_messages: list[tuple[Fate, str]], way: Way, parks: bool, ordering: Any
) -> None:
    handler = handler_for(way)
    function = on_lambda(
        Consumer(
            handler,
            ordering=ordering,
            retry=Retry(attempts=2),
            dead_letters=MemoryDeadLetters() if parks else None,
            max_workers=workers_for(way),
        ),
        clock=VirtualClock(),
    )
    event = sqs_event(
        [(f"{index} {fate}", group) for index, (fate, group) in enumerate(given_messages)], queue_arn=FIFO
    )
    answer = function(event, LambdaContext())
    function.close()
    undone: set[int] = set()
    tried: set[int] = set()
    done: dict[str, list[int]] = {}
    for group in "abc":
        stopped = False
        for index, (fate, its) in enumerate(given_messages):
            if its != group:
                continue
            if not stopped:
                tried.add(index)
            stopped = stopped or fate == "fails" or (fate == "poison" and not parks)
            if stopped:
                undone.add(index)
            elif fate != "poison":
                done.setdefault(group, []).append(index)
    assert answered(answer, event) == sorted(undone)
    assert set(map(int, handler.started)) == tried
    in_order: dict[str, list[int]] = {}
    for number in map(int, handler.done):
        in_order.setdefault(given_messages[number][1], []).append(number)
    assert in_order == done


class Repairing(Fated):
    """What fails today does not the day after tomorrow."""

    day = 0

    def befall(self, record: Record) -> None:
        number, fate = record.text().split()
        self.started.append(number)
        if fate == "fails" and self.day < 2:
            raise RuntimeError(fate)
        self.done.append(number)


class RepairingInTransactions(TransactionalHandler[Any]):
    """The same, with its effects in the ledger's database."""

    def __init__(self, inner: Repairing) -> None:
        self.inner = inner

    def process(self, record: Record, transaction: Any) -> None:
        transaction.execute("CREATE TABLE IF NOT EXISTS effect (number TEXT)")
        self.inner.befall(record)
        transaction.execute("INSERT INTO effect VALUES (?)", (record.text().split()[0],))


@given(
    messages,
    st.sampled_from(("sparse", "full")),
    st.sampled_from(("partial", "raise")),
    st.sampled_from(("arn:aws:sqs:us-east-1:000000000000:orders", FIFO)),
)
def test_with_a_ledger_no_message_is_processed_twice_however_the_batch_comes_back(
    given_messages: list[tuple[Fate, str]], mode: Any, answer: Any, queue_arn: str
) -> None:
    handler = Repairing()
    function = on_lambda(Consumer(handler, ledger=MemoryLedger(), mode=mode, retry=ONCE), answer=answer)
    event = sqs_event(
        [(f"{index} {fate}", group) for index, (fate, group) in enumerate(given_messages)], queue_arn=queue_arn
    )
    waiting = event["Records"]
    for handler.day in range(4):
        try:
            failures = function({"Records": waiting})["batchItemFailures"]
        except BatchUnfinished:
            continue  # all of it comes back
        names = [failure["itemIdentifier"] for failure in failures]
        waiting = [message for message in waiting if message["messageId"] in names]
    assert sorted(handler.done) == sorted(str(index) for index in range(len(given_messages)))
    # SQS delivers at least once: what is done, and deleted, may still come.
    assert function(event) == {"batchItemFailures": []}
    assert len(handler.done) == len(given_messages)


def test_in_a_transaction_each_message_takes_effect_once(tmp_path: Path) -> None:
    inner = Repairing()
    with SQLiteLedger(tmp_path / "orders.db") as ledger:
        function = on_lambda(Consumer(RepairingInTransactions(inner), ledger=ledger, retry=ONCE))
        event = sqs_event(["0 done", "1 fails", "2 done"])
        assert answered(function(event), event) == [1]
        assert answered(function(event), event) == [1]  # as if nothing had been deleted
        inner.day = 2
        assert answered(function(event), event) == []
        function.close()
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
            effects = connection.execute("SELECT number FROM effect ORDER BY number").fetchall()
    assert effects == [("0",), ("1",), ("2",)]


class Bulk(BatchHandler):
    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def process(self, records: Sequence[Record]) -> list[Record]:
        self.calls.append([record.text() for record in records])
        return [record for record in records if record.text().endswith("fails")]


@pytest.mark.parametrize("queue_arn", ["arn:aws:sqs:us-east-1:000000000000:orders", FIFO], ids=["standard", "fifo"])
def test_what_a_batch_handler_did_behind_a_failure_is_not_deleted_before_it_and_not_done_again(queue_arn: str) -> None:
    handler = Bulk()
    function = on_lambda(Consumer(handler, ledger=MemoryLedger(), retry=ONCE))
    event = sqs_event(
        [("0 done", "a"), ("1 fails", "a"), ("2 done", "a"), ("3 done", "b"), ("4 fails", "b")], queue_arn=queue_arn
    )
    expected = [1, 2, 4] if queue_arn == FIFO else [1, 4]
    assert answered(function(event), event) == expected
    assert answered(function(event), event) == expected
    assert handler.calls == [["0 done", "1 fails", "2 done", "3 done", "4 fails"], ["1 fails", "4 fails"]]


def test_a_message_that_is_in_the_batch_twice_is_answered_once() -> None:
    function = on_lambda(Consumer(Fated, retry=ONCE))
    [message] = sqs_event(["0 fails"])["Records"]
    assert function({"Records": [message, message]}) == {
        "batchItemFailures": [{"itemIdentifier": message["messageId"]}]
    }


def test_near_the_deadline_what_was_not_tried_is_answered() -> None:
    clock = VirtualClock()

    class Slow(Handler):
        def process(self, record: Record) -> None:
            clock.advance(4)

    function = on_lambda(Consumer(Slow), clock=clock)
    event = sqs_event(["one", "two", "three", "four"])
    assert answered(function(event, LambdaContext(clock=clock, timeout=9)), event) == [2, 3]
    assert function.outcome is not None
    assert (function.outcome.unfinished, function.outcome.out_of_time) == (2, True)


def test_an_open_circuit_leaves_the_rest_of_the_queue_for_later() -> None:
    tried: list[str] = []

    class Down(Handler):
        def process(self, record: Record) -> None:
            tried.append(record.text())
            raise ConnectionError

    function = on_lambda(Consumer(Down, retry=ONCE, breaker=CircuitBreaker(failures=2)), clock=VirtualClock())
    event = sqs_event(["one", "two", "three", "four"])
    assert answered(function(event), event) == [0, 1, 2, 3]
    assert tried == ["one", "two"]


def test_a_mapping_that_reads_no_answer_is_told_by_raising() -> None:
    function = on_lambda(Consumer(Fated, retry=ONCE), answer="raise")
    event = sqs_event(["0 done", "1 fails", "2 done"])
    name = event["Records"][1]["messageId"]
    with pytest.raises(BatchUnfinished, match=f"1 of 3 records are not done, the first at {name}"):
        function(event)


def test_a_ledger_that_fails_fails_no_message() -> None:
    ledger = NotedLedger(broken=("load_keys", "save_keys"))
    handler = Fated()
    function = on_lambda(Consumer(handler, ledger=ledger, retry=ONCE))
    event = sqs_event(["0 done", "1 fails"])
    assert answered(function(event), event) == [1]
    assert function.outcome is not None
    assert function.outcome.ledger_failures == 2
    assert (ledger.loads, ledger.saves) == ([], [])  # message ids have no order: no range of them is ever read


def test_a_handlers_own_idempotency_key_tells_a_producers_duplicates_in_a_queue_too() -> None:
    class Keyed(Fated):
        def idempotency_key(self, record: Record) -> str:
            return record.text()

    handler = Keyed()
    function = on_lambda(Consumer(handler, ledger=MemoryLedger(), retry=ONCE))
    assert function(sqs_event(["0 done", "1 done", "0 done"])) == {"batchItemFailures": []}
    assert function(sqs_event(["0 done"], first_message=9)) == {"batchItemFailures": []}
    assert handler.done == ["0", "1"]


@pytest.mark.parametrize("way", WAYS)
def test_the_records_id_as_its_key_tells_copies_of_a_message_in_one_batch(way: Way) -> None:
    handler = handler_for(way)
    keyed = type("Keyed", (type(handler),), {"idempotency_key": lambda self, record: record.id})()
    function = on_lambda(Consumer(keyed, ledger=MemoryLedger(), max_workers=workers_for(way)))
    [message] = sqs_event(["0 done"])["Records"]
    assert function({"Records": [message, message]}) == {"batchItemFailures": []}
    function.close()
    assert keyed.done == ["0"]


def test_log_lines_name_the_message_and_its_queue(caplog: pytest.LogCaptureFixture) -> None:
    function = on_lambda(Consumer(Fated, name="totals", retry=ONCE, telemetry=Logs()))
    event = sqs_event(["0 fails"])
    name = event["Records"][0]["messageId"]
    with caplog.at_level(logging.WARNING, logger="kstream"):
        function(event)
    failed, unfinished = caplog.records
    assert failed.getMessage() == f"record {name}:0 of test failed after 1 attempt(s): RuntimeError: fails"
    assert unfinished.getMessage().startswith(f"batch unfinished at {name}: 0 done, 1 failed")
    assert vars(failed)["sequence_number"] == name
    assert vars(failed)["stream"] == "test"
    assert "shard" not in vars(failed)
