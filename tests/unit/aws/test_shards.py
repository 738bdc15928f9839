"""The shard reader where a real service has to misbehave: throttling, expiry, trimming. Botocore's own stubber answers.

What real servers answer when all is well is in tests/integration.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import ANY, Stubber

from kstream.aws.clients import client
from kstream.aws.shards import KinesisReader
from kstream.core.errors import ConfigurationError, ReadError
from kstream.core.shards import After, AtTimestamp, Latest, Page, Shard, TrimHorizon
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.aws.shards import KinesisShardReader
    from kstream.core.shards import Start

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


class Service:
    """A client whose answers are laid out beforehand."""

    def __init__(self) -> None:
        self.client = client("kinesis", endpoint_url="http://127.0.0.1:1")
        self.stub = Stubber(self.client)
        self.clock = VirtualClock()
        self.reader = KinesisReader(self.client, clock=self.clock)

    def open(self, start: Start) -> KinesisShardReader:
        return self.reader.open("s", "shard-0", start)

    def iterator(self, answer: str, **asked: Any) -> None:
        self.stub.add_response(
            "get_shard_iterator", {"ShardIterator": answer}, {"StreamName": "s", "ShardId": "shard-0", **asked}
        )

    def records(self, iterator: str, next_iterator: str | None, *numbers: str, behind: int = 0) -> None:
        answer: dict[str, Any] = {
            "Records": [
                {"SequenceNumber": n, "PartitionKey": "k", "Data": b"d", "ApproximateArrivalTimestamp": AT}
                for n in numbers
            ],
            "MillisBehindLatest": behind,
        }
        if next_iterator:
            answer["NextShardIterator"] = next_iterator
        self.stub.add_response("get_records", answer, {"ShardIterator": iterator, "Limit": ANY})

    def error(self, operation: str, code: str, status: int = 400) -> None:
        self.stub.add_client_error(operation, code, "no", status)

    def described(self, status: str = "ACTIVE") -> None:
        summary = {
            "StreamName": "s",
            "StreamARN": ARN,
            "StreamStatus": status,
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": AT,
            "EnhancedMonitoring": [],
            "OpenShardCount": 1,
        }
        headers = {"HTTPHeaders": {"date": "Fri, 02 Jan 2026 00:00:09 GMT"}}
        answer = {"StreamDescriptionSummary": summary, "ResponseMetadata": headers}
        self.stub.add_response("describe_stream_summary", answer, {"StreamName": "s"})

    def listed(self, *shards: dict[str, Any], token: str | None = None, **asked: Any) -> None:
        answer: dict[str, Any] = {
            "Shards": [
                {
                    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
                    "SequenceNumberRange": {"StartingSequenceNumber": "0"},
                    **shard,
                }
                for shard in shards
            ]
        }
        if token:
            answer["NextToken"] = token
        self.stub.add_response("list_shards", answer, asked or {"StreamName": "s"})


AT = datetime(2026, 1, 2, tzinfo=UTC)
TRIM = {"ShardIteratorType": "TRIM_HORIZON"}


def after(number: str) -> dict[str, str]:
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number}


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with service.stub:
        yield service
        service.stub.assert_no_pending_responses()


def numbers(page: Page) -> list[str]:
    return [record.sequence_number for record in page.records]


def test_all_pages_of_shards_are_listed(service: Service) -> None:
    closed = {"StartingSequenceNumber": "0", "EndingSequenceNumber": "9"}
    service.listed({"ShardId": "a", "SequenceNumberRange": closed}, {"ShardId": "b"}, token="more")
    service.listed({"ShardId": "c", "ParentShardId": "a", "AdjacentParentShardId": "b"}, NextToken="more")
    assert service.reader.shards("s") == [Shard("a", closed=True), Shard("b"), Shard("c", ("a", "b"))]


def test_a_stream_that_does_not_exist_is_named_with_the_endpoint_and_the_remedy(service: Service) -> None:
    service.error("describe_stream_summary", "ResourceNotFoundException")
    with pytest.raises(ConfigurationError, match=r"no stream 's' at http://127\.0\.0\.1:1 .*create-stream"):
        service.reader.describe("s")


def test_a_stream_that_is_being_created_is_waited_for(service: Service) -> None:
    service.described("CREATING")
    service.described("CREATING")
    service.described()
    description = service.reader.describe("s")
    assert (description.arn, description.created_at, description.region) == (ARN, AT.timestamp(), "us-east-1")
    assert description.described_at == AT.timestamp() + 9
    assert service.clock.monotonic() == 1.0


def test_a_stream_that_is_being_deleted_is_told(service: Service) -> None:
    service.described("DELETING")
    with pytest.raises(ConfigurationError, match="being deleted"):
        service.reader.describe("s")


@pytest.mark.parametrize(
    ("start", "asked"),
    [
        (TrimHorizon(), TRIM),
        (After("7"), after("7")),
        (AtTimestamp(5.5), {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 5.5}),
        (Latest(3.0), {"ShardIteratorType": "LATEST"}),
    ],
)
def test_it_starts_where_it_should(service: Service, start: Start, asked: dict[str, Any]) -> None:
    service.iterator("i", **asked)
    service.records("i", "j", "8", behind=12)
    service.records("j", None)
    reader = service.open(start)
    page = reader.read(10)
    assert (numbers(page), page.behind_ms, page.ended) == (["8"], 12, False)
    assert page.records[0].arrived_at == AT.timestamp()
    assert reader.read(10).ended


def test_an_expired_iterator_is_asked_for_again_behind_the_last_record(service: Service) -> None:
    service.iterator("i", **TRIM)
    service.records("i", "j", "7", "8")
    service.error("get_records", "ExpiredIteratorException")
    service.iterator("k", **after("8"))
    service.records("k", "l", "9")
    reader = service.open(TrimHorizon())
    reader.read(10)
    assert numbers(reader.read(10)) == ["9"]


def test_an_iterator_that_expires_at_once_again_is_a_read_error(service: Service) -> None:
    service.iterator("i", **TRIM)
    service.error("get_records", "ExpiredIteratorException")
    service.iterator("j", **TRIM)
    service.error("get_records", "ExpiredIteratorException")
    with pytest.raises(ReadError):
        service.open(TrimHorizon()).read(10)


def test_latest_that_loses_its_place_does_not_jump_to_the_new_tip(service: Service) -> None:
    service.iterator("i", ShardIteratorType="LATEST")
    service.error("get_records", "ExpiredIteratorException")
    service.iterator("j", ShardIteratorType="AT_TIMESTAMP", Timestamp=3.0)
    service.records("j", "k", "9")
    assert numbers(service.open(Latest(3.0)).read(10)) == ["9"]


def test_latest_that_could_not_be_found_is_looked_for_by_time(service: Service) -> None:
    service.error("get_shard_iterator", "InternalFailure", 500)
    service.iterator("j", ShardIteratorType="AT_TIMESTAMP", Timestamp=3.0)
    service.records("j", "k", "9")
    assert numbers(service.open(Latest(3.0)).read(10)) == ["9"]


def test_throttling_is_told_and_keeps_the_place(service: Service) -> None:
    service.error("get_shard_iterator", "ProvisionedThroughputExceededException")
    service.iterator("i", **TRIM)
    service.error("get_records", "ProvisionedThroughputExceededException")
    service.records("i", "j", "7")
    reader = service.open(TrimHorizon())
    assert reader.read(10).throttled
    assert reader.read(10).throttled
    assert numbers(reader.read(10)) == ["7"]


def test_a_failure_of_the_service_is_a_read_error_and_keeps_the_place(service: Service) -> None:
    service.iterator("i", **TRIM)
    service.records("i", "j", "7")
    service.error("get_records", "InternalFailure", 500)
    service.iterator("k", **after("7"))
    service.records("k", "l", "8")
    reader = service.open(TrimHorizon())
    reader.read(10)
    with pytest.raises(ReadError, match="shard-0"):
        reader.read(10)
    assert numbers(reader.read(10)) == ["8"]


@pytest.mark.parametrize("code", ["InvalidArgumentException", "ResourceNotFoundException"])
def test_a_checkpoint_that_was_trimmed_away_leads_to_the_oldest_record(
    service: Service, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.error("get_shard_iterator", code)
    service.described()
    service.iterator("i", **TRIM)
    service.records("i", "j", "70")
    with caplog.at_level(logging.WARNING):
        assert numbers(service.open(After("7")).read(10)) == ["70"]
    assert "checkpoint 7 is gone" in caplog.text


def test_a_stream_that_was_deleted_ends_the_reading(service: Service) -> None:
    service.iterator("i", **TRIM)
    service.error("get_records", "ResourceNotFoundException")
    service.error("describe_stream_summary", "ResourceNotFoundException")
    with pytest.raises(ConfigurationError, match="no stream 's'"):
        service.open(TrimHorizon()).read(10)


def test_a_shard_that_was_trimmed_away_has_ended(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.error("get_shard_iterator", "ResourceNotFoundException")
    service.described()
    service.listed({"ShardId": "shard-1"})
    assert service.open(TrimHorizon()).read(10) == Page(ended=True)
    assert "not there any more" in caplog.text


def test_missing_permission_is_a_configuration_error(service: Service) -> None:
    service.iterator("i", **TRIM)
    service.error("get_records", "AccessDeniedException")
    with pytest.raises(ConfigurationError, match="permissions"):
        service.open(TrimHorizon()).read(10)
