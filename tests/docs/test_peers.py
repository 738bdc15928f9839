"""What the README says of the peers holds for the releases that the development environment locks."""

from __future__ import annotations

import asyncio
import hashlib
from importlib.metadata import version
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    BatchProcessor,
    EventType,
    async_process_partial_response,
    process_partial_response,
)

from kstream import UndecodableRecord
from kstream.aggregation import deaggregate
from kstream.testing.events import kinesis_event
from tests.docs.pages import Page
from tests.support.aggregates import import_peer

_, deaggregator = import_peer()
SAID = Page("README.md").section("Why another library")


def test_the_releases_are_the_ones_that_the_readme_names() -> None:
    assert f"Python) {'.'.join(version('aws-lambda-powertools').split('.')[:2])}," in SAID
    assert f"aws-kinesis-agg {version('aws-kinesis-agg')} |" in SAID


def test_powertools_runs_what_lies_behind_a_failure_and_reports_each() -> None:
    event = kinesis_event([(text, "one-key") for text in ("a", "b", "c", "d")])
    seen: list[str] = []

    def process(record: Any) -> None:
        seen.append(record.kinesis.data_as_text())
        if seen[-1] in "bc":
            raise ValueError

    answer = process_partial_response(event, process, BatchProcessor(EventType.KinesisDataStreams), context=None)
    assert seen == ["a", "b", "c", "d"]
    assert len(answer["batchItemFailures"]) == 2


def test_powertools_starts_all_records_of_a_key_at_once() -> None:
    event = kinesis_event([(text, "one-key") for text in ("a", "b")])
    seen: list[str] = []

    async def process(record: Any) -> None:
        text = record.kinesis.data_as_text()
        seen.append(f"{text} begins")
        await asyncio.sleep(0)
        seen.append(f"{text} ends")

    async_process_partial_response(event, process, AsyncBatchProcessor(EventType.KinesisDataStreams), context=None)
    assert seen[:2] == ["a begins", "b begins"]


def test_powertools_hands_an_aggregate_over_as_it_is() -> None:
    from kstream.aggregation import UserRecord, aggregate

    packed = aggregate([UserRecord(b"one", "a"), UserRecord(b"two", "b")])
    seen: list[bytes] = []
    process_partial_response(
        kinesis_event([(packed, "outer")]),
        lambda record: seen.append(record.kinesis.data_as_bytes()),
        BatchProcessor(EventType.KinesisDataStreams),
        context=None,
    )
    assert seen == [packed]


def test_aws_kinesis_agg_drops_the_rest_of_an_aggregate_with_a_wrong_index(capsys: pytest.CaptureFixture[str]) -> None:
    aggregated = deaggregator.messages_pb2.AggregatedRecord()
    aggregated.partition_key_table.append("key")
    for index, key in enumerate((0, 0, 7, 0)):
        aggregated.records.add(partition_key_index=key, data=b"%d" % index)
    body = aggregated.SerializeToString()
    packed = b"\xf3\x89\x9a\xc2" + body + hashlib.md5(body, usedforsecurity=False).digest()

    assert len(deaggregator.deaggregate_records(kinesis_event([(packed, "outer")])["Records"])) == 2
    assert "ERROR" in capsys.readouterr().err
    with pytest.raises(UndecodableRecord, match="malformed aggregate"):
        deaggregate(packed)
    [whole] = deaggregate(packed, malformed="keep")
    assert whole.data == packed
