"""``async def process``: one event loop, kept between batches; keys side by side; cancellation, ours and others'."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.clock import SystemClock
from kstream.core.consumer import Consumer
from kstream.core.errors import Reject
from kstream.core.handler import BatchHandler, Handler
from kstream.core.retry import Retry
from kstream.testing.clock import VirtualClock
from tests.support.processes import within_a_minute
from tests.support.processing import (
    Letters,
    NotedLedger,
    Script,
    Telling,
    batch,
    entry,
    handler_for,
    place_of,
    processor_of,
    run_script,
)

if TYPE_CHECKING:
    from kstream.core.record import Record
    from tests.support.processing import Place

SOON = 0.3
"""Seconds that the clock does not tell: only real time can end the wait for a task, and it begins once all have started."""


@given(keys=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40), workers=st.integers(1, 6))
def test_keys_run_side_by_side_each_in_order_and_never_more_than_the_workers(keys: list[str], workers: int) -> None:
    running: list[str] = []
    most = 0
    seen: dict[str, list[int]] = {}

    class Careful(Handler):
        async def process(self, record: Record) -> None:
            nonlocal most
            assert record.partition_key not in running, "two records of one key at once"
            running.append(record.partition_key)
            most = max(most, len(running))
            for _ in range(int(record.sequence_number) % 3):
                await asyncio.sleep(0)
            running.remove(record.partition_key)
            seen.setdefault(record.partition_key, []).append(int(record.sequence_number))

    processor = processor_of(
        Consumer(Careful(), ordering="partition_key", max_workers=workers, retry=Retry(attempts=1))
    )
    outcome = processor.process(batch(*(entry(number, key=key) for number, key in enumerate(keys))))
    processor.close()
    assert outcome.complete
    assert most <= workers
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_keys_really_run_at_the_same_time() -> None:
    meeting = asyncio.Barrier(3)

    class Meets(Handler):
        async def process(self, record: Record) -> None:
            await meeting.wait()

    processor = processor_of(Consumer(Meets(), ordering="partition_key", max_workers=3))
    assert processor.process(batch(*(entry(number, key=key) for number, key in enumerate("abc")))).done == 3
    processor.close()


def test_one_event_loop_serves_all_batches() -> None:
    loops: list[object] = []

    class Notes(Handler):
        async def process(self, record: Record) -> None:
            loops.append(asyncio.get_running_loop())

    processor = processor_of(Consumer(Notes()))
    for number in range(3):
        processor.process(batch(entry(number)))
    processor.close()
    assert len(loops) == 3
    assert len(set(map(id, loops))) == 1


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_handler_that_exits_ends_its_own_batch_and_not_the_next_one(error: type[BaseException], workers: int) -> None:
    """asyncio leaves its loop at once for such an error, and what stood in the loop would go on with the next batch."""
    tried: list[Place] = []

    class Exits(Handler):
        async def process(self, record: Record) -> None:
            tried.append(place_of(record))
            if len(tried) == 1:
                raise error
            await asyncio.sleep(0)

    given_batch = batch(entry(1, key="a"), entry(2, key="b"), entry(3, key="a"))
    processor = processor_of(Consumer(Exits, ordering="partition_key", max_workers=workers))
    with pytest.raises(error):
        processor.process(given_batch)
    left = len(tried)
    assert processor.process(given_batch).done == 3
    assert sorted(tried[left:]) == [(1, 0), (2, 0), (3, 0)]
    processor.close()


def test_inside_another_event_loop_it_says_what_to_do() -> None:
    script = Script()
    processor = processor_of(Consumer(handler_for("async", script)))

    async def inside() -> None:
        processor.process(batch(entry(1)))

    with pytest.raises(RuntimeError, match=r"inside another.*: .*asyncio.to_thread\("):
        asyncio.run(inside())

    async def beside() -> bool:
        return (await asyncio.to_thread(processor.process, batch(entry(1)))).complete

    assert asyncio.run(beside())
    processor.close()


def test_other_keys_go_on_while_one_waits_for_its_next_attempt() -> None:
    order: list[Place] = []

    class Fails(Handler):
        async def process(self, record: Record) -> None:
            order.append(place_of(record))
            if place_of(record) == (1, 0) and order.count((1, 0)) == 1:
                raise OSError

    processor = processor_of(Consumer(Fails(), ordering="partition_key", max_workers=2))
    outcome = processor.process(batch(entry(1, key="a"), entry(2, key="a"), entry(3, key="b"), entry(4, key="b")))
    processor.close()
    assert (outcome.done, outcome.retried) == (4, 1)
    assert order.index((3, 0)) < order.index((2, 0))
    assert [place for place in order if place[0] < 3] == [(1, 0), (1, 0), (2, 0)]


# --- The deadline ------------------------------------------------------------------------------------------------------


class Late(Handler):
    """At record 1 it outlives the deadline, and does with the cancellation what ``then`` says."""

    def __init__(self, then: str) -> None:
        self.then = then
        self.served: list[Place] = []
        self.cancelled = 0

    async def process(self, record: Record) -> None:
        if place_of(record) != (1, 0):
            self.served.append(place_of(record))
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            if self.then == "ends":
                raise
            if self.then == "raises":
                raise OSError("an error of its own") from None
            if self.then == "lingers":
                await asyncio.sleep(SOON)


@pytest.mark.parametrize("then", ["ends", "swallows", "raises", "lingers"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("exhausted", ["fail", "dead_letter"])
def test_what_still_runs_at_the_deadline_is_cancelled_and_not_done(then: str, workers: int, exhausted: Any) -> None:
    """Nor failed, nor parked, whatever the handler makes of the cancellation; and the next batch still works."""
    handler, clock, letters, told, ledger = Late(then), VirtualClock(), Letters(), Telling(), NotedLedger()
    consumer = Consumer(
        handler,
        ordering="partition_key",
        max_workers=workers,
        retry=Retry(attempts=1, exhausted=exhausted),
        dead_letters=letters,
        ledger=ledger,
    )
    processor = processor_of(consumer, clock=clock, telemetry=told)
    given_batch = batch(entry(1, key="a"), entry(2, key="a"), entry(3, key="b"))
    outcome = processor.process(given_batch, deadline=clock.monotonic() + SOON)
    others = workers - 1  # record 3, where a second task took it
    assert handler.cancelled == 1
    assert outcome.checkpoint == "1"
    assert (outcome.done, outcome.unfinished, outcome.failed, outcome.out_of_time) == (others, 3 - others, 0, True)
    assert letters.stored == []
    assert told.failed == []
    assert ledger.places == ({(3, 0)} if others else set())

    again = processor.process(batch(entry(7, key="c"), entry(8, key="d")))
    processor.close()
    assert (again.done, again.checkpoint) == (2, None)
    assert (2, 0) not in handler.served


class Lingers(Handler):
    """Puts off its cancellation at record 1, until ``go`` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.started: list[Place] = []
        self.served: list[Place] = []

    async def process(self, record: Record) -> None:
        self.started.append(place_of(record))
        while place_of(record) == (1, 0) and not self.go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.go.wait()
        if place_of(record) == (4, 0):
            self.go.set()
        self.served.append(place_of(record))


def test_a_record_is_not_started_beside_its_own_earlier_delivery_nor_one_behind_it() -> None:
    handler, clock = Lingers(), VirtualClock()
    processor = processor_of(Consumer(handler, ordering="partition_key", max_workers=2), clock=clock)
    late = processor.process(batch(entry(1, key="a")), deadline=clock.monotonic() + SOON)
    assert (late.unfinished, late.out_of_time) == (1, True)
    again = processor.process(batch(entry(1, key="a"), entry(2, key="a"), entry(3, key="b"), entry(4, key="c")))
    assert (again.done, again.unfinished, again.checkpoint) == (2, 2, "1")
    assert sorted(handler.started) == [(1, 0), (3, 0), (4, 0)]
    last = processor.process(batch(entry(1, key="a"), entry(2, key="a")))
    processor.close()
    assert last.done == 2
    assert handler.started[-2:] == [(1, 0), (2, 0)]


def test_one_by_one_nothing_is_started_beside_what_still_runs() -> None:
    handler, clock = Lingers(), VirtualClock()
    processor = processor_of(Consumer(handler), clock=clock)
    processor.process(batch(entry(1)), deadline=clock.monotonic() + SOON)
    assert processor.process(batch(entry(4))).unfinished == 1
    assert handler.started == [(1, 0)]
    handler.go.set()
    assert processor.process(batch(entry(4))).done == 1
    assert handler.served == [(1, 0), (4, 0)]
    processor.close()


def test_what_never_ends_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    handler, clock = Lingers(), VirtualClock()
    processor = processor_of(Consumer(handler), clock=clock)
    processor.process(batch(entry(1)), deadline=clock.monotonic() + SOON)
    processor.close()
    assert handler.served == []
    del processor, handler
    gc.collect()  # here, and not in the middle of some other test
    assert [record.name for record in caplog.records] == ["asyncio"]


def test_what_ends_while_it_is_let_go_is_still_written_to_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    handler, clock, ledger = Lingers(), VirtualClock(), NotedLedger()
    consumer = Consumer(handler, ordering="partition_key", max_workers=2, ledger=ledger, mode="full")
    processor = processor_of(consumer, clock=clock)
    assert processor.process(batch(entry(2))).done == 1  # so there is a thread, which has nothing in hand any more
    processor.process(batch(entry(1)), deadline=clock.monotonic() + SOON)
    assert (1, 0) not in ledger.places
    handler.go.set()
    monkeypatch.setattr("kstream.core.asynchronous.CANCEL_GRACE", 60)
    processor.close()
    assert (1, 0) in ledger.places


class LateBatch(BatchHandler):
    async def process(self, records: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("an error of its own") from None


def test_a_batch_handler_at_the_deadline_is_not_done_either() -> None:
    clock, letters = VirtualClock(), Letters()
    consumer = Consumer(LateBatch(), retry=Retry(attempts=1, exhausted="dead_letter"), dead_letters=letters)
    processor = processor_of(consumer, clock=clock)
    outcome = processor.process(batch(entry(1), entry(2)), deadline=clock.monotonic() + SOON)
    processor.close()
    assert (outcome.unfinished, outcome.out_of_time, letters.stored) == (2, True, [])


def test_a_retry_at_the_deadline_is_cancelled_as_a_first_attempt_is() -> None:
    clock, told = VirtualClock(), Telling()

    class LateTwice(Handler):
        attempts = 0

        async def process(self, record: Record) -> None:
            self.attempts += 1
            if self.attempts == 1:
                raise OSError
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OSError("an error of its own") from None

    processor = processor_of(Consumer(LateTwice(), retry=Retry(attempts=2, base=0)), clock=clock, telemetry=told)
    outcome = processor.process(batch(entry(1)), deadline=clock.monotonic() + SOON)
    processor.close()
    assert (outcome.unfinished, outcome.failed, told.failed) == (1, 0, [])


def test_after_the_deadline_nothing_is_started() -> None:
    script, clock = Script(), VirtualClock()
    processor = processor_of(Consumer(handler_for("async", script)), clock=clock)
    outcome = processor.process(batch(entry(1)), deadline=0)
    processor.close()
    assert (outcome.unfinished, outcome.out_of_time, script.started) == (1, True, [])


# --- Cancellation that is not the deadline's ----------------------------------------------------------------------------


class Foreign(Handler):
    """Awaits a task that somebody else cancelled, for its first ``times`` attempts."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.attempts = 0

    async def process(self, record: Record) -> None:
        self.attempts += 1
        if self.attempts <= self.times:
            task = asyncio.ensure_future(asyncio.sleep(60))
            task.cancel()
            await task


class ForeignBatch(BatchHandler):
    async def process(self, records: Any) -> None:
        await Foreign(1).process(records[0])


@pytest.mark.parametrize(("times", "failed"), [(1, 0), (2, 1)])
def test_a_foreign_cancellation_is_a_failure_of_its_record_and_is_retried(times: int, failed: int) -> None:
    told = Telling()
    processor = processor_of(Consumer(Foreign(times), retry=Retry(attempts=2)), telemetry=told)
    outcome = processor.process(batch(entry(1)))
    processor.close()
    assert (outcome.failed, outcome.done, outcome.retried) == (failed, 1 - failed, 1)
    assert [name for _, name, _, _ in told.failed] == ["RuntimeError"] * failed


def test_a_foreign_cancellation_fails_a_batch_handler_s_batch() -> None:
    processor = processor_of(Consumer(ForeignBatch(), retry=Retry(attempts=2)))
    outcome = processor.process(batch(entry(1), entry(2)))
    processor.close()
    assert (outcome.failed, outcome.done) == (2, 0)


def test_a_handler_s_own_timeout_is_an_ordinary_failure() -> None:
    class TimesOut(Handler):
        async def process(self, record: Record) -> None:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()

    told = Telling()
    processor = processor_of(Consumer(TimesOut(), retry=Retry(attempts=1)), telemetry=told)
    assert processor.process(batch(entry(1))).failed == 1
    processor.close()
    assert told.failed[0][1] == "TimeoutError"


@pytest.mark.parametrize("attempts", [1, 2])
def test_an_awaitable_as_the_result_was_never_awaited_and_is_no_success(attempts: int) -> None:
    class Forgets(Handler):
        async def process(self, record: Record) -> Any:
            return asyncio.sleep(0)  # the await is missing

    told = Telling()
    processor = processor_of(Consumer(Forgets(), retry=Retry(attempts=attempts)), telemetry=told)
    outcome = processor.process(batch(entry(1)))
    processor.close()
    assert (outcome.done, outcome.failed) == (0, 1)
    assert told.failed == [((1, 0), "TypeError", attempts, False)]


def test_the_ledger_is_written_off_the_loop() -> None:
    """A ledger is synchronous: written on the loop's thread it would hold up every other key."""
    threads: list[object] = []

    class Ledger(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            threads.append(threading.current_thread())
            super().save(scope, done)

    # At the first attempt, after a retry, and with a dead letter.
    script = Script({(2, 0): 1}, {(3, 0)})
    given_batch = batch(entry(1), entry(2), entry(3))
    run_script("tasks", script, given_batch, ledger=Ledger(), mode="full", dead_letters=Letters())
    assert len(threads) == 3
    assert threading.current_thread() not in threads


class Together(Handler):
    """Does its work in a task group, in which a member may fail."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.done: list[str] = []

    async def member(self, record: Record) -> None:
        if record.text() == "poison":
            raise Reject("poison")

    async def process(self, record: Record) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.member(record))
        except ExceptionGroup as failed:
            if self.shape == "escapes":
                raise
            if self.shape == "caught":
                raise failed.exceptions[0] from failed
        else:
            self.done.append(record.text())


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("shape", ["caught", "escapes", "swallowed"])
def test_a_task_group_that_fails_is_the_failure_of_its_record_alone(shape: str, workers: int) -> None:
    """Before Python 3.13 it leaves a cancellation in the task's count, which is not the deadline's."""
    handler, letters = Together(shape), Letters()
    consumer = Consumer(handler, ordering="partition_key", max_workers=workers, dead_letters=letters)
    processor = processor_of(consumer)
    given_batch = batch(entry(1, b"a", "k"), entry(2, b"poison", "k"), entry(3, b"b", "k"), entry(4, b"c", "z"))
    outcome = processor.process(given_batch, deadline=1_000)
    processor.close()
    assert outcome.complete
    assert sorted(handler.done) == ["a", "b", "c"]
    assert outcome.dead_lettered == len(letters.stored) == (0 if shape == "swallowed" else 1)


def test_whatever_is_answered_as_done_has_its_key_remembered_however_slow_the_ledger() -> None:
    """At the deadline these writes are under way, and their tasks are cancelled."""
    go_on = threading.Event()

    class Slow(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            if threading.current_thread() is not threading.main_thread():
                assert go_on.wait(60)
            super().save(scope, done)

    class Facts(Handler):
        async def process(self, record: Record) -> None: ...

        def idempotency_key(self, record: Record) -> str:
            return record.partition_key

    clock, ledger = VirtualClock(), Slow()
    facts = [str(number) for number in range(64)]
    consumer = Consumer(Facts, ordering="partition_key", max_workers=64, ledger=ledger, mode="full")
    processor = processor_of(consumer, clock=clock)
    outcome = processor.process(
        batch(*(entry(number, key=key) for number, key in enumerate(facts))), deadline=clock.monotonic() + SOON
    )
    try:
        assert (outcome.checkpoint, outcome.done) == (None, 64)
        assert (ledger.keys, ledger.places) == (set(facts), {(number, 0) for number in range(64)})
    finally:
        go_on.set()
        processor.close()


# --- Stores that hang --------------------------------------------------------------------------------------------------


class Poison(Handler):
    async def process(self, record: Record) -> None:
        if record.data == b"poison":
            raise Reject("poison")


class HangingLetters(Letters):
    """Hangs at its first ``hangs`` letters, until ``let_go`` is set."""

    def __init__(self, hangs: int) -> None:
        super().__init__()
        self.hangs = hangs
        self.let_go = threading.Event()
        self.put_by: list[threading.Thread] = []

    def put(self, letter: Any) -> None:
        self.put_by.append(threading.current_thread())
        if len(self.put_by) <= self.hangs:
            assert self.let_go.wait(60)
        super().put(letter)


def poison(first: int, count: int) -> Any:
    return batch(*(entry(number, b"poison", key=str(number)) for number in range(first, first + count)))


def test_a_sink_that_hung_starves_no_later_batch_nor_the_end() -> None:
    """There are more of them than threads that asyncio would have."""
    clock, letters = SystemClock(), HangingLetters(40)
    consumer = Consumer(Poison, ordering="partition_key", max_workers=40, dead_letters=letters)
    processor = processor_of(consumer, clock=clock)
    try:
        hung = processor.process(poison(0, 40), deadline=clock.monotonic() + SOON)
        assert (hung.unfinished, hung.out_of_time) == (40, True)
        letters.hangs = 0
        again = processor.process(poison(0, 40))
        assert (again.dead_lettered, again.unfinished) == (40, 0)
        processor.close()
    finally:
        letters.let_go.set()


def test_calls_that_hang_take_no_more_than_twice_the_workers_threads_and_then_are_refused() -> None:
    clock, letters, told = SystemClock(), HangingLetters(2), Telling()
    consumer = Consumer(Poison, ordering="partition_key", dead_letters=letters)
    processor = processor_of(consumer, clock=clock, telemetry=told)
    try:
        while len(letters.put_by) < 2:
            hung = processor.process(batch(entry(1, b"poison")), deadline=clock.monotonic() + SOON / 3)
            assert (hung.unfinished, hung.failed) == (1, 0)
        refused = processor.process(batch(entry(1, b"poison"), entry(2, key="b")), deadline=clock.monotonic() + 60)
        assert (refused.failed, refused.done, refused.dead_letter_failures) == (1, 1, 1)
        assert told.refused == [(1, 0)]
        letters.let_go.set()
        for thread in letters.put_by:
            assert thread.daemon, "the interpreter waits for none of them"
        assert within_a_minute(lambda: processor.process(batch(entry(1, b"poison"))).dead_lettered == 1)
    finally:
        letters.let_go.set()
        processor.close()


def test_a_ledger_that_hangs_is_left_for_the_end_of_the_batch_once_no_thread_is_free() -> None:
    let_go, main, hung = threading.Event(), threading.current_thread(), []

    class Hangs(NotedLedger):
        def save(self, scope: Any, done: Any) -> None:
            if threading.current_thread() is not main:
                hung.append(threading.current_thread())
                assert let_go.wait(60)
            super().save(scope, done)

    clock, ledger, told = SystemClock(), Hangs(), Telling()
    processor = processor_of(Consumer(Poison, ledger=ledger, mode="full"), clock=clock, telemetry=told)
    try:
        numbers = iter(range(1_000))  # what the end of a batch has saved does not come again
        while len(hung) < 2:
            processor.process(batch(entry(next(numbers))), deadline=clock.monotonic() + SOON / 3)
        told.ledger.clear()
        outcome = processor.process(batch(entry(1_001), entry(1_002)), deadline=clock.monotonic() + 60)
        assert (outcome.done, outcome.out_of_time) == (2, False)
        assert ledger.places >= {(1_001, 0), (1_002, 0)}
        assert len(told.ledger) == 1
        assert "no thread is free" in str(told.ledger[0])
    finally:
        let_go.set()
        processor.close()
