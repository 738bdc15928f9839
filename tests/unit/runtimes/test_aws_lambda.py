"""The Lambda runtime: real events in, one identifier out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.consumer import Consumer
from kstream.core.errors import BatchUnfinished, ConfigurationError, EventError, Reject
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from kstream.runtimes.aws_lambda import on_lambda
from kstream.stores.memory import MemoryLedger
from kstream.testing.clock import VirtualClock
from kstream.testing.events import LambdaContext, kinesis_event
from tests.support.processing import (
    WAYS,
    Letters,
    NotedLedger,
    Script,
    aggregate_of,
    entry,
    event,
    handler_for,
    place_of,
    workers_for,
)

if TYPE_CHECKING:
    from kstream.core.record import Record
    from tests.support.processing import Way

ONCE = Retry(attempts=1)
DONE: dict[str, Any] = {"batchItemFailures": []}


class Counted(Handler):
    built = 0
    opened = 0
    closed = 0

    def __init__(self) -> None:
        type(self).built += 1

    def open(self) -> None:
        type(self).opened += 1

    def process(self, record: Record) -> None: ...

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture(autouse=True)
def _count_anew() -> None:
    Counted.built = Counted.opened = Counted.closed = 0


def test_a_batch_that_is_done_answers_with_nothing() -> None:
    handle = on_lambda(Consumer(Counted))
    assert handle(kinesis_event([b"one", ("two", "k"), {"n": 3}]), LambdaContext()) == DONE
    assert handle.outcome is not None
    assert handle.outcome.done == 3


def test_the_first_record_not_done_is_answered_as_the_event_spelled_it() -> None:
    script = Script({(8, 0): 9, (10, 0): 9})
    handle = on_lambda(Consumer(handler_for("inline", script), ordering="none", retry=ONCE))
    given_event = event(entry("007"), entry("008"), entry("9"), entry("10"))
    assert handle(given_event, LambdaContext()) == {"batchItemFailures": [{"itemIdentifier": "008"}]}


def test_an_aggregate_done_in_part_is_answered_whole_and_not_run_twice() -> None:
    script = Script({(5, 1): 1})
    consumer = Consumer(handler_for("inline", script), ordering="none", retry=ONCE, ledger=MemoryLedger())
    handle = on_lambda(consumer)
    given_event = event(entry(4), entry(5, aggregate_of(("x", b"1"), ("y", b"2"), ("z", b"3"))), entry(6))
    assert handle(given_event) == {"batchItemFailures": [{"itemIdentifier": "5"}]}
    given_event["Records"] = given_event["Records"][1:]
    assert handle(given_event) == DONE
    assert script.done == [(4, 0), (5, 0), (5, 2), (6, 0), (5, 1)]


def test_for_a_mapping_that_reads_no_answer_anything_unfinished_raises_and_the_ledger_keeps_the_prefix() -> None:
    script, ledger = Script({(2, 0): 1}), NotedLedger()
    consumer = Consumer(handler_for("inline", script), retry=ONCE, ledger=ledger, name="totals")
    handle = on_lambda(consumer, answer="raise")
    given_event = event(entry(1), entry(2), entry(3))
    with pytest.raises(BatchUnfinished, match=r"totals: 2 of 3 records are not done, the first at 2"):
        handle(given_event)
    assert ledger.places == {(1, 0)}
    assert handle(given_event) == DONE
    assert script.done == [(1, 0), (2, 0), (3, 0)]


def test_an_answer_is_partial_or_raised() -> None:
    with pytest.raises(ConfigurationError, match="'partial' or 'raise'"):
        on_lambda(Consumer(Counted), answer="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", ["partial", "raise"])
def test_no_records_are_done_and_no_event_is_an_error(answer: Any) -> None:
    handle = on_lambda(Consumer(Counted), answer=answer)
    assert handle({"Records": []}, LambdaContext()) == DONE
    with pytest.raises(EventError):
        handle({}, LambdaContext())


WRONG_SHARD: Any = ("eventID", "shardId-000000000008:2")
NO_KEY: Any = ("partitionKey", None)
NO_NUMBER: Any = ("sequenceNumber", None)
NO_STREAM: Any = ("eventSourceARN", None)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("defect", [WRONG_SHARD, NO_KEY, NO_NUMBER, NO_STREAM], ids=lambda defect: defect[0])
@pytest.mark.parametrize(
    "policies",
    [{}, {"ordering": "partition_key"}, {"ledger": True}, {"ledger": True, "mode": "full"}, {"letters": True}],
    ids=str,
)
@pytest.mark.parametrize("fails", [False, True])
def test_a_defect_in_the_middle_of_an_event_is_never_answered_nor_written_down(
    way: Way, defect: tuple[str, object], policies: dict[str, Any], fails: bool
) -> None:
    """A batch done as a whole answers no position; anything else raises, and everything comes again."""
    middle = entry(2)
    name, value = defect
    holder = middle["kinesis"] if name in middle["kinesis"] else middle
    if value is None:
        del holder[name]
    else:
        holder[name] = value
    done: list[bytes] = []

    def note(record: Record) -> None:
        if fails and record.data == b"3":
            raise Reject("poison") if "letters" in policies else OSError
        done.append(record.data)

    class Notes(Handler):
        def process(self, record: Record) -> None:
            note(record)

    class NotesLater(Handler):
        async def process(self, record: Record) -> None:
            note(record)

    ledger, letters = NotedLedger(), Letters(lambda letter: True)
    given_policies = policies | {"ledger": ledger if "ledger" in policies else None}
    if given_policies.pop("letters", False):
        given_policies["dead_letters"] = letters
    handler = Notes if way in ("inline", "threads") else NotesLater
    consumer = Consumer(handler, name="notes", retry=ONCE, max_workers=workers_for(way), **given_policies)
    handle = on_lambda(consumer)
    given_event = event(entry(1), middle, entry(3, b"3"), entry(4))
    try:
        assert handle(given_event) == DONE
    except EventError:
        pass
    else:
        assert len(done) == 4
    handle.close()
    assert ledger.places == set()


# --- The deadline ------------------------------------------------------------------------------------------------------


@given(timeout=st.integers(1, 900), margin=st.floats(0, 30), spent=st.floats(0, 1))
def test_it_stops_a_margin_before_the_end_and_a_fifth_of_the_time_at_most(
    timeout: int, margin: float, spent: float
) -> None:
    clock = VirtualClock()
    clock.advance(100)
    context = LambdaContext(clock=clock, timeout=timeout)
    clock.advance(spent * timeout)
    left = context.get_remaining_time_in_millis() / 1000
    stop_at = clock.monotonic() + left - min(margin, left / 5)
    begun: list[float] = []

    class Slow(Handler):
        def process(self, record: Record) -> None:
            begun.append(clock.monotonic())
            clock.advance(timeout / 50)

    handle = on_lambda(Consumer(Slow, deadline_margin=margin), clock=clock)
    answer = handle(event(*(entry(number) for number in range(60))), context)
    assert all(moment < stop_at for moment in begun)
    assert len(begun) < 60
    assert answer == {"batchItemFailures": [{"itemIdentifier": str(len(begun))}]}
    assert clock.monotonic() >= stop_at, "it does not stop sooner either"
    assert handle.outcome is not None
    assert handle.outcome.out_of_time


@pytest.mark.parametrize("context", [None, object(), {}])
def test_without_a_remaining_time_there_is_no_deadline(context: Any) -> None:
    clock = VirtualClock()

    class Slow(Handler):
        def process(self, record: Record) -> None:
            clock.advance(10_000)

    assert on_lambda(Consumer(Slow), clock=clock)(event(entry(1), entry(2)), context) == DONE


def test_an_invocation_with_no_time_left_answers_with_the_first_record() -> None:
    clock = VirtualClock()
    context = LambdaContext(clock=clock, timeout=0)
    answer = on_lambda(Consumer(Counted), clock=clock)(event(entry("01"), entry(2)), context)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "01"}]}


# --- Building ----------------------------------------------------------------------------------------------------------


def test_in_lambda_everything_is_built_in_the_init_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "totals")
    handle = on_lambda(Consumer(Counted))
    assert (Counted.built, Counted.opened) == (1, 1)
    handle({"Records": []})
    handle(event(entry(1)))
    assert (Counted.built, Counted.opened) == (1, 1)


def test_elsewhere_at_the_first_event_and_an_empty_name_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "")
    handle = on_lambda(Consumer(Counted))
    assert Counted.built == 0
    with pytest.raises(EventError):
        handle({})
    assert Counted.built == 0
    handle(event(entry(1)))
    handle(event(entry(2)))
    assert (Counted.built, Counted.opened, Counted.closed) == (1, 1, 0)
    handle.close()
    handle.close()
    assert Counted.closed == 1
    assert handle(event(entry(3))) == DONE
    assert Counted.built == 2


def test_a_handler_that_cannot_be_built_is_told_and_is_no_success() -> None:
    class Needy(Handler):
        def __init__(self, connection: str) -> None: ...

        def process(self, record: Record) -> None: ...

    with pytest.raises(ConfigurationError, match="Needy cannot be built"):
        on_lambda(Consumer(cast("Any", Needy)))(event(entry(1)))


def test_the_environment_s_ledger_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("KSTREAM_LEDGER", f"sqlite:{tmp_path / 'ledger.db'}")
    script = Script({(1, 0): 1})
    given_event = event(entry(1), entry(2))
    first = on_lambda(Consumer(handler_for("inline", script), ordering="none", retry=ONCE))
    assert first(given_event) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    second = on_lambda(Consumer(handler_for("inline", script), ordering="none", retry=ONCE))
    assert second(given_event) == DONE
    assert script.done == [(2, 0), (1, 0)]


def test_an_async_handler_serves_invocation_after_invocation() -> None:
    seen = []

    class Later(Handler):
        async def process(self, record: Record) -> None:
            seen.append(place_of(record))

    handle = on_lambda(Consumer(Later, ordering="partition_key", max_workers=8))
    for number in range(3):
        assert handle(event(entry(number)), LambdaContext()) == DONE
    handle.close()
    assert seen == [(0, 0), (1, 0), (2, 0)]


@pytest.mark.parametrize("other", [object(), Handler, None])
def test_what_is_no_consumer_is_refused_by_name(other: Any) -> None:
    with pytest.raises(ConfigurationError, match="on_lambda\\(Consumer\\(YourHandler\\)\\)"):
        on_lambda(other)
