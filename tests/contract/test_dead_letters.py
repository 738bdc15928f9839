"""What every dead-letter sink promises. See ``kstream.core.ports.DeadLetterSink``."""

from __future__ import annotations

import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from kstream.aws.dead_letters import KinesisDeadLetters, S3DeadLetters, SQSDeadLetters
from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import DeadLetterError
from kstream.core.ports import DeadLetterSink
from kstream.core.record import EventRecord, Record
from kstream.stores.directory import DirectoryDeadLetters

from .conftest import integration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Bench

KINESIS = 49590338271490256608559692538361571095921575989136588898
NASTY = 'quote " slash \\ newline \n nul \0 bell \a u2028 \u2028 ufffe \ufffe lone \ud800 rtl \u202e emoji 😀 end'
"""Text that some medium on the way refuses, if it is not escaped."""


def letter(number: int = 0, *, data: bytes = b"{}", reason: str = "negative amount", **fields: Any) -> DeadLetter:
    record = Record(
        data,
        partition_key=fields.pop("partition_key", "customer-7"),
        sequence_number=str(KINESIS + number),
        sub_sequence_number=3,
        explicit_hash_key="12",
        shard_id="shardId-000000000001",
        stream_arn="arn:aws:kinesis:us-east-1:000000000000:stream/orders",
        arrived_at=datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
        headers={"trace": "1-2-3", "é": NASTY},
    )
    return DeadLetter(
        consumer=fields.pop("consumer", "order-totals"),
        record=record,
        reason=reason,
        error_type="kstream.Reject",
        attempts=3,
        first_attempt_at=datetime(2026, 1, 2, 3, 5, tzinfo=UTC),
        last_attempt_at=datetime(2026, 1, 2, 3, 6, tzinfo=UTC),
    )


def whole(stored: DeadLetter) -> str:
    """Everything about a letter; comparing records alone would pass over headers and more."""
    return stored.to_json()


def test_is_a_sink(bench: Bench) -> None:
    assert isinstance(bench.sink, DeadLetterSink)


def test_holds_nothing_at_first(bench: Bench) -> None:
    assert bench.stored() == []


def test_keeps_everything_about_a_letter(bench: Bench) -> None:
    bench.sink.put(letter(data=bytes(range(256)), reason=NASTY, partition_key=NASTY, consumer="../a b/" + NASTY))
    (stored,) = bench.stored()
    assert whole(stored) == whole(
        letter(data=bytes(range(256)), reason=NASTY, partition_key=NASTY, consumer="../a b/" + NASTY)
    )


def test_keeps_an_empty_payload_and_an_empty_partition_key(bench: Bench) -> None:
    bench.sink.put(letter(data=b"", partition_key=""))
    assert [(stored.record.data, stored.record.partition_key) for stored in bench.stored()] == [(b"", "")]


def test_storing_one_letter_twice_is_harmless(bench: Bench) -> None:
    bench.sink.put(letter())
    bench.sink.put(letter())
    stored = bench.stored()
    assert {whole(one) for one in stored} == {whole(letter())}
    assert len(stored) == 1 or not bench.keeps_one_copy


def test_letters_of_different_records_and_consumers_are_apart(bench: Bench) -> None:
    letters = [letter(n, consumer=consumer) for n in range(3) for consumer in ("a/b", "a-b", "a b")]
    for one in letters:
        bench.sink.put(one)
    assert sorted(map(whole, bench.stored())) == sorted(map(whole, letters))


def test_threads_may_store_at_once(bench: Bench) -> None:
    letters = [letter(n) for n in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bench.sink.put, letters))
    assert sorted(map(whole, bench.stored())) == sorted(map(whole, letters))


def test_takes_most_of_what_a_record_can_be(bench: Bench) -> None:
    """A megabyte is the usual limit of a record, and its envelope is a third larger."""
    payload = bytes(range(256)) * 2_800
    bench.sink.put(letter(data=payload))
    assert [stored.record.data for stored in bench.stored()] == [payload]


def test_a_letter_is_stored_whole_or_refused_with_its_size_and_the_remedy(bench: Bench) -> None:
    payload = bytes(range(256)) * 8_192
    if bench.limit is None:
        bench.sink.put(letter(data=payload))
        assert [stored.record.data for stored in bench.stored()] == [payload]
    else:
        with pytest.raises(DeadLetterError, match=r"2,79\d,\d{3} bytes.*1,048,576.*overflow=S3DeadLetters"):
            bench.sink.put(letter(data=payload))
        assert bench.stored() == []


def test_a_record_that_cannot_be_decoded_is_refused_and_not_stored_empty(bench: Bench) -> None:
    """Its payload is the bytes as they arrived, which whoever parks it must say."""
    undecodable = EventRecord(
        {
            "eventID": f"shardId-000000000000:{KINESIS}",
            "eventSourceARN": "arn",
            "kinesis": {
                "data": "not base64!",
                "partitionKey": "k",
                "sequenceNumber": str(KINESIS),
                "approximateArrivalTimestamp": 1.5,
            },
        }
    )
    with pytest.raises(DeadLetterError, match="park the record as it arrived"):
        bench.sink.put(replace(letter(), record=undecodable))
    bench.sink.put(replace(letter(), record=undecodable.as_arrived()))
    assert [stored.record.data for stored in bench.stored()] == [b"not base64!"]


@pytest.fixture
def closed_port() -> Iterator[str]:
    """A URL where nothing listens: the port is held, but never accepts."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def _client(service: str, url: str) -> Any:
    return boto3.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


_AWS: dict[str, Callable[[str], DeadLetterSink]] = {
    "s3": lambda url: S3DeadLetters("no-such-bucket", client=_client("s3", url)),
    "sqs": lambda url: SQSDeadLetters(f"{url}/000000000000/no-such-queue", client=_client("sqs", url)),
    "kinesis": lambda url: KinesisDeadLetters("no-such-stream", client=_client("kinesis", url)),
    "kinesis by ARN": lambda url: KinesisDeadLetters(
        "arn:aws:kinesis:us-east-1:000000000000:stream/no-such-stream", client=_client("kinesis", url)
    ),
    "overflow": lambda url: SQSDeadLetters(
        f"{url}/000000000000/no-such-queue",
        S3DeadLetters("no-such-bucket", client=_client("s3", url)),
        client=_client("sqs", url),
    ),
}


@pytest.mark.parametrize("name", _AWS)
def test_a_sink_that_does_not_answer_is_an_error_that_names_it(closed_port: str, name: str) -> None:
    with pytest.raises(DeadLetterError, match=r"no-such-\w+.*Could not connect") as caught:
        _AWS[name](closed_port).put(letter())
    assert caught.value.__cause__ is not None


@integration
@pytest.mark.parametrize("name", _AWS)
def test_a_sink_that_does_not_exist_is_an_error_with_the_remedy(endpoint: str, name: str) -> None:
    with pytest.raises(DeadLetterError, match=r"no-such-\w+.*make the (bucket|queue|stream)"):
        _AWS[name](endpoint).put(letter())


@integration
@pytest.mark.parametrize("medium", ["sqs", "kinesis"])
def test_a_missing_overflow_bucket_fails_the_letter(endpoint: str, aws: Callable[[str], Any], medium: str) -> None:
    """A claim check is never sent before what it stands for is stored."""
    name = f"letters-{uuid.uuid4().hex}"
    overflow = S3DeadLetters("no-such-bucket", endpoint_url=endpoint)
    sink: DeadLetterSink
    if medium == "sqs":
        url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
        sink = SQSDeadLetters(url, overflow, endpoint_url=endpoint)
    else:
        aws("kinesis").create_stream(StreamName=name, ShardCount=1)
        sink = KinesisDeadLetters(name, overflow, endpoint_url=endpoint)
    with pytest.raises(DeadLetterError, match=r"no-such-bucket.*make the bucket"):
        sink.put(letter(data=bytes(2_000_000)))
    if medium == "sqs":
        assert "Messages" not in aws("sqs").receive_message(QueueUrl=url)


def test_a_directory_that_cannot_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeadLetterError, match=r"file/letters.*must be a directory"):
        DirectoryDeadLetters(tmp_path / "file" / "letters").put(letter())


# What a store, beyond being a sink, lets an operator do.


@integration
@pytest.mark.parametrize("medium", ["directory", "s3"])
def test_letters_are_listed_read_and_deleted_by_key(
    medium: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store: DirectoryDeadLetters | S3DeadLetters = DirectoryDeadLetters(tmp_path / "letters")
    if medium == "s3":
        bucket = f"letters-{uuid.uuid4().hex}"
        request.getfixturevalue("aws")("s3").create_bucket(Bucket=bucket)
        store = S3DeadLetters(bucket, "parked/here/", endpoint_url=request.getfixturevalue("endpoint"))
    assert list(store.letters()) == []
    for n in range(3):
        store.put(letter(n))
    keys = [stored.key for stored in store.letters()]
    assert keys == sorted(keys)
    assert [whole(store.read(key)) for key in keys] == [whole(stored.letter()) for stored in store.letters()]
    store.delete(keys[1])
    store.delete(keys[1])
    assert [stored.key for stored in store.letters()] == [keys[0], keys[2]]
    with pytest.raises(DeadLetterError, match="order-totals"):
        store.read(keys[1])


@integration
def test_messages_are_hidden_until_deleted_or_released(endpoint: str, aws: Callable[[str], Any]) -> None:
    url = aws("sqs").create_queue(QueueName=f"letters-{uuid.uuid4().hex}")["QueueUrl"]
    queue = SQSDeadLetters(url, endpoint_url=endpoint)
    for n in range(12):
        queue.put(letter(n))
    received = list(queue.letters(wait=0))
    assert len({stored.key for stored in received}) == 12
    assert list(queue.letters(wait=0)) == []
    for stored in received[:11]:
        queue.delete(stored.key)
    queue.release(received[11].key)
    (left,) = queue.letters(wait=0)
    assert whole(left.letter()) == whole(received[11].letter())


@integration
def test_a_claim_check_whose_object_is_gone_says_so_and_hides_no_other(
    endpoint: str, aws: Callable[[str], Any]
) -> None:
    name = f"letters-{uuid.uuid4().hex}"
    aws("s3").create_bucket(Bucket=name)
    url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    bucket = S3DeadLetters(name, endpoint_url=endpoint)
    queue = SQSDeadLetters(url, bucket, endpoint_url=endpoint)
    queue.put(letter(1, data=bytes(1_000_000)))
    queue.put(letter(2))
    aws("s3").delete_object(Bucket=name, Key=next(bucket.letters()).key)
    # Without the overflow: where the payload lies stands in the message.
    lost, kept = sorted(
        SQSDeadLetters(url, endpoint_url=endpoint).letters(wait=0), key=lambda stored: not stored.problem
    )
    with pytest.raises(DeadLetterError, match=f"s3://{name}/dead-letters/order-totals.*it is gone"):
        lost.letter()
    assert whole(kept.letter()) == whole(letter(2))


@integration
@pytest.mark.parametrize("limit", [2_048, 262_144])
def test_a_queue_with_a_limit_of_its_own_is_asked_for_it(endpoint: str, aws: Callable[[str], Any], limit: int) -> None:
    """Queues made before SQS took 1 MiB still take 256 KiB."""
    url = aws("sqs").create_queue(
        QueueName=f"letters-{uuid.uuid4().hex}", Attributes={"MaximumMessageSize": str(limit)}
    )["QueueUrl"]
    queue = SQSDeadLetters(url, endpoint_url=endpoint)
    fixed = len(letter(data=b"").to_json())
    fits = (limit - fixed) // 4 * 3
    queue.put(letter(data=bytes(fits)))
    with pytest.raises(DeadLetterError, match=rf"{limit:,}.*raise the queue's MaximumMessageSize"):
        queue.put(letter(data=bytes(fits + 6)))


@integration
def test_what_is_not_a_letter_is_listed_as_it_is(endpoint: str, aws: Callable[[str], Any], tmp_path: Path) -> None:
    """AWS's own on-failure messages may lie beside ours."""
    url = aws("sqs").create_queue(QueueName=f"letters-{uuid.uuid4().hex}")["QueueUrl"]
    aws("sqs").send_message(QueueUrl=url, MessageBody='{"KinesisBatchInfo": {}}')
    (tmp_path / "other.json").write_text('{"KinesisBatchInfo": {}}')
    queue, directory = SQSDeadLetters(url, endpoint_url=endpoint), DirectoryDeadLetters(tmp_path)
    for (stored,) in (list(queue.letters(wait=0)), list(directory.letters())):
        assert stored.body == '{"KinesisBatchInfo": {}}'
        with pytest.raises(DeadLetterError, match="not a kstream dead letter"):
            stored.letter()


@integration
def test_a_letter_redriven_within_minutes_is_not_taken_for_its_former_self(
    endpoint: str, aws: Callable[[str], Any]
) -> None:
    """A FIFO queue drops what it takes for a duplicate; this one failed again, later."""
    url = aws("sqs").create_queue(QueueName=f"letters-{uuid.uuid4().hex}.fifo", Attributes={"FifoQueue": "true"})[
        "QueueUrl"
    ]
    queue = SQSDeadLetters(url, endpoint_url=endpoint)
    queue.put(letter())
    for stored in queue.letters(wait=0):
        queue.delete(stored.key)
    queue.put(replace(letter(), last_attempt_at=datetime(2026, 1, 2, 3, 9, tzinfo=UTC)))
    assert len(list(queue.letters(wait=0))) == 1
