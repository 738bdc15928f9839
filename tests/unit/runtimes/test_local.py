"""The local runner, on a stream in memory and a clock that a test moves."""

from __future__ import annotations

import json
import logging
import threading
from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import CheckpointError, ConfigurationError
from kstream.core.mapping import EventSourceMapping
from kstream.runtimes.local import LocalRunner
from kstream.runtimes.runner_events import (
    BatchFinished,
    CheckpointStored,
    Discarded,
    DiscardRefused,
    ReadFailed,
    ShardEnded,
    ShardRead,
    ShardStarted,
)
from kstream.stores.checkpoints import ShardCheckpoint, StreamKey
from kstream.testing.clock import VirtualClock
from tests.support.checkpoints import MemoryCheckpoints
from tests.unit.runtimes.memory_stream import ARN, UNREACHABLE, MemoryStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.runtimes.runner_events import (
        RunnerEvent,
    )

KEY = StreamKey("totals", ARN, 1_600_000_000.0)


class World:
    """A stream of one shard, ``s-0``, a handler that remembers what it got, and what the runner told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.stream = MemoryStream(self.clock)
        self.stream.add_shard("s-0")
        self.checkpoints = MemoryCheckpoints()
        self.batches: list[list[str]] = []
        self.contexts: list[Any] = []
        self.events: list[RunnerEvent] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda event: None

    def handle(self, event: dict[str, Any], context: Any) -> Any:
        self.batches.append([b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]])
        self.contexts.append(context)
        return self.answer(event)

    def runner(self, **options: Any) -> LocalRunner:
        knobs = {"batch_size": 10, **options.pop("mapping", {})}
        return LocalRunner(
            self.handle,
            stream="orders",
            mapping=EventSourceMapping(**knobs),
            reader=self.stream,
            checkpoints=self.checkpoints,
            consumer_name="totals",
            clock=self.clock,
            observer=self.events.append,
            **options,
        )

    def run(self, **options: Any) -> LocalRunner:
        runner = self.runner(**options)
        runner.run(until=lambda: runner.caught_up)
        return runner

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def world() -> World:
    return World()


def poison(text: str) -> Callable[[dict[str, Any]], None]:
    def answer(event: dict[str, Any]) -> None:
        if any(b64decode(record["kinesis"]["data"]).decode() == text for record in event["Records"]):
            raise RuntimeError(f"cannot stand {text}")

    return answer


def test_records_come_as_lambda_gives_them(world: World) -> None:
    (number,) = world.stream.put("s-0", b"one", key="c-7")
    seen: list[dict[str, Any]] = []
    world.answer = seen.append
    world.run()
    (record,) = seen[0]["Records"]
    assert record["eventID"] == f"s-0:{number}"
    assert record["eventSourceARN"] == ARN
    assert (record["kinesis"]["partitionKey"], record["kinesis"]["data"]) == ("c-7", "b25l")
    assert json.loads(json.dumps(seen[0])) == seen[0]
    assert world.contexts[0].get_remaining_time_in_millis() <= 60_000
    assert world.contexts[0].function_name == "totals"


def test_what_a_handler_does_to_its_event_changes_nothing(world: World) -> None:
    world.stream.put("s-0", b"a", b"b")

    def answer(event: dict[str, Any]) -> None:
        event["Records"].pop()["kinesis"].clear()
        if len(world.batches) == 1:
            raise RuntimeError

    world.answer = answer
    world.run()
    assert world.batches == [["a", "b"], ["a", "b"]]


def test_it_goes_on_behind_its_checkpoint(world: World) -> None:
    numbers = world.stream.put("s-0", b"a", b"b")
    world.run()
    assert world.checkpoints.load(KEY) == {"s-0": ShardCheckpoint(sequence_number=numbers[-1])}
    world.stream.put("s-0", b"c")
    world.run()
    assert world.batches == [["a", "b"], ["c"]]


def test_a_recreated_stream_starts_at_its_beginning(world: World) -> None:
    world.stream.put("s-0", b"a")
    world.run()
    world.stream.created_at += 1
    world.run()
    assert world.batches == [["a"], ["a"]]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_partial_answers_are_honoured(world: World, concurrency: int) -> None:
    world.stream.put("s-0", b"a", b"b", b"c")

    def answer(event: dict[str, Any]) -> Any:
        if len(world.batches) == 1:
            return {"batchItemFailures": ({"itemIdentifier": event["Records"][1]["kinesis"]["sequenceNumber"]},)}
        return {"batchItemFailures": []}

    world.answer = answer
    world.run(concurrency=concurrency)
    assert world.batches == [["a", "b", "c"], ["b", "c"]]
    assert [event.settled for event in world.told(BatchFinished)] == [1, 2]
    assert len(world.told(CheckpointStored)) == 2


def test_an_answer_that_is_not_json_has_failed(world: World) -> None:
    """Lambda cannot send it back either."""
    world.stream.put("s-0", b"a")
    world.answer = lambda _: {1, 2} if len(world.batches) == 1 else None
    world.run()
    assert world.batches == [["a"], ["a"]]


def test_an_answer_after_the_timeout_has_failed(world: World) -> None:
    world.stream.put("s-0", b"a")
    world.answer = lambda _: world.clock.advance(4) if len(world.batches) == 1 else None
    world.run(timeout=3)
    assert world.batches == [["a"], ["a"]]


def test_a_handler_that_exits_has_failed(world: World) -> None:
    world.stream.put("s-0", b"a")

    def answer(event: dict[str, Any]) -> None:
        if len(world.batches) == 1:
            raise SystemExit(1)

    world.answer = answer
    world.run()
    assert world.batches == [["a"], ["a"]]


def test_what_is_given_up_goes_to_the_destination_before_the_checkpoint_passes(world: World) -> None:
    numbers = world.stream.put("s-0", b"bad", b"good")
    world.answer = poison("bad")
    messages: list[dict[str, Any]] = []

    def on_failure(message: dict[str, Any]) -> None:
        messages.append(message)
        assert world.checkpoints.load(KEY) == {}
        if len(messages) == 1:
            raise ConnectionError("no queue")

    world.run(mapping={"maximum_retry_attempts": 1}, on_failure=on_failure)
    assert world.batches == [["bad", "good"]] * 2
    batch = messages[1]["KinesisBatchInfo"]
    assert (batch["startSequenceNumber"], batch["endSequenceNumber"], batch["batchSize"]) == (*numbers, 2)
    assert messages[1]["requestContext"]["requestId"] == world.contexts[-1].aws_request_id
    assert messages[1]["requestContext"]["approximateInvokeCount"] == 2
    assert "ConnectionError" in world.told(DiscardRefused)[0].error
    assert len(world.told(Discarded)) == 1
    assert world.checkpoints.load(KEY)["s-0"].sequence_number == numbers[-1]


def test_without_a_destination_what_is_given_up_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.stream.put("s-0", b"bad")
    world.answer = poison("bad")
    runner = world.run(mapping={"maximum_retry_attempts": 0})
    assert runner.failures == {"RuntimeError": 1, "RetryAttemptsExhausted": 1}
    assert "gave up 1 records of s-0" in caplog.text


def test_a_hundred_failures_are_not_a_hundred_tracebacks(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.stream.put("s-0", *[b"bad"] * 150)
    world.answer = poison("bad")
    runner = world.run(mapping={"batch_size": 1, "maximum_retry_attempts": 0})
    assert runner.failures["RuntimeError"] == 150
    assert caplog.text.count("Traceback") == 3
    assert "(100 of this kind so far)" in caplog.text
    assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) < 15


def test_a_child_starts_when_its_parent_is_read_to_the_end_and_settled(world: World) -> None:
    world.stream.add_shard("s-1", "s-0")
    world.stream.put("s-1", b"child")
    world.stream.put("s-0", b"bad", b"parent")
    world.stream.close_shard("s-0")
    world.answer = poison("bad")
    world.run(mapping={"batch_size": 1, "maximum_retry_attempts": 3})
    assert world.batches == [["bad"]] * 4 + [["parent"], ["child"]]
    assert world.told(ShardEnded) == [ShardEnded("s-0")]
    assert world.checkpoints.load(KEY)["s-0"].ended


def test_an_ended_shard_is_not_read_again_after_a_restart(world: World) -> None:
    world.stream.put("s-0", b"parent")
    world.stream.close_shard("s-0")
    world.stream.add_shard("s-1", "s-0")
    world.run()
    world.events.clear()
    world.run()
    assert world.told(ShardStarted) == [ShardStarted("s-1", None)]
    assert world.batches == [["parent"]]


def test_shards_of_a_reshard_while_running_are_found(world: World) -> None:
    world.stream.put("s-0", b"before")
    runner = world.run()
    world.stream.put("s-0", b"last")
    world.stream.close_shard("s-0")
    world.stream.add_shard("s-1", "s-0")
    world.stream.add_shard("s-2", "s-0")
    world.stream.put("s-1", b"left")
    world.stream.put("s-2", b"right")
    runner.run(until=lambda: len(world.batches) == 4)
    assert world.batches[1] == ["last"]
    assert sorted(world.batches[2:]) == [["left"], ["right"]]


def test_latest_starts_at_the_tip_and_a_restart_skips_nothing(world: World) -> None:
    world.stream.put("s-0", b"before")
    world.clock.advance(5)
    world.run(mapping={"starting_position": "LATEST"})
    assert world.batches == []
    world.clock.advance(5)
    world.stream.put("s-0", b"while it was away")
    world.clock.advance(5)
    world.run(mapping={"starting_position": "LATEST"})
    assert world.batches == [["while it was away"]]


def test_latest_reads_nothing_of_closed_shards_and_all_of_new_ones(world: World) -> None:
    world.stream.put("s-0", b"old")
    world.stream.close_shard("s-0")
    world.stream.add_shard("s-1", "s-0")
    world.stream.put("s-1", b"old too")
    runner = world.run(mapping={"starting_position": "LATEST"})
    world.stream.put("s-1", b"new")
    world.stream.close_shard("s-1")
    world.stream.add_shard("s-2", "s-1")
    world.stream.put("s-2", b"newer")
    runner.run(until=lambda: len(world.batches) == 2)
    assert world.batches == [["new"], ["newer"]]


def test_at_timestamp(world: World) -> None:
    world.stream.put("s-0", b"before")
    world.clock.advance(60)
    start = datetime.fromtimestamp(world.clock.time(), UTC)
    world.stream.put("s-0", b"then")
    world.run(mapping={"starting_position": start})
    assert world.batches == [["then"]]


def test_an_idle_shard_is_read_once_a_second_and_a_hurried_one_every_50_ms(world: World) -> None:
    start = world.clock.time()
    world.runner().run(until=lambda: world.clock.time() > start + 10)
    assert len(world.stream.reads) == pytest.approx(10, abs=1)
    world.stream.reads.clear()
    start = world.clock.time()
    world.runner(hurry=True).run(until=lambda: world.clock.time() > start + 10)
    assert len(world.stream.reads) == pytest.approx(200, abs=5)


def test_a_busy_shard_is_read_at_most_five_times_a_second(world: World) -> None:
    world.stream.put("s-0", *[b"x"] * 12_000)
    start = world.clock.time()
    world.run(mapping={"batch_size": 10_000})
    assert [round(at - start, 1) for at, _ in world.stream.reads] == [0.0, 0.2, 0.4]


def test_reading_backs_off_and_goes_on(world: World) -> None:
    world.stream.put("s-0", b"a")
    world.stream.faults = [UNREACHABLE, None, UNREACHABLE]
    world.run()
    assert world.batches == [["a"]]
    assert [event.retry_in for event in world.told(ReadFailed)] == [0.5, 1.0, 2.0]
    start = world.stream.reads[0][0]
    assert [round(at - start, 1) for at, _ in world.stream.reads[:4]] == [0.0, 0.5, 1.5, 3.5]


def test_shards_take_turns(world: World) -> None:
    for shard in ("s-1", "s-2"):
        world.stream.add_shard(shard)
    for shard in ("s-0", "s-1", "s-2"):
        world.stream.put(shard, *[shard.encode()] * 3)
    world.run(mapping={"batch_size": 1})
    assert [sorted(batch for (batch,) in world.batches[turn : turn + 3]) for turn in (0, 3, 6)] == [
        ["s-0", "s-1", "s-2"]
    ] * 3


def test_stop_finishes_the_batch_in_hand(world: World) -> None:
    numbers = world.stream.put("s-0", b"a", b"b")
    runner = world.runner(mapping={"batch_size": 1})
    world.answer = lambda _: runner.stop()
    runner.run()
    assert world.batches == [["a"]]
    assert world.checkpoints.load(KEY)["s-0"].sequence_number == numbers[0]
    runner.run()
    assert world.batches == [["a"]], "a stopped runner stays stopped"


def test_stop_from_another_thread_before_the_run_is_not_lost(world: World) -> None:
    runner = world.runner()
    thread = threading.Thread(target=runner.stop)
    thread.start()
    thread.join()
    runner.run()
    assert world.stream.reads == []


def test_lanes_run_side_by_side_and_stop_waits_for_all(world: World) -> None:
    for key in range(8):
        world.stream.put("s-0", f"{key}".encode(), key=f"k{key}")
    runner = world.runner(mapping={"parallelization_factor": 2, "batch_size": 10}, concurrency=2)
    together = threading.Barrier(2, timeout=30)

    def answer(event: dict[str, Any]) -> None:
        together.wait()
        runner.stop()

    world.answer = answer
    runner.run()
    assert sorted(text for batch in world.batches for text in batch) == [str(key) for key in range(8)]
    assert (
        world.checkpoints.load(KEY)["s-0"].sequence_number
        == world.stream.shards_by_id["s-0"].records[-1].sequence_number
    )


@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_interruption_passes_and_its_batch_comes_again(world: World, concurrency: int) -> None:
    world.stream.put("s-0", b"a")

    def answer(event: dict[str, Any]) -> None:
        if len(world.batches) == 1:
            raise KeyboardInterrupt

    world.answer = answer
    runner = world.runner(concurrency=concurrency)
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert world.checkpoints.load(KEY) == {}
    runner.run(until=lambda: runner.caught_up)
    assert world.batches == [["a"], ["a"]]


def test_a_checkpoint_that_cannot_be_stored_ends_the_run(world: World) -> None:
    class Full(MemoryCheckpoints):
        def save(self, stream: Any, checkpoints: Any) -> None:
            raise CheckpointError("the disk is full")

    world.checkpoints = Full()
    world.stream.put("s-0", b"a")
    with pytest.raises(CheckpointError, match="disk is full"):
        world.run()


def test_an_observer_that_fails_stops_nothing(world: World) -> None:
    world.stream.put("s-0", b"a")
    runner = LocalRunner(
        world.handle,
        stream="orders",
        mapping=EventSourceMapping(),
        reader=world.stream,
        checkpoints=world.checkpoints,
        consumer_name="totals",
        clock=world.clock,
        observer=lambda _: 1 / 0,  # type: ignore[arg-type]
    )
    runner.run(until=lambda: runner.caught_up)
    assert world.batches == [["a"]]
    assert runner.failures["observer"] > 0


def test_the_observer_is_told_everything_in_order(world: World) -> None:
    (number,) = world.stream.put("s-0", b"a")
    world.clock.advance(2)
    world.run()
    started, read, batch, stored = world.events
    assert started == ShardStarted("s-0", None)
    assert read == ShardRead("s-0", 1, 0)
    assert isinstance(batch, BatchFinished)
    assert (batch.records, batch.settled, batch.attempt) == (1, 1, 1)
    assert batch.iterator_age_ms == pytest.approx(2000)
    assert stored == CheckpointStored("s-0", number)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mapping": {"tumbling_window": 60}}, "tumbling"),
        ({"timeout": 0}, "timeout"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_what_cannot_work_is_refused(world: World, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        world.runner(**options)
