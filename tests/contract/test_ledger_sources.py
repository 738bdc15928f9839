"""Through any ledger: the messages of a queue and the changes of a table are processed once, as a shard's records are."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from kstream import Consumer, Handler, Retry, on_lambda
from kstream.testing import dynamodb_event, sqs_event

if TYPE_CHECKING:
    from kstream import Record

    from .conftest import OpenLedger

ONCE = Retry(attempts=1)


class Odd(Handler):
    """Fails on odd numbers until it is repaired."""

    def __init__(self) -> None:
        self.broken = True
        self.done: list[str] = []

    def process(self, record: Record) -> None:
        number = record.json()["n"] if "n" in record.json() else int(record.json()["dynamodb"]["NewImage"]["n"]["N"])
        if self.broken and number % 2:
            raise RuntimeError
        self.done.append(f"{record.partition_key}/{number}")


def deliver_twice(handler: Odd, open_ledger: OpenLedger, mode: Any, event: dict[str, Any]) -> list[str]:
    """The whole event again after a repair, to another process; what is done then."""
    on_lambda(Consumer(handler, ordering="none", ledger=open_ledger(), mode=mode, retry=ONCE), answer="partial")(event)
    handler.broken = False
    again = on_lambda(Consumer(handler, ordering="none", ledger=open_ledger(), mode=mode, retry=ONCE))
    assert again(event) == {"batchItemFailures": []}
    return handler.done


@pytest.mark.parametrize("mode", ["sparse", "full"])
@pytest.mark.parametrize("ending", ["", ".fifo"], ids=["standard", "fifo"])
def test_messages(open_ledger: OpenLedger, mode: Any, ending: str) -> None:
    queue = f"arn:aws:sqs:us-east-1:000000000000:{uuid.uuid4().hex}{ending}"
    event = sqs_event([({"n": n}, f"g{n % 3}") for n in range(40)], queue_arn=queue)
    done = deliver_twice(Odd(), open_ledger, mode, event)
    assert sorted(done) == sorted(f"g{n % 3}/{n}" for n in range(40))


@pytest.mark.parametrize("mode", ["sparse", "full"])
def test_changes_of_shards_that_number_alike(open_ledger: OpenLedger, mode: Any) -> None:
    """Numbers of 40 digits, the most that AWS gives. What one shard did is no other's, and none of it is done again."""
    table = f"arn:aws:dynamodb:us-east-1:000000000000:table/{uuid.uuid4().hex}/stream/2026-01-31T12:00:00.000"
    for shard in ("one", "two"):
        event = dynamodb_event(
            [{"id": shard, "n": n} for n in range(10)], stream_arn=table, first_sequence_number=10**39
        )
        for entry in event["Records"]:
            entry["eventID"] = f"{shard}-{entry['eventID']}"
        handler = Odd()
        handler.broken = True
        on_lambda(Consumer(handler, ordering="none", ledger=open_ledger(), mode=mode, retry=ONCE))(event)
        assert len(handler.done) == 5
        handler.broken = False
        rest = {"Records": event["Records"][1:]}  # from the first that failed
        assert on_lambda(Consumer(handler, ledger=open_ledger(), mode=mode, retry=ONCE))(rest) == {
            "batchItemFailures": []
        }
        assert sorted(handler.done) == sorted(f'{{"id":{{"S":"{shard}"}}}}/{n}' for n in range(10))
