"""`kstream dead-letters` over real components: each kind of source, each destination, and AWS's own messages."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from kstream.aggregation import aggregate, deaggregate
from kstream.aws.dead_letters import KinesisDeadLetters, S3DeadLetters, SQSDeadLetters
from kstream.core.dead_letter import DeadLetter
from kstream.core.record import Record
from kstream.stores.directory import DirectoryDeadLetters
from tests.support.commands import Running, kstream
from tests.unit.redrive.builders import letter, message_about

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from kstream.local.emulator import Emulator

CONSUMER = """
from pathlib import Path
from kstream import Consumer, Handler, Reject, Retry

class Totals(Handler):
    def process(self, record):
        if record.partition_key == "hopeless":
            raise Reject("still negative")
        with open("effects.txt", "a") as effects:
            effects.write(f"{record.partition_key} {record.text()}\\n")

consumer = Consumer(Totals, retry=Retry(attempts=1))
"""
SOURCES = ("directory", "sqs", "sqs with s3", "s3", "kinesis")


@pytest.fixture(autouse=True)
def consumer(tmp_path: Path) -> None:
    (tmp_path / "totals.py").write_text(CONSUMER)


@pytest.fixture
def endpoint(emulator: Emulator) -> list[str]:
    return ["--endpoint-url", emulator.endpoint_url]


def effects(directory: Path) -> list[str]:
    file = directory / "effects.txt"
    return file.read_text().splitlines() if file.exists() else []


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def queue(emulator: Emulator) -> str:
    client = boto3.client("sqs", endpoint_url=emulator.endpoint_url)
    url: str = client.create_queue(QueueName=f"letters-{uuid.uuid4().hex}")["QueueUrl"]
    return url


@pytest.fixture
def sink(emulator: Emulator, kinesis: KinesisClient, queue: str, tmp_path: Path) -> Callable[[str], tuple[str, Any]]:
    """A source's name, and the sink that fills it."""
    unique, url = f"letters-{uuid.uuid4().hex}", emulator.endpoint_url

    def made(kind: str) -> tuple[str, Any]:
        if kind == "directory":
            return "letters", DirectoryDeadLetters(tmp_path / "letters")
        if kind == "kinesis":
            kinesis.create_stream(StreamName=unique, ShardCount=2)
            return f"kinesis:{unique}", KinesisDeadLetters(unique, endpoint_url=url)
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket=unique)
        bucket = S3DeadLetters(unique, "parked/", endpoint_url=url)
        if kind == "s3":
            return f"s3:{unique}/parked/", bucket
        return f"sqs:{queue}", SQSDeadLetters(queue, bucket if "s3" in kind else None, endpoint_url=url)

    return made


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_is_listed_shown_and_redriven_once(
    kind: str, sink: Callable[[str], tuple[str, Any]], endpoint: list[str], tmp_path: Path
) -> None:
    source, letters = sink(kind)
    payload = b'{"n": 1}' if kind != "sqs with s3" else b"x" * 1_000_000
    for one in (letter(0, payload, key="a"), letter(1, key="b"), letter(2, key="hopeless"), letter(1, key="b")):
        letters.put(one)

    # Looking takes nothing away, and so it can be done again at once.
    for _ in range(2):
        listed = kstream("dead-letters", "list", source, "--json", *endpoint, cwd=tmp_path)
        assert listed.returncode == 0, listed.stderr
        assert {item["partitionKey"] for item in objects(listed.stdout)} == {"a", "b", "hopeless"}
    (first,) = {item["id"] for item in objects(listed.stdout) if item["partitionKey"] == "a"}
    raw = kstream("dead-letters", "show", source, first, "--raw", *endpoint, cwd=tmp_path)
    assert raw.stdout.encode() == payload

    redrive = ["dead-letters", "redrive", source, "--to-consumer", "totals.py", "--json", *endpoint]
    dry = kstream(*redrive, "--dry-run", cwd=tmp_path)
    assert (dry.returncode, {item["verdict"] for item in objects(dry.stdout)[:-1]}) == (0, {"would"})
    assert effects(tmp_path) == []

    done = kstream(*redrive, cwd=tmp_path)

    assert done.returncode == 1, done.stderr
    assert sorted(line.split()[0] for line in effects(tmp_path)) == ["a", "b"]
    (failed,) = [item for item in objects(done.stdout) if item.get("verdict") == "failed"]
    assert failed["detail"] == "Reject: still negative"
    left = kstream("dead-letters", "list", source, "--json", *endpoint, cwd=tmp_path)
    assert {item["partitionKey"] for item in objects(left.stdout)} == {"hopeless"}
    again = kstream(*redrive, cwd=tmp_path)
    assert (again.returncode, len(effects(tmp_path))) == (1, 2)


@pytest.mark.parametrize("kind", ["sqs", "s3", "directory"])
def test_a_later_letter_of_a_record_that_was_redriven_stays(
    kind: str, sink: Callable[[str], tuple[str, Any]], endpoint: list[str], tmp_path: Path
) -> None:
    source, letters = sink(kind)
    letters.put(letter(key="a"))
    redrive = ["dead-letters", "redrive", source, "--to-consumer", "totals.py", *endpoint]
    assert kstream(*redrive, cwd=tmp_path).returncode == 0
    letters.put(letter(key="a", later=10 * 365 * 86_400))

    listed = kstream("dead-letters", "list", source, "--json", *endpoint, cwd=tmp_path)

    assert len(objects(listed.stdout)) == 1
    assert kstream(*redrive, "--dry-run", cwd=tmp_path).stdout.startswith("would be redriven")


def records_of(kinesis: KinesisClient, stream: str) -> list[tuple[str, Any]]:
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        at = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        found += [
            (shard["ShardId"], record) for record in kinesis.get_records(ShardIterator=at["ShardIterator"])["Records"]
        ]
    return found


def test_records_go_back_into_a_stream_under_their_keys(
    kinesis: KinesisClient, stream: str, endpoint: list[str], tmp_path: Path
) -> None:
    sink = DirectoryDeadLetters(tmp_path / ".kstream" / "dead-letters" / "Totals")
    last = kinesis.list_shards(StreamName=stream)["Shards"][-1]
    for one in (
        letter(0, b"\xff\x00", key="plain"),
        letter(1, b"{}", key="there", hash_key=last["HashKeyRange"]["EndingHashKey"]),
        letter(2, b"{}", key="with headers", headers={"trace": "1"}),
    ):
        sink.put(one)

    done = kstream("dead-letters", "redrive", "--to-stream", stream, *endpoint, cwd=tmp_path)

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 redriven")
    found = {record["PartitionKey"]: (shard, record) for shard, record in records_of(kinesis, stream)}
    assert found["plain"][1]["Data"] == b"\xff\x00"
    assert found["there"][0] == last["ShardId"]
    (again,) = deaggregate(found["with headers"][1])
    assert (again.partition_key, dict(again.headers)) == ("with headers", {"trace": "1"})
    assert not list((tmp_path / ".kstream" / "dead-letters" / "Totals").iterdir())


@pytest.fixture
def given_up(kinesis: KinesisClient, stream: str) -> tuple[str, dict[str, Any]]:
    """The body of an on-failure message about an aggregate and a lone record, and its JSON."""
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    users = [Record(f"{n}".encode(), partition_key=key) for n, key in enumerate(("x", "y"))]
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]
    where = {"StreamName": stream, "ExplicitHashKey": shard["HashKeyRange"]["StartingHashKey"]}
    kinesis.put_record(Data=b"before", PartitionKey="before", **where)
    kinesis.put_record(Data=aggregate(users), PartitionKey="a", **where)
    kinesis.put_record(Data=b"2", PartitionKey="z", **where)
    kinesis.put_record(Data=b"behind", PartitionKey="behind", **where)
    records = [record for shard_id, record in records_of(kinesis, stream) if shard_id == shard["ShardId"]]
    body = message_about(records[1:3], arn, shard["ShardId"])
    return json.dumps(body), body


def test_the_records_that_a_message_names_are_fetched_and_replayed(
    emulator: Emulator, given_up: tuple[str, dict[str, Any]], queue: str, endpoint: list[str], tmp_path: Path
) -> None:
    text, _ = given_up
    client = boto3.client("sqs", endpoint_url=emulator.endpoint_url)
    wrapped = json.dumps({"Type": "Notification", "MessageId": "m", "Message": text})
    for body in (wrapped, wrapped, "neither"):
        client.send_message(QueueUrl=queue, MessageBody=body)
    source = f"sqs:{queue}"

    listed = objects(kstream("dead-letters", "list", source, "--json", *endpoint, cwd=tmp_path).stdout)
    assert sorted(item["kind"] for item in listed) == ["on-failure", "unreadable"]
    (key,) = [item["id"] for item in listed if item["kind"] == "on-failure"]
    shown = json.loads(kstream("dead-letters", "show", source, key, "--json", *endpoint, cwd=tmp_path).stdout)
    assert ([record["data"] for record in shown["records"]], shown["gone"]) == (["0", "1", "2"], 0)
    plain = kstream("dead-letters", "show", source, key, *endpoint, cwd=tmp_path).stdout
    assert "RetryAttemptsExhausted, after about 3 invocations" in plain

    redrive = ["dead-letters", "redrive", source, "--to-consumer", "totals.py", *endpoint]
    done = kstream(*redrive, cwd=tmp_path)

    assert done.returncode == 1
    assert "failed" in done.stdout
    assert "not JSON" in done.stdout
    assert effects(tmp_path) == ["x 0", "y 1", "z 2"]
    assert kstream(*redrive, cwd=tmp_path).returncode == 1
    assert effects(tmp_path) == ["x 0", "y 1", "z 2"]
    left = objects(kstream("dead-letters", "list", source, "--json", *endpoint, cwd=tmp_path).stdout)
    assert [item["kind"] for item in left] == ["unreadable"]


def test_a_message_goes_back_into_a_stream_as_the_kinesis_records_it_was(
    kinesis: KinesisClient, stream: str, given_up: tuple[str, dict[str, Any]], endpoint: list[str], tmp_path: Path
) -> None:
    (tmp_path / "discards.jsonl").write_text(given_up[0] + "\n")
    before = records_of(kinesis, stream)
    redrive = ["dead-letters", "redrive", "jsonl:discards.jsonl", "--to-stream", stream, *endpoint]

    first, second = kstream(*redrive, cwd=tmp_path), kstream(*redrive, cwd=tmp_path)

    assert (first.returncode, first.stdout.splitlines()[-1]) == (0, "1 redriven")
    assert (second.returncode, second.stdout.splitlines()[-1]) == (0, "1 redriven before")
    known = {record["SequenceNumber"] for _, record in before}
    new = [record for _, record in records_of(kinesis, stream) if record["SequenceNumber"] not in known]
    users = [user for record in new for user in deaggregate(record)]
    assert sorted((user.partition_key, user.text()) for user in users) == [("x", "0"), ("y", "1"), ("z", "2")]
    listed = kstream("dead-letters", "list", "jsonl:discards.jsonl", cwd=tmp_path)
    assert "1 redriven ones left out, --all shows them" in listed.stdout


def test_records_that_are_gone_are_told_by_number(
    kinesis: KinesisClient, stream: str, given_up: tuple[str, dict[str, Any]], endpoint: list[str], tmp_path: Path
) -> None:
    """The message says that there were five more, right behind the oldest record that is left."""
    body = given_up[1]
    info = body["KinesisBatchInfo"]
    info["batchSize"] += 5
    oldest = next(record for shard, record in records_of(kinesis, stream) if shard == info["shardId"])
    info["startSequenceNumber"] = str(int(oldest["SequenceNumber"]) + 1)
    (tmp_path / "discards.jsonl").write_text(json.dumps(body) + "\n")
    source = "jsonl:discards.jsonl"
    (item,) = objects(kstream("dead-letters", "list", source, "--json", cwd=tmp_path).stdout)

    shown = kstream("dead-letters", "show", source, item["id"], *endpoint, cwd=tmp_path)
    redrive = ["dead-letters", "redrive", source, "--to-consumer", "totals.py", *endpoint]
    done = kstream(*redrive, cwd=tmp_path)
    accepted = kstream(*redrive, "--accept-gone", cwd=tmp_path)

    assert "5 of its 7 records are gone from the stream" in shown.stdout
    assert done.returncode == 1
    assert "5 of the Kinesis records that it names are gone" in done.stdout
    assert accepted.returncode == 0
    assert effects(tmp_path) == ["x 0", "y 1", "z 2"]


def test_a_message_about_a_stream_that_is_gone_stays(endpoint: list[str], tmp_path: Path) -> None:
    from tests.unit.redrive.builders import golden

    (tmp_path / "discards.jsonl").write_text(golden("aged_out").replace("\n", "") + "\n")

    done = kstream(
        "dead-letters", "redrive", "jsonl:discards.jsonl", "--to-consumer", "totals.py", *endpoint, cwd=tmp_path
    )

    assert done.returncode == 1
    assert "cannot read shardId-000000000001 of stream 'orders'" in done.stdout


def test_what_the_local_runner_left_is_redriven_end_to_end(
    kinesis: KinesisClient, stream: str, endpoint: list[str], tmp_path: Path
) -> None:
    """Parked by kstream consume, whose ledger then holds it as done; the repaired consumer gets it again."""
    where = ["--stream", stream, *endpoint]
    kinesis.put_record(StreamName=stream, Data=b"7", PartitionKey="hopeless")
    consumed = kstream("consume", "totals.py", *where, "--once-through", "--hurry", cwd=tmp_path)
    assert consumed.returncode == 0, consumed.stderr
    redrive = ["dead-letters", "redrive", "--to-consumer", "totals.py", *endpoint]

    assert kstream(*redrive, cwd=tmp_path).returncode == 1
    (tmp_path / "totals.py").write_text(CONSUMER.replace('"hopeless"', '"nobody"'))
    assert kstream(*redrive, cwd=tmp_path).returncode == 0

    assert effects(tmp_path) == ["hopeless 7"]
    assert kstream("dead-letters", "list", cwd=tmp_path).stdout.startswith("0 in dir:")


def test_a_stream_that_is_not_there_is_one_line(endpoint: list[str], tmp_path: Path) -> None:
    sink = DirectoryDeadLetters(tmp_path / "letters")
    sink.put(letter())

    done = kstream("dead-letters", "redrive", "letters", "--to-stream", "no-such", *endpoint, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no stream 'no-such'")
    assert [isinstance(stored.letter(), DeadLetter) for stored in sink.letters()] == [True]


def test_a_letter_that_comes_between_redrive_and_deletion_is_not_deleted_from_a_bucket(
    emulator: Emulator, sink: Callable[[str], tuple[str, Any]]
) -> None:
    from kstream.redrive.opening import open_source

    name, letters = sink("s3")
    letters.put(letter())
    source = open_source(name, endpoint_url=emulator.endpoint_url)
    (item,) = source.items()
    letters.put(letter(later=60))

    assert not source.delete(item)
    (later,) = source.items()
    assert later.when == letter(later=60).last_attempt_at
    assert source.delete(later)
    assert list(source.items()) == []
    assert source.delete(later)


def test_ctrl_c_ends_it_after_the_item_in_hand(tmp_path: Path) -> None:
    (tmp_path / "totals.py").write_text(
        CONSUMER.replace("        if ", "        import time\n        time.sleep(1)\n        if ")
    )
    sink = DirectoryDeadLetters(tmp_path / "letters")
    for number in range(60):
        sink.put(letter(number, key=str(number)))

    with Running("dead-letters", "redrive", "letters", "--to-consumer", "totals.py", cwd=tmp_path) as running:
        running.wait_for("redriven")
        assert running.interrupt() == 130
        assert "; interrupted" in running.said

    assert len(effects(tmp_path)) == len(set(effects(tmp_path))) == 60 - len(list(sink.letters()))
    assert len(effects(tmp_path)) < 60
