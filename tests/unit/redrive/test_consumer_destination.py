"""Replaying through a consumer: past the ledger's mark of what was parked, and once all the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.batch import Batch
from kstream.core.consumer import Consumer
from kstream.core.errors import Reject
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.ports import Scope
from kstream.core.retry import Retry
from kstream.redrive.consumer_destination import ConsumerDestination
from kstream.redrive.destination import Refused, Sent
from kstream.redrive.item import item_of
from kstream.redrive.named_records import NamedRecords
from kstream.redrive.on_failure import OnFailureMessage
from kstream.runtimes.aws_lambda import on_lambda
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing import dynamodb_event, sqs_event
from kstream.testing.clock import VirtualClock
from tests.support.processing import MALFORMED, processor_of
from tests.unit.redrive.builders import ARN, SEQUENCE, golden, letter

if TYPE_CHECKING:
    from pathlib import Path

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.record import Record
    from kstream.redrive.destination import Result

SCOPE = Scope("Totals", ARN, "shardId-000000000001")


class Switch:
    """A fault that is there until it is repaired."""

    def __init__(self) -> None:
        self.repaired = False
        self.seen: Counter[str] = Counter()

    def look(self, record: Record) -> None:
        if not self.repaired:
            raise Reject("not yet")
        self.seen[record.sequence_number] += 1


class Plain(Handler):
    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def process(self, record: Record) -> None:
        self.switch.look(record)


class Keyed(Plain):
    def idempotency_key(self, record: Record) -> str | None:
        return record.partition_key


class Asynchronous(Plain):
    async def process(self, record: Record) -> None:  # type: ignore[override]
        self.switch.look(record)


class Whole(BatchHandler):
    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def process(self, records: Any) -> None:
        for record in records:
            self.switch.look(record)


class Transactional(TransactionalHandler[Any]):
    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def process(self, record: Record, transaction: Any) -> None:
        transaction.execute("CREATE TABLE IF NOT EXISTS effects (sequence TEXT)")
        transaction.execute("INSERT INTO effects VALUES (?)", (record.sequence_number,))
        self.switch.look(record)


class TransactionalKeyed(Transactional):
    def idempotency_key(self, record: Record) -> str | None:
        return record.partition_key


def destination(consumer: Consumer, *, any_consumer: bool = False) -> ConsumerDestination:
    return ConsumerDestination(
        consumer,
        NamedRecords(),
        clock=VirtualClock(4_000_000_000.0),
        uniform=lambda low, high: high,
        any_consumer=any_consumer,
    )


def replay(consumer: Consumer, of: DeadLetter) -> Result:
    replaying = destination(consumer)
    assert replaying.objection(of) is None
    (unit,) = replaying.letter(of).units
    try:
        return unit.send()
    finally:
        replaying.close()


def park(consumer: Consumer, records: list[Record]) -> None:
    """As its runtime did: the records are rejected, parked, and told to the ledger, since another one is unfinished."""
    processor = processor_of(consumer, clock=VirtualClock(4_000_000_000.0))
    processor.process(Batch.plain(records), prefix_settles=False)
    processor.close()


HANDLERS = [Plain, Keyed, Asynchronous, Whole]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("mode", ["sparse", "full"])
def test_what_the_ledger_holds_as_parked_is_replayed_once(handler: Any, mode: Any) -> None:
    switch, ledger, sink = Switch(), MemoryLedger(clock=VirtualClock(4_000_000_000.0)), MemoryDeadLetters()
    consumer = Consumer(
        lambda: handler(switch), name="Totals", ledger=ledger, mode=mode, dead_letters=sink, retry=Retry(attempts=1)
    )
    parked = letter()
    ledger.save(SCOPE, {SEQUENCE: 1})
    ledger.save_keys(SCOPE, ["c-7"])

    assert isinstance(replay(consumer, parked), Refused)
    switch.repaired = True
    assert replay(consumer, parked) == Sent("done")
    assert replay(consumer, parked) == Sent("done before")
    assert switch.seen == {str(SEQUENCE): 1}
    assert sink.letters == []


@pytest.mark.parametrize("handler", [Transactional, TransactionalKeyed])
def test_a_transactional_effect_happens_once_however_often_it_is_replayed(handler: Any, tmp_path: Path) -> None:
    switch, sink = Switch(), MemoryDeadLetters()
    clock = VirtualClock(4_000_000_000.0)
    with SQLiteLedger(tmp_path / "ledger.db", clock=clock) as ledger:
        consumer = Consumer(lambda: handler(switch), name="Totals", ledger=ledger, dead_letters=sink)
        park(consumer, [letter().record])
        ledger.save(SCOPE, {SEQUENCE: 1})
        (parked,) = sink.letters

        assert replay(consumer, parked) == Refused("Reject: not yet")
        switch.repaired = True
        assert replay(consumer, parked) == Sent("done")
        assert replay(consumer, parked) == Sent("done before")
        # Another copy, parked later, of the record whose effect is there already.
        assert replay(consumer, letter(later=60)) == Sent("done before")

        transaction = ledger.begin(SCOPE)
        count: list[tuple[str]] = []
        transaction.apply(
            letter(9).record.position, None, lambda sql: count.extend(sql.execute("SELECT * FROM effects"))
        )
        transaction.rollback()
        assert count == [(str(SEQUENCE),)]


def test_a_fact_that_its_twin_has_done_meanwhile_is_not_done_again(tmp_path: Path) -> None:
    """A transactional ledger marks the key of what took place, never that of what was parked."""
    switch = Switch()
    with SQLiteLedger(tmp_path / "ledger.db", clock=VirtualClock(4_000_000_000.0)) as ledger:
        consumer = Consumer(
            lambda: TransactionalKeyed(switch), name="Totals", ledger=ledger, dead_letters=MemoryDeadLetters()
        )
        park(consumer, [letter(0).record])
        switch.repaired = True
        park(consumer, [letter(1).record])

        assert replay(consumer, letter(0)) == Sent("done before")
        assert switch.seen == {str(SEQUENCE + 1): 1}


@pytest.mark.parametrize(
    ("handler", "again"), [(Plain, "done"), (Transactional, "done"), (TransactionalKeyed, "done before")]
)
def test_a_letter_whose_record_succeeded_later_is_done_once_more_unless_its_key_is_in_a_transactional_ledger(
    handler: Any, again: str, tmp_path: Path
) -> None:
    """Parked; killed before the ledger heard of it; delivered again, and done this time. The letter is still there."""
    switch, sink = Switch(), MemoryDeadLetters()
    sink.put(letter())
    with SQLiteLedger(tmp_path / "ledger.db", clock=VirtualClock(4_000_000_000.0)) as ledger:
        consumer = Consumer(lambda: handler(switch), name="Totals", ledger=ledger, dead_letters=sink)
        switch.repaired = True
        park(consumer, [letter().record])
        assert (switch.seen, len(sink.letters)) == ({str(SEQUENCE): 1}, 1)

        assert replay(consumer, sink.letters[0]) == Sent(again)
        assert switch.seen == {str(SEQUENCE): 2 if again == "done" else 1}
        assert replay(consumer, sink.letters[0]) == Sent("done before")


def test_what_fails_again_is_told_and_makes_no_second_letter() -> None:
    sink = MemoryDeadLetters()
    consumer = Consumer(lambda: Plain(Switch()), name="Totals", dead_letters=sink)

    assert replay(consumer, letter()) == Refused("Reject: not yet")
    assert sink.letters == []


def test_retries_are_the_consumers_own() -> None:
    class Failing(Handler):
        def process(self, record: Record) -> None:
            raise RuntimeError("down")

    consumer = Consumer(Failing, name="Totals", retry=Retry(attempts=3, exhausted="fail"))

    assert replay(consumer, letter()) == Refused("RuntimeError: down, after 3 attempts")


def test_letters_of_another_consumer_are_not_taken_unless_asked_for() -> None:
    consumer = Consumer(lambda: Plain(Switch()), name="Totals")

    assert "it is of the consumer 'Other'" in str(destination(consumer).objection(letter(consumer="Other")))
    assert destination(consumer, any_consumer=True).objection(letter(consumer="Other")) is None


def test_a_malformed_aggregate_never_reaches_a_handler() -> None:
    poison = letter(data=MALFORMED, error_type="UndecodableRecord")

    objection = destination(Consumer(lambda: Plain(Switch()), name="Totals")).objection(poison)

    assert "malformed aggregate" in str(objection)


def message() -> OnFailureMessage:
    content = item_of("ref", golden("s3_payload_text")).content
    assert isinstance(content, OnFailureMessage)
    return content


def deliver(consumer: Consumer) -> Result:
    replaying = destination(consumer)
    work = replaying.message(message())
    (unit,) = work.units
    assert work.gone == 0
    try:
        return unit.send()
    finally:
        replaying.close()


def test_the_records_of_a_message_heed_the_ledger_and_may_be_parked() -> None:
    switch, sink = Switch(), MemoryDeadLetters()
    switch.repaired = True
    ledger = MemoryLedger(clock=VirtualClock(4_000_000_000.0))
    consumer = Consumer(lambda: Plain(switch), name="Totals", ledger=ledger, dead_letters=sink)
    scope = Scope("Totals", message().stream_arn, message().shard_id)
    ledger.save(scope, {SEQUENCE: 1})

    assert deliver(consumer) == Sent("1 done, 1 done before")
    assert deliver(consumer) == Sent("2 done before")
    assert switch.seen == {str(SEQUENCE + 2): 1}

    other = Consumer(lambda: Plain(Switch()), name="Other", ledger=ledger, dead_letters=sink)
    assert deliver(other) == Sent("2 dead-lettered")
    assert [kept.reason for kept in sink.letters] == ["not yet", "not yet"]


def test_a_message_without_a_sink_for_its_poison_stays() -> None:
    consumer = Consumer(lambda: Plain(Switch()), name="Totals", ordering="none")

    assert deliver(consumer) == Refused("2 of 2 records are not done: Reject: not yet")


@pytest.mark.parametrize("handler", [Plain, Whole, Transactional])
@pytest.mark.parametrize(
    "event", [sqs_event(["one", "two"]), dynamodb_event([{"id": "a"}, {"id": "b"}])], ids=["queue", "table"]
)
def test_what_a_queue_or_a_table_delivered_is_replayed_once(handler: Any, event: Any, tmp_path: Path) -> None:
    """Out of its letter, which knows the record by the number of its position."""
    switch, sink = Switch(), MemoryDeadLetters()
    with SQLiteLedger(tmp_path / "ledger.db", clock=VirtualClock(4_000_000_000.0)) as ledger:
        consumer = Consumer(
            lambda: handler(switch),
            name="Totals",
            ledger=ledger,
            dead_letters=sink,
            retry=Retry(attempts=1, exhausted="dead_letter"),
        )
        live = on_lambda(consumer)
        assert live(event) == {"batchItemFailures": []}
        live.close()
        parked = [item_of("", letter.to_json()).content for letter in sink.letters]
        switch.repaired = True
        for one in parked:
            assert not isinstance(one, OnFailureMessage)
            assert replay(consumer, one) == Sent("done")  # type: ignore[arg-type]
            assert replay(consumer, one) == Sent("done before")  # type: ignore[arg-type]
        assert len(switch.seen) == 2
