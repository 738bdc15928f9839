"""The local runner against real Kinesis APIs: the embedded one, and one that reshards as AWS does."""

from __future__ import annotations

import threading
import time
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest

from kstream.aws.clients import client
from kstream.aws.shards import KinesisReader
from kstream.core.errors import ConfigurationError, ReadError
from kstream.core.mapping import EventSourceMapping
from kstream.runtimes.local import LocalRunner
from kstream.runtimes.runner_events import BatchFinished, CheckpointStored, ShardEnded, ShardStarted
from kstream.stores.checkpoints import SQLiteCheckpoints

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

    from kstream.local.emulator import Emulator
    from kstream.runtimes.runner_events import RunnerEvent


class Run:
    """A runner's world: what the handler got, in order, and what the observer was told."""

    def __init__(self, kinesis: KinesisClient, stream: str, path: Path, **mapping: Any) -> None:
        self.kinesis = kinesis
        self.stream = stream
        self.path = path
        self.mapping = EventSourceMapping(**mapping)
        self.got: list[str] = []
        self.numbers: list[tuple[str, int]] = []
        self.events: list[RunnerEvent] = []
        self.fail_on: set[str] = set()

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        for record in event["Records"]:
            text = b64decode(record["kinesis"]["data"]).decode()
            if text in self.fail_on:
                self.fail_on.discard(text)
                return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
            self.got.append(text)
            shard, number = record["eventID"].split(":")
            self.numbers.append((shard, int(number)))
        return {"batchItemFailures": []}

    def runner(self, **options: Any) -> LocalRunner:
        return LocalRunner(
            self.handle,
            stream=self.stream,
            mapping=self.mapping,
            reader=KinesisReader(self.kinesis),
            checkpoints=SQLiteCheckpoints(self.path / "checkpoints.db"),
            consumer_name="test",
            observer=self.events.append,
            hurry=True,
            **options,
        )

    def to_the_end(self, **options: Any) -> None:
        runner = self.runner(**options)
        runner.run(until=lambda: runner.caught_up)

    def put(self, *texts: str, key: str | None = None) -> None:
        for first in range(0, len(texts), 500):
            entries: list[PutRecordsRequestEntryTypeDef] = [
                {"Data": text.encode(), "PartitionKey": key or text} for text in texts[first : first + 500]
            ]
            answer = self.kinesis.put_records(StreamName=self.stream, Records=entries)
            assert answer["FailedRecordCount"] == 0


def expected(count: int, first: int = 0) -> list[str]:
    return [f"r-{n}" for n in range(first, first + count)]


@pytest.fixture
def run(emulator: Emulator, stream: str, tmp_path: Path) -> Run:
    return Run(client("kinesis", endpoint_url=emulator.endpoint_url), stream, tmp_path, batch_size=100)


def test_every_record_arrives_once_and_in_its_shards_order(run: Run) -> None:
    run.put(*expected(2_000))
    run.to_the_end()
    assert sorted(run.got) == sorted(expected(2_000))
    for shard in {shard for shard, _ in run.numbers}:
        order = [number for each, number in run.numbers if each == shard]
        assert order == sorted(order)
    assert all(event.records <= 100 for event in run.events if isinstance(event, BatchFinished))


def test_a_restart_goes_on_where_it_stopped(run: Run) -> None:
    run.put(*expected(1_000))
    first = run.runner()
    first.run(until=lambda: len(run.got) >= 300)
    assert 300 <= len(run.got) < 1_000
    run.put(*expected(200, first=1_000))
    run.to_the_end()
    assert sorted(run.got) == sorted(expected(1_200))


def test_partial_failures_come_again_and_nothing_before_them(run: Run) -> None:
    run.put(*expected(500))
    run.fail_on = {"r-7", "r-123", "r-124", "r-499"}
    run.to_the_end(backoff=lambda _: 0.0)
    assert sorted(run.got) == sorted(expected(500))


def test_latest_survives_a_restart_before_the_first_record(run: Run) -> None:
    run.put("before")
    time.sleep(1.1)  # the service tells its time in whole seconds, and a restart goes back to that
    run.mapping = EventSourceMapping(starting_position="LATEST")
    run.to_the_end()
    assert run.got == []
    run.put("while it was away")
    run.to_the_end()
    run.put("after")
    run.to_the_end()
    assert run.got == ["while it was away", "after"]


def test_stop_from_another_thread(run: Run) -> None:
    runner = run.runner()
    thread = threading.Thread(target=runner.run)
    thread.start()
    run.put("one")
    while not any(isinstance(event, CheckpointStored) for event in run.events):
        assert thread.is_alive()
        time.sleep(0.01)
    runner.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert run.got == ["one"]


def test_shards_and_lanes_side_by_side(run: Run) -> None:
    run.put(*expected(2_000))
    run.mapping = EventSourceMapping(batch_size=50, parallelization_factor=4)
    run.fail_on = {"r-7", "r-1234"}
    run.to_the_end(concurrency=4, backoff=lambda _: 0.0)
    assert sorted(run.got) == sorted(expected(2_000))
    run.to_the_end()
    assert len(run.got) == 2_000, "the checkpoints say that all is settled"


def test_a_recreated_stream_is_read_from_its_beginning(run: Run) -> None:
    run.put("old")
    run.to_the_end()
    run.kinesis.delete_stream(StreamName=run.stream)
    time.sleep(1.1)  # this emulator tells creation times in whole seconds
    run.kinesis.create_stream(StreamName=run.stream, ShardCount=2)
    run.put("new")
    run.to_the_end()
    assert run.got == ["old", "new"]


def test_a_shard_that_vanishes_in_a_reshard_does_not_stop_the_runner(run: Run) -> None:
    """The embedded Kinesis forgets a parent shard at once, as AWS does once its retention is over."""
    run.put(*expected(100))
    runner = run.runner()
    runner.run(until=lambda: runner.caught_up)
    split(run.kinesis, run.stream)
    run.put(*expected(100, first=100))
    runner.run(until=lambda: len(run.got) == 200)
    assert sorted(run.got) == sorted(expected(200))


def test_a_stream_that_does_not_exist(emulator: Emulator, tmp_path: Path) -> None:
    run = Run(client("kinesis", endpoint_url=emulator.endpoint_url), "no-such-stream", tmp_path)
    with pytest.raises(ConfigurationError, match="no stream 'no-such-stream' at http://127"):
        run.to_the_end()


def test_an_endpoint_that_does_not_answer(tmp_path: Path) -> None:
    run = Run(client("kinesis", endpoint_url="http://127.0.0.1:1"), "orders", tmp_path)
    with pytest.raises(ReadError, match=r"http://127\.0\.0\.1:1"):
        run.to_the_end()


def split(kinesis: KinesisClient, stream: str) -> str:
    """Splits the first open shard in the middle; returns its id."""
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    parent = next(shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"])
    low, high = (int(parent["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
    kinesis.split_shard(StreamName=stream, ShardToSplit=parent["ShardId"], NewStartingHashKey=str((low + high) // 2))
    wait_until_active(kinesis, stream)
    return parent["ShardId"]


def wait_until_active(kinesis: KinesisClient, stream: str) -> None:
    while kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        time.sleep(0.05)


@pytest.fixture
def resharding(kinesis_local: str, stream_name: str, tmp_path: Path) -> Iterator[Run]:
    """A stream of one shard on a Kinesis whose closed shards end and whose children have parents."""
    kinesis = client("kinesis", endpoint_url=kinesis_local)
    kinesis.create_stream(StreamName=stream_name, ShardCount=1)
    wait_until_active(kinesis, stream_name)
    yield Run(kinesis, stream_name, tmp_path, batch_size=7)
    kinesis.delete_stream(StreamName=stream_name)


def order_of(run: Run) -> list[tuple[str, str]]:
    return [
        ("started" if isinstance(event, ShardStarted) else "ended", event.shard_id)
        for event in run.events
        if isinstance(event, (ShardStarted, ShardEnded))
    ]


def assert_parents_first(run: Run) -> None:
    order = order_of(run)
    for shard in run.kinesis.list_shards(StreamName=run.stream)["Shards"]:
        for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")):
            if parent:
                assert order.index(("ended", parent)) < order.index(("started", shard["ShardId"]))


def test_parents_come_before_children(resharding: Run) -> None:
    """Also where a parent's records fail at first: a child waits until they are settled."""
    run = resharding
    run.put(*expected(50), key="same")
    split(run.kinesis, run.stream)
    run.put(*expected(50, first=50), key="same")
    split(run.kinesis, run.stream)
    run.put(*expected(50, first=100), key="same")
    run.fail_on = {"r-3", "r-49", "r-77"}
    run.to_the_end(backoff=lambda _: 0.01)
    assert run.got == expected(150), "one key, so one order across three generations of shards"
    assert_parents_first(run)


def test_a_reshard_while_running_and_a_restart_between_the_generations(resharding: Run) -> None:
    run = resharding
    run.put(*expected(30), key="same")
    runner = run.runner()
    runner.run(until=lambda: len(run.got) == 30)
    parent = split(run.kinesis, run.stream)
    run.put(*expected(30, first=30), key="same")
    runner.run(until=lambda: len(run.got) >= 40)
    run.to_the_end()
    assert run.got == expected(60)
    assert ("ended", parent) in order_of(run)
    run.events.clear()
    run.to_the_end()
    assert ("started", parent) not in order_of(run), "what has ended is not read again"
    assert run.got == expected(60)


def test_two_shards_that_merge(resharding: Run) -> None:
    run = resharding
    split(run.kinesis, run.stream)
    run.put(*expected(60))
    shards = run.kinesis.list_shards(StreamName=run.stream)["Shards"]
    one, other = (each["ShardId"] for each in shards if "EndingSequenceNumber" not in each["SequenceNumberRange"])
    run.kinesis.merge_shards(StreamName=run.stream, ShardToMerge=one, AdjacentShardToMerge=other)
    wait_until_active(run.kinesis, run.stream)
    run.put(*expected(60, first=60))
    run.to_the_end()
    assert sorted(run.got) == sorted(expected(120))
    assert set(run.got[:60]) == set(expected(60)), "the merged shard comes after both parents"
    assert_parents_first(run)


def test_latest_with_closed_shards_reads_only_what_is_new(resharding: Run) -> None:
    run = resharding
    run.put(*expected(20))
    split(run.kinesis, run.stream)
    run.put(*expected(20, first=20))
    run.mapping = EventSourceMapping(starting_position="LATEST")
    runner = run.runner()
    runner.run(until=lambda: runner.caught_up)
    assert run.got == []
    run.put("new")
    split(run.kinesis, run.stream)
    run.put("newer")
    runner.run(until=lambda: len(run.got) == 2)
    assert sorted(run.got) == ["new", "newer"]
