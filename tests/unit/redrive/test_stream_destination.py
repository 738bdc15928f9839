"""What goes back into a stream: the same record under the same keys, and nothing that Kinesis has no place for is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from kstream.aggregation import deaggregate
from kstream.aws.record_put import NotPut, PutUnknown
from kstream.aws.stream_writer import Written
from kstream.core.batch import Batch
from kstream.core.dead_letter import DeadLetter
from kstream.core.record import Record
from kstream.redrive.destination import Refused, Sent, Unknown
from kstream.redrive.named_records import NamedRecords
from kstream.redrive.stream_destination import StreamDestination, outer_of
from kstream.testing import enveloped
from kstream.testing.clock import VirtualClock
from tests.support.processing import MALFORMED, aggregate_of, entry
from tests.unit.redrive.builders import letter

if TYPE_CHECKING:
    from kstream.aws.record_put import PutResult, RecordPut


class Answers:
    """Stands for Kinesis: answers what it is told to, in turn. Throttling cannot be had from an emulator."""

    def __init__(self, *results: PutResult) -> None:
        self.results = list(results)
        self.puts: list[tuple[Any, ...]] = []

    def put(self, *arguments: Any) -> PutResult:
        self.puts.append(arguments)
        return self.results.pop(0)


def send(answers: Answers, clock: VirtualClock) -> Any:
    destination = StreamDestination("orders", cast("RecordPut", answers), NamedRecords(), clock=clock)
    (unit,) = destination.letter(letter(hash_key="12")).units
    return unit.send()


def test_a_plain_record_goes_back_as_it_was() -> None:
    assert outer_of(letter(hash_key="12").record) == ("c-7", "12", b'{"amount": -1}')


@pytest.mark.parametrize("data", [b"{}", aggregate_of(("k", b"nested"))])
def test_headers_and_nested_aggregates_travel_in_an_aggregate_under_their_own_key(data: bytes) -> None:
    record = letter(data=data, headers={"trace": "1"}).record

    outer = outer_of(record)

    (again,) = deaggregate(Record(outer.data, partition_key=outer.partition_key))
    assert (again.data, again.partition_key, dict(again.headers)) == (data, "c-7", {"trace": "1"})
    assert outer.partition_key == "c-7"
    assert outer.explicit_hash_key is not None


def test_a_record_that_came_in_an_envelope_keeps_its_headers() -> None:
    (arrived,) = Batch.from_entries([entry(1, enveloped("payload", {"traceparent": "00-1"}), "c-7")]).records
    made = DeadLetter.from_json(replace(letter(), record=arrived).to_json())

    outer = outer_of(made.record)

    assert (made.record.data, outer.partition_key) == (b"payload", "c-7")
    (again,) = Batch.from_entries([entry(2, outer.data, outer.partition_key)]).records
    assert (again.data, again.partition_key, dict(again.headers)) == (b"payload", "c-7", {"traceparent": "00-1"})


def test_a_payload_that_is_an_envelope_itself_is_the_payload_again() -> None:
    """Put back bare it would be taken for one, and opened."""
    inside = enveloped("payload", {"a": "b"})

    outer = outer_of(letter(data=inside).record)

    (again,) = Batch.from_entries([entry(1, outer.data)]).records
    assert (again.data, dict(again.headers)) == (inside, {})


def test_what_the_mapping_discarded_goes_back_envelope_and_all() -> None:
    (outer,) = Batch.from_entries([entry(1, enveloped("payload", {"a": "b"}), "c-7")]).outers
    answers = Answers(Written("1", "shardId-0"))
    destination = StreamDestination("orders", cast("RecordPut", answers), NamedRecords(), clock=VirtualClock())

    destination._put_outer(outer)

    assert answers.puts == [("orders", enveloped("payload", {"a": "b"}), "c-7", None)]


def test_a_malformed_aggregate_goes_back_as_it_came() -> None:
    assert outer_of(letter(data=MALFORMED).record).data == MALFORMED


def test_a_key_that_kinesis_would_refuse_is_objected_to() -> None:
    destination = StreamDestination("orders", cast("RecordPut", Answers()), NamedRecords(), clock=VirtualClock())

    assert "Kinesis would not take it" in str(destination.objection(letter(key="")))
    assert destination.objection(letter()) is None


def test_throttling_is_waited_out_because_nothing_was_put() -> None:
    clock = VirtualClock()
    answers = Answers(NotPut("slow", throttled=True), NotPut("slow", throttled=True), Written("7", "shard"))

    assert send(answers, clock) == Sent("shard:7")
    assert len(answers.puts) == 3
    assert clock.monotonic() == pytest.approx(0.3)


def test_throttling_without_end_and_refusals_leave_the_letter() -> None:
    assert send(Answers(*[NotPut("slow", throttled=True)] * 7), VirtualClock()) == Refused("slow")
    assert send(Answers(NotPut("no such stream")), VirtualClock()) == Refused("no such stream")


def test_a_lost_answer_is_never_followed_by_another_put() -> None:
    answers = Answers(PutUnknown("timed out"))

    assert send(answers, VirtualClock()) == Unknown("timed out")
    assert len(answers.puts) == 1
