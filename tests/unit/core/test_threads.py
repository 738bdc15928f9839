"""``def process`` key by key on several threads: side by side, in order, and what outlives a deadline."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core import threads
from kstream.core.consumer import Consumer
from kstream.core.errors import Reject
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from kstream.testing.clock import VirtualClock
from tests.support.processing import (
    Letters,
    NotedLedger,
    Script,
    Telling,
    Transient,
    batch,
    entry,
    handler_for,
    place_of,
    processor_of,
    run_script,
)

if TYPE_CHECKING:
    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from tests.support.processing import Place

ONCE = Retry(attempts=1)
SOON = 1.0
"""Seconds that the clock does not tell: only real time can end the wait for a thread, and it begins once all have started.
So long, because they have to come to where they get stuck, on whatever machine."""


def five() -> Any:
    return batch(*(entry(number, key="ab"[number % 2]) for number in range(1, 6)))


# --- Threads -----------------------------------------------------------------------------------------------------------


@given(keys=st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), workers=st.integers(2, 6))
def test_keys_run_side_by_side_each_in_order_and_never_more_than_the_workers(keys: list[str], workers: int) -> None:
    running: set[str] = set()
    most, lock = 0, threading.Lock()
    seen: dict[str, list[int]] = {}

    class Careful(Handler):
        def process(self, record: Record) -> None:
            nonlocal most
            key = record.partition_key
            with lock:
                assert key not in running, "two records of one key at once"
                running.add(key)
                most = max(most, len(running))
            seen.setdefault(key, []).append(int(record.sequence_number))
            with lock:
                running.remove(key)

    processor = processor_of(Consumer(Careful(), ordering="partition_key", max_workers=workers, retry=ONCE))
    outcome = processor.process(batch(*(entry(number, key=key) for number, key in enumerate(keys))))
    processor.close()
    assert outcome.complete
    assert most <= workers
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_keys_really_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3)

    class Meets(Handler):
        def process(self, record: Record) -> None:
            meeting.wait(60)

    processor = processor_of(Consumer(Meets(), ordering="partition_key", max_workers=3))
    assert processor.process(batch(*(entry(number, key=key) for number, key in enumerate("abc")))).done == 3
    processor.close()


def test_errors_in_several_keys_at_once_are_each_settled() -> None:
    meeting = threading.Barrier(4)

    def fail(record: Record) -> None:
        meeting.wait(60)
        raise Reject("all at once") if record.partition_key in "ab" else Transient("all at once")

    letters, told = Letters(), Telling()
    outcome = run_script(
        "threads",
        Script(reads=fail),
        batch(*(entry(number, key=key) for number, key in enumerate("abcd"))),
        ordering="partition_key",
        retry=ONCE,
        dead_letters=letters,
        told=told,
    )
    assert (outcome.dead_lettered, outcome.failed, outcome.checkpoint) == (2, 2, "2")
    assert letters.places == {(0, 0), (1, 0)}
    assert sorted(place for place, *_ in told.failed) == [(n, 0) for n in range(4)]


def test_a_thread_sees_the_context_variables_of_its_caller() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen = []
    variable.set("set")
    run_script("threads", Script(before=lambda record: seen.append(variable.get())), five(), ordering="partition_key")
    assert set(seen) == {"set"}


# --- What outlives the deadline ----------------------------------------------------------------------------------------


class Blocked(Handler):
    """Waits at record 1 until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.ended = threading.Event()
        self.served: list[Place] = []

    def process(self, record: Record) -> None:
        if place_of(record) == (1, 0) and not self.go.is_set():
            self.go.wait()
            self.ended.set()
            return
        self.served.append(place_of(record))


def test_a_thread_that_outlives_the_deadline_is_not_done_and_the_next_batch_still_works() -> None:
    handler, clock, ledger = Blocked(), VirtualClock(), NotedLedger()
    processor = processor_of(
        Consumer(handler, ordering="partition_key", max_workers=2, ledger=ledger, mode="full"), clock=clock
    )
    given_batch = batch(entry(1, key="a"), entry(2, key="a"), entry(3, key="b"))
    outcome = processor.process(given_batch, deadline=clock.monotonic() + SOON)
    assert outcome.checkpoint == "1"
    assert (outcome.done, outcome.unfinished, outcome.failed, outcome.out_of_time) == (1, 2, 0, True)
    assert ledger.places == {(3, 0)}

    again = processor.process(batch(entry(7, key="c"), entry(8, key="d")))
    assert (again.done, again.checkpoint) == (2, None)

    handler.go.set()
    assert handler.ended.wait(60)
    assert (outcome.done, outcome.unfinished) == (1, 2)
    assert (2, 0) not in handler.served, "what outlived the deadline starts nothing further"
    processor.close()


class Stuck:
    """A processor two of whose threads are stuck, in records 1 and 2, until ``go`` is set."""

    def __init__(self, ordering: Any) -> None:
        self.clock, self.go = VirtualClock(), threading.Event()
        self.threads: list[threading.Thread] = []
        self.script = Script(before=lambda record: self.stick() if place_of(record)[0] < 3 else None)
        consumer = Consumer(handler_for("threads", self.script), ordering=ordering, max_workers=2, retry=ONCE)
        self.processor = processor_of(consumer, clock=self.clock)
        given_batch = batch(entry(1, key="a"), entry(2, key="b"))
        self.stuck = self.processor.process(given_batch, deadline=self.clock.monotonic() + SOON)

    def stick(self) -> None:
        self.threads.append(threading.current_thread())
        self.go.wait(60)

    def let_go(self) -> None:
        self.go.set()
        for thread in self.threads:
            thread.join(60)

    def process(self, *entries: dict[str, Any]) -> Outcome:
        return self.processor.process(batch(*entries), deadline=self.clock.monotonic() + 60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.go.set()
        self.processor.close()  # first, or its idle threads would not end
        self.let_go()


def test_a_record_is_not_started_beside_its_own_earlier_delivery_nor_one_behind_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "LATE_GRACE", 0.01)
    with Stuck("partition_key") as case:
        assert (case.stuck.unfinished, case.stuck.out_of_time) == (2, True)
        again = case.process(entry(1, key="a"), entry(2, key="b"), entry(3, key="a"), entry(4, key="c"))
        assert (again.done, again.unfinished, again.failed, again.checkpoint) == (1, 3, 0, "1")
        assert caplog.messages == ["2 lane(s) wait: an earlier delivery of their records is still under way"]
        assert case.script.attempts == {(1, 0): 1, (2, 0): 1, (4, 0): 1}

        case.let_go()
        last = case.process(entry(1, key="a"), entry(2, key="b"), entry(3, key="a"))
        assert (last.done, last.checkpoint) == (3, None)


@pytest.mark.parametrize("ordering", ["shard", "partition_key", "none"])
def test_a_lane_that_comes_free_while_a_batch_is_at_work_is_worked_off_in_it(
    ordering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answered at once, it would come back at once, and use up the retries of the event source mapping."""
    monkeypatch.setattr(threads, "LATE_GRACE", 30)
    with Stuck(ordering) as case:
        case.script.before = lambda record: case.go.set() if place_of(record) == (4, 0) else None
        ends = threading.Timer(SOON / 3, case.go.set)  # in a shard's order nobody else would
        ends.start()
        outcome = case.process(entry(1, key="a"), entry(2, key="b"), entry(3, key="a"), entry(4, key="c"))
        ends.join()
        assert (outcome.done, outcome.checkpoint) == (4, None)
        assert max(case.script.attempts.values()) == 2
        assert case.script.attempts[3, 0] == 1


def test_what_waits_is_the_shard_or_the_key_in_every_shard_or_the_record_as_the_order_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "LATE_GRACE", 0.01)
    elsewhere = "shardId-000000000008"
    for ordering, started in (("shard", {5}), ("partition_key", {4, 6}), ("none", {3, 4, 5, 6})):
        with Stuck(ordering) as case:
            case.process(entry(1, key="a"), entry(3, key="a"), entry(4, key="c"))
            case.process(entry(5, key="a", shard_id=elsewhere), entry(6, key="c", shard_id=elsewhere))
            expected = started | {6} if ordering == "shard" else started
            assert {number for number, _ in case.script.started} - {1, 2} == expected
            assert max(case.script.attempts.values()) == 1


def test_threads_are_never_more_than_twice_the_workers(caplog: pytest.LogCaptureFixture) -> None:
    before = threading.active_count()
    with Stuck("none") as case:
        case.script.before = lambda record: case.stick()
        for number in (3, 5, 7):
            records = [entry(number), entry(number + 1)]
            case.processor.process(batch(*records), deadline=case.clock.monotonic() + SOON)
        assert threading.active_count() - before <= 4
        assert len(case.script.started) == 4
        assert caplog.messages[-1] == "no thread is free: 4 outlived their deadline and have not ended"


def test_an_exit_in_one_thread_stops_the_others() -> None:
    left = threading.Event()

    def leave(record: Record) -> None:
        if record.partition_key == "a":
            left.set()
            raise SystemExit
        left.wait(60)
        threading.Event().wait(0.05)  # all of them would take half a minute

    script = Script(reads=leave)
    records = [entry(0, key="a")] + [entry(number, key="b") for number in range(1, 500)]
    with pytest.raises(SystemExit):
        run_script("threads", script, batch(*records), ordering="partition_key")
    assert len(script.done) < 499


def test_threads_live_from_batch_to_batch_with_what_a_handler_keeps_in_them() -> None:
    seen: set[threading.Thread] = set()
    meeting = threading.Barrier(2)

    class Notes(Handler):
        def process(self, record: Record) -> None:
            meeting.wait(60)
            seen.add(threading.current_thread())

    processor = processor_of(Consumer(Notes(), ordering="none", max_workers=2))
    for number in range(3):
        assert processor.process(batch(entry(2 * number), entry(2 * number + 1))).complete
    processor.close()
    assert len(seen) == 2
    for thread in seen:
        thread.join(60)
        assert thread.daemon
