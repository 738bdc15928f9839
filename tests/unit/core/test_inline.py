"""``def process`` on the calling thread: deadlines, results that are not results, whole batches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.clock import SystemClock
from kstream.core.consumer import Consumer
from kstream.core.errors import Reject
from kstream.core.handler import BatchHandler, Handler
from kstream.core.progress import DONE
from kstream.core.record import Record
from kstream.core.retry import Retry
from kstream.testing.clock import VirtualClock
from tests.support.processing import (
    MALFORMED,
    Inline,
    Letters,
    NotedLedger,
    Script,
    Telling,
    batch,
    entry,
    handler_for,
    processor_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kstream.core.dead_letter import DeadLetter


ONCE = Retry(attempts=1)


def five() -> Any:
    return batch(*(entry(number, key="ab"[number % 2]) for number in range(1, 6)))


# --- The deadline ------------------------------------------------------------------------------------------------------


@given(records=st.integers(1, 8), deadline=st.integers(0, 9))
def test_from_the_deadline_on_nothing_is_started_and_the_rest_is_unfinished(records: int, deadline: int) -> None:
    clock = VirtualClock()
    script = Script(before=lambda record: clock.advance(1))
    processor = processor_of(Consumer(handler_for("inline", script)), clock=clock)
    outcome = processor.process(batch(*(entry(number) for number in range(1, records + 1))), deadline=deadline)
    done = min(records, deadline)
    assert (outcome.done, outcome.unfinished, outcome.failed) == (done, records - done, 0)
    assert outcome.out_of_time == (done < records)
    assert outcome.checkpoint == (None if done == records else str(done + 1))


@pytest.mark.parametrize("ordering", ["shard", "partition_key", "none"])
def test_a_pause_that_reaches_past_the_deadline_is_not_begun_and_holds_up_only_its_own_order(ordering: str) -> None:
    """The record is unfinished, not failed, not parked; the keys that order does not put behind it go on."""
    clock, letters = VirtualClock(), Letters()
    script = Script({(2, 0): 9})
    consumer = Consumer(
        handler_for("inline", script),
        ordering=ordering,  # type: ignore[arg-type]
        retry=Retry(attempts=3, base=60, cap=60, exhausted="dead_letter"),
        dead_letters=letters,
    )
    outcome = processor_of(consumer, clock=clock).process(five(), deadline=30)
    left = {"shard": {2, 3, 4, 5}, "partition_key": {2, 4}, "none": {2}}[ordering]
    assert (outcome.unfinished, outcome.failed, outcome.retried) == (len(left), 0, 0)
    assert outcome.out_of_time
    assert outcome.checkpoint == "2"
    assert {number for number, _ in script.done} == {1, 2, 3, 4, 5} - left
    assert letters.stored == []
    assert clock.monotonic() == 0


# --- Results that are not results ----------------------------------------------------------------------------------------


async def _work() -> None: ...


class Awaitable:
    def __await__(self) -> Iterator[None]:
        yield


def _generator() -> Iterator[None]:
    yield


@pytest.mark.parametrize("result", [_work, Awaitable, _generator], ids=["coroutine", "awaitable", "generator"])
@pytest.mark.parametrize("attempts", [1, 3], ids=["first attempt", "retries"])
@pytest.mark.parametrize("workers", [1, 2])
def test_work_that_nobody_would_do_is_never_a_success(result: Callable[[], Any], attempts: int, workers: int) -> None:
    class Returns(Handler):
        def process(self, record: Record) -> Any:
            return result()

    told = Telling()
    processor = processor_of(Consumer(Returns(), retry=Retry(attempts=attempts), max_workers=workers), telemetry=told)
    outcome = processor.process(batch(entry(1)))
    processor.close()
    assert (outcome.done, outcome.failed, outcome.checkpoint) == (0, 1, "1")
    assert told.failed == [((1, 0), "TypeError", attempts, False)]


def test_any_other_result_is_ignored() -> None:
    class Returns(Handler):
        def process(self, record: Record) -> Any:
            return record

    assert processor_of(Consumer(Returns())).process(batch(entry(1))).complete


# --- A batch at a time -------------------------------------------------------------------------------------------------


class Answers(BatchHandler):
    """Answers with what ``answer`` makes of the records."""

    def __init__(self, answer: Callable[[Sequence[Record]], Any]) -> None:
        self.answer = answer
        self.calls: list[list[int]] = []

    def process(self, records: Sequence[Record]) -> Any:
        self.calls.append([int(record.sequence_number) for record in records])
        return self.answer(records)


class AnswersLater(Answers):
    async def process(self, records: Sequence[Record]) -> Any:
        return super().process(records)


def _raises(error: Exception) -> Callable[[object], Any]:
    def answer(_: object) -> Any:
        raise error

    return answer


def _half_way(records: Sequence[Record]) -> Iterator[Record]:
    yield records[0]
    raise OSError("lost the connection while telling")


def _copy(record: Record) -> Record:
    return Record(
        record.data,
        partition_key=record.partition_key,
        sequence_number=record.sequence_number,
        shard_id=record.shard_id,
        stream_arn=record.stream_arn,
    )


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (lambda records: None, set()),
        (lambda records: [], set()),
        (lambda records: (), set()),
        (lambda records: [r for r in records if r.sequence_number in "24"], {2, 4}),
        (lambda records: (r for r in records if r.sequence_number == "3"), {3}),
        (lambda records: [_copy(r) for r in records if r.sequence_number == "3"], {3}),
        (lambda records: list(records) * 2, {1, 2, 3, 4, 5}),
        (_raises(OSError("down")), {1, 2, 3, 4, 5}),
        (_raises(Reject("which one?")), {1, 2, 3, 4, 5}),
        (lambda records: [Record(b"", sequence_number="99")], {1, 2, 3, 4, 5}),
        (lambda records: True, {1, 2, 3, 4, 5}),
        (lambda records: ["2"], {1, 2, 3, 4, 5}),
        (_half_way, {1, 2, 3, 4, 5}),
        (lambda records: _work(), {1, 2, 3, 4, 5}),
    ],
    ids=[
        "none",
        "empty",
        "tuple",
        "some",
        "generator",
        "equal",
        "all",
        "raises",
        "rejects",
        "foreign",
        "bool",
        "text",
        "half-way",
        "coroutine",
    ],
)
def test_a_batch_handler_s_answer_says_who_failed_and_doubt_fails_all(
    kind: type[Answers], answer: Callable[[Sequence[Record]], Any], failed: set[int]
) -> None:
    handler, ledger, letters = kind(answer), NotedLedger(), Letters()
    consumer = Consumer(handler, retry=Retry(attempts=2), ledger=ledger, dead_letters=letters)
    processor = processor_of(consumer)
    outcome = processor.process(five())
    processor.close()
    assert (outcome.done, outcome.failed, outcome.unfinished) == (5 - len(failed), len(failed), 0)
    assert outcome.checkpoint == (str(min(failed)) if failed else None)
    assert handler.calls == [[1, 2, 3, 4, 5], sorted(failed)] if failed else [[1, 2, 3, 4, 5]]
    assert letters.stored == [], "nobody said which record is poison"
    assert ledger.places == {(n, 0) for n in range(1, 6) if failed and n > min(failed) and n not in failed}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (True, "returned True: return the records that failed, or None"),
        ({"batchItemFailures": []}, "returned 'batchItemFailures' as failed, which is no record: return the records"),
        (["49590"], "returned '49590' as failed, which is no record"),
    ],
)
def test_an_answer_that_is_none_is_told_with_what_to_return(answer: Any, told: str) -> None:
    letters, retry = Letters(), Retry(attempts=1, exhausted="dead_letter")
    processor_of(Consumer(Answers(lambda records: answer), retry=retry, dead_letters=letters)).process(five())
    assert {told in letter.reason for letter in letters.stored} == {True}


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_only_what_failed_is_tried_again_and_what_is_known_as_done_is_not_given(kind: type[Answers]) -> None:
    fails = iter([{2, 3}, {3}, set()])

    def answer(records: Sequence[Record]) -> list[Record]:
        now = next(fails)
        return [record for record in records if int(record.sequence_number) in now]

    handler = kind(answer)
    processor = processor_of(Consumer(handler, ledger=NotedLedger({(1, 0)}), mode="full"))
    outcome = processor.process(five())
    processor.close()
    assert handler.calls == [[2, 3, 4, 5], [2, 3], [3]]
    assert (outcome.done, outcome.skipped, outcome.retried, outcome.checkpoint) == (4, 1, 3, None)


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_a_batch_handler_never_sees_a_malformed_aggregate(kind: type[Answers]) -> None:
    handler, letters = kind(lambda records: None), Letters()
    processor = processor_of(Consumer(handler, dead_letters=letters))
    outcome = processor.process(batch(entry(1), entry(2, MALFORMED), entry(3)))
    processor.close()
    assert handler.calls == [[1, 3]]
    assert (outcome.done, outcome.dead_lettered) == (2, 1)


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_a_batch_of_nothing_but_malformed_aggregates_calls_nobody(kind: type[Answers]) -> None:
    handler = kind(lambda records: None)
    processor = processor_of(Consumer(handler))
    assert processor.process(batch(entry(1, MALFORMED))).failed == 1
    processor.close()
    assert handler.calls == []


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_a_batch_handler_is_not_called_after_the_deadline_or_for_nothing(kind: type[Answers]) -> None:
    handler = kind(lambda records: None)
    processor = processor_of(Consumer(handler, ledger=NotedLedger({(1, 0)})))
    late = processor.process(batch(entry(2)), deadline=0)
    known = processor.process(batch(entry(1)))
    processor.close()
    assert (late.unfinished, late.out_of_time, known.skipped) == (1, True, 1)
    assert handler.calls == []


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_both_copies_of_one_position_fail_together(kind: type[Answers]) -> None:
    """A record is named by its position, so an answer that names it cannot mean one copy only."""
    ledger = NotedLedger()
    processor = processor_of(Consumer(kind(lambda records: [records[1]]), retry=ONCE, ledger=ledger))
    outcome = processor.process(batch(entry("7"), entry("007"), entry("8")))
    processor.close()
    assert (outcome.failed, outcome.done, outcome.checkpoint) == (2, 1, "7")
    assert ledger.places == {(8, 0)}


def test_parking_a_whole_batch_stops_at_the_deadline() -> None:
    clock = VirtualClock()

    class Slow(Letters):
        def put(self, letter: Any) -> None:
            clock.advance(1)
            super().put(letter)

    letters = Slow()
    consumer = Consumer(
        Answers(_raises(OSError())), retry=Retry(attempts=1, exhausted="dead_letter"), dead_letters=letters
    )
    outcome = processor_of(consumer, clock=clock).process(five(), deadline=2)
    assert (outcome.dead_lettered, outcome.unfinished, outcome.failed, outcome.out_of_time) == (2, 3, 0, True)
    assert outcome.checkpoint == "3"


def test_a_batch_handler_takes_no_workers() -> None:
    with pytest.raises(ValueError, match="max_workers=2"):
        processor_of(Consumer(Answers(lambda records: None), max_workers=2))


class Hangs(Letters):
    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def put(self, letter: DeadLetter) -> None:
        self.go.wait(60)
        super().put(letter)


def test_a_sink_that_hangs_is_not_waited_for_beyond_the_deadline() -> None:
    """Its record fails, and comes back; what was done before is answered in time."""
    sink = Hangs()
    consumer = Consumer(Inline(Script(rejected={(2, 0)})), ordering="none", dead_letters=sink)
    clock = SystemClock()
    processor = processor_of(consumer, clock=clock)
    outcome = processor.process(batch(entry(1), entry(2), entry(3)), deadline=clock.monotonic() + 1.0)
    assert (outcome.done, outcome.failed, outcome.dead_letter_failures, outcome.checkpoint) == (1, 1, 1, "2")
    assert sink.stored == []
    sink.go.set()


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_what_a_batch_handler_did_in_one_call_is_written_in_one_save(kind: type[Answers]) -> None:
    """Saved record by record, with a ledger that is slow, the rest of what was done would miss the deadline."""
    ledger = NotedLedger()
    handler = kind(lambda records: [record for record in records[:3] if len(records) == 6])
    processor = processor_of(Consumer(handler, ledger=ledger, mode="full"))
    outcome = processor.process(batch(*(entry(number) for number in range(1, 7))))
    processor.close()
    assert outcome.done == 6
    assert [set(saved) for saved in ledger.saves] == [{4, 5, 6}, {1, 2, 3}]


@pytest.mark.parametrize("kind", [Answers, AnswersLater])
def test_what_a_batch_handler_did_is_done_before_the_ledger_is_written(kind: type[Answers]) -> None:
    states: list[int] = []

    class Ledger(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            known = processor._in_hand
            assert known is not None
            states.append(known[1].states.count(DONE))
            super().save(scope, done)

    processor = processor_of(Consumer(kind(lambda records: None), ledger=Ledger(), mode="full"))
    processor.process(batch(*(entry(number) for number in range(9))))
    processor.close()
    assert states == [9]
