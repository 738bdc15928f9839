"""The Kinesis that the reshard tests rely on does reshard as the real one, and listens on loopback alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import boto3

from tests.support.kinesis_local import KinesisLocal
from tests.support.processes import exists, listeners, within_a_minute

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def test_a_split_shard_ends_and_names_its_children(kinesis_local: str, stream_name: str) -> None:
    kinesis: KinesisClient = boto3.client("kinesis", endpoint_url=kinesis_local)
    kinesis.create_stream(StreamName=stream_name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream_name, WaiterConfig={"Delay": 1})
    put = kinesis.put_record(StreamName=stream_name, Data=b"before", PartitionKey="a")

    kinesis.split_shard(StreamName=stream_name, ShardToSplit=put["ShardId"], NewStartingHashKey=str(2**127))
    kinesis.get_waiter("stream_exists").wait(StreamName=stream_name, WaiterConfig={"Delay": 1})

    shards = kinesis.list_shards(StreamName=stream_name)["Shards"]
    assert [shard.get("ParentShardId") for shard in shards] == [None, put["ShardId"], put["ShardId"]]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream_name, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator)
    assert [record["Data"] for record in answer["Records"]] == [b"before"]
    while answer.get("NextShardIterator"):
        answer = kinesis.get_records(ShardIterator=answer["NextShardIterator"])
    assert {child["ShardId"] for child in answer["ChildShards"]} == {shard["ShardId"] for shard in shards[1:]}


def test_it_listens_on_loopback_only() -> None:
    with KinesisLocal() as server:
        assert {address for address, _ in listeners(server.pid)} == {"127.0.0.1"}


def test_it_ends_when_its_starter_is_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()

    assert within_a_minute(lambda: not exists(pid))


STARTER = """
import time
from tests.support.kinesis_local import KinesisLocal

print(KinesisLocal().__enter__().pid, flush=True)
time.sleep(300)
"""
