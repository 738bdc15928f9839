"""A consumer on a table's stream: as on a shard of Kinesis, but for what its events do not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream import Consumer, Handler, MemoryLedger, Reject, Retry, SQLiteLedger, TransactionalHandler, on_lambda
from kstream.testing import LambdaContext, MemoryDeadLetters, VirtualClock, dynamodb_event
from tests.support.processing import WAYS, workers_for

if TYPE_CHECKING:
    from pathlib import Path

    from kstream import Record
    from tests.support.processing import Way

ONCE = Retry(attempts=1)
FIRST = 200_000_000_000_000_499_659


def number_of(record: Record) -> int:
    return int(record.json()["dynamodb"]["NewImage"]["number"]["N"])


class Failing(Handler):
    """Fails on these numbers, and remembers the others."""

    def __init__(self, failing: set[int]) -> None:
        self.failing = failing
        self.done: list[int] = []

    def process(self, record: Record) -> None:
        number = number_of(record)
        if number in self.failing:
            raise RuntimeError
        self.done.append(number)


class FailingAsync(Failing):
    async def process(self, record: Record) -> None:  # type: ignore[override]
        super().process(record)


def changes(*numbers: int, key: int = 3, first: int = FIRST) -> dict[str, Any]:
    """Of ``key`` items in turn."""
    return dynamodb_event(
        [{"id": f"i-{number % key}", "number": number} for number in numbers], first_sequence_number=first
    )


def first_of(answer: dict[str, list[dict[str, str]]]) -> int | None:
    names = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    return None if not names else int(names[0]) - FIRST


@given(st.sets(st.integers(0, 8)), st.sampled_from(("shard", "partition_key", "none")), st.sampled_from(WAYS))
def test_the_first_change_that_is_not_done_is_answered_and_each_item_keeps_its_order(
    failing: set[int], ordering: Any, way: Way
) -> None:
    handler = Failing(failing) if way in ("inline", "threads") else FailingAsync(failing)
    function = on_lambda(
        Consumer(handler, ordering=ordering, retry=ONCE, ledger=MemoryLedger(), max_workers=workers_for(way)),
        clock=VirtualClock(),
    )
    event = changes(*range(9))
    first = first_of(function(event, LambdaContext()))
    assert first == min(failing, default=None)
    for item in range(3):
        done = [number for number in handler.done if number % 3 == item]
        assert done == sorted(done)
        if ordering == "partition_key":
            assert done == [n for n in range(item, 9, 3) if not any(f % 3 == item and f <= n for f in failing)]
    # AWS delivers again from there, until all is done: nothing runs twice.
    handler.failing = set()
    if first is not None:
        assert first_of(function({"Records": event["Records"][first:]}, LambdaContext())) is None
    function.close()
    assert sorted(handler.done) == list(range(9))


@pytest.mark.parametrize("transactional", [False, True], ids=["ledger", "transactions"])
def test_two_shards_whose_numbers_are_the_same_take_nothing_of_each_other_for_done(
    tmp_path: Path, transactional: bool
) -> None:
    """Their batches share one scope of the ledger, for the event does not name the shard; but not one position."""
    done: list[tuple[str, int]] = []
    failing = {1}

    class Plain(Handler):
        def process(self, record: Record) -> None:
            number = number_of(record)
            if number in failing:
                raise RuntimeError
            done.append((record.partition_key, number))

    class Effect(TransactionalHandler[Any]):
        def process(self, record: Record, transaction: Any) -> None:
            Plain().process(record)

    def shard(name: str) -> dict[str, Any]:
        event = dynamodb_event([{"id": name, "number": n} for n in range(4)], first_sequence_number=FIRST)
        for entry in event["Records"]:  # which names an event for ever, whichever shard it is in
            entry["eventID"] = name + entry["eventID"]
        return event

    with SQLiteLedger(tmp_path / "ledger.db") as ledger:
        function = on_lambda(Consumer(Effect if transactional else Plain, ordering="none", retry=ONCE, ledger=ledger))
        assert first_of(function(shard("a"))) == 1
        assert first_of(function(shard("b"))) == 1
        failing.clear()
        for name in "ab":
            assert first_of(function({"Records": shard(name)["Records"][1:]})) is None
        function.close()
    keys = [f'{{"id":{{"S":"{name}"}}}}' for name in "ab"]
    assert sorted(done) == sorted((key, number) for key in keys for number in range(4))


def test_a_poison_change_is_parked_whole_and_the_rest_goes_on() -> None:
    letters = MemoryDeadLetters()

    class Picky(Handler):
        def process(self, record: Record) -> None:
            if number_of(record) == 1:
                raise Reject("one")

    assert on_lambda(Consumer(Picky, dead_letters=letters))(changes(0, 1, 2)) == {"batchItemFailures": []}
    [letter] = letters.letters
    assert letter.record.json()["dynamodb"]["SequenceNumber"] == str(FIRST + 1)
    assert letter.record.partition_key == '{"id":{"S":"i-1"}}'


def test_a_payload_that_looks_like_an_aggregate_is_none() -> None:
    """Aggregates and envelopes come out of Kinesis alone."""
    seen: list[Any] = []

    class Sees(Handler):
        def process(self, record: Record) -> None:
            seen.append(record.json()["dynamodb"]["NewImage"]["data"])

    on_lambda(Consumer(Sees))(dynamodb_event([{"id": "a", "data": b"\xf3\x89\x9a\xc2" + b"x" * 40}]))
    assert [list(found) for found in seen] == [["B"]]
