"""What PutRecords answers, in one shape. Against botocore's own stubber: no emulator fails in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from kstream.aws.stream_writer import MAX_CALL_BYTES, Entry, FailureKind, NotWritten, StreamWriter, Written, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stubber() -> Iterator[Stubber]:
    client = boto3.client(
        "kinesis", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1})
    )
    with Stubber(client) as stubber:
        yield stubber
    client.close()


def writer(stubber: Stubber) -> StreamWriter:
    return StreamWriter(client=stubber.client)


def answer(*records: dict[str, str]) -> dict[str, Any]:
    failed = sum("ErrorCode" in record for record in records)
    # The service model has no 0 for it.
    return {"Records": list(records)} | ({"FailedRecordCount": failed} if failed else {})


def put(number: int) -> dict[str, str]:
    return {"SequenceNumber": str(number), "ShardId": "s"}


def test_each_entry_has_its_result_in_order(stubber: Stubber) -> None:
    failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow"}
    broken = {"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."}
    stubber.add_response("put_records", answer(put(1), failed, broken))
    assert writer(stubber).put_records("orders", [Entry(b"x", "k")] * 3) == [
        Written("1", "s"),
        NotWritten(FailureKind.THROTTLED, "ProvisionedThroughputExceededException", "slow"),
        NotWritten(FailureKind.INTERNAL, "InternalFailure", "Internal service failure."),
    ]


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ProvisionedThroughputExceededException", 400, FailureKind.THROTTLED),
        ("KMSThrottlingException", 400, FailureKind.THROTTLED),
        ("LimitExceededException", 400, FailureKind.THROTTLED),
        ("InternalFailure", 500, FailureKind.INTERNAL),
        ("Whatever", 503, FailureKind.INTERNAL),
        ("ValidationException", 400, FailureKind.INVALID),
        ("InvalidArgumentException", 400, FailureKind.INVALID),
        ("ResourceNotFoundException", 400, FailureKind.OTHER),
        ("AccessDeniedException", 400, FailureKind.OTHER),
        ("KMSDisabledException", 400, FailureKind.OTHER),
    ],
)
def test_a_call_that_fails_is_a_result_for_each_entry(
    stubber: Stubber, code: str, status: int, kind: FailureKind
) -> None:
    stubber.add_client_error("put_records", code, "why", http_status_code=status)
    assert writer(stubber).put_records("orders", [Entry(b"x", "k")] * 2) == [NotWritten(kind, code, "why")] * 2
    assert kind_of(code, status) is kind


def test_a_failed_call_keeps_what_the_calls_before_it_wrote(stubber: Stubber) -> None:
    stubber.add_response("put_records", answer(*[put(n) for n in range(500)]))
    stubber.add_client_error("put_records", "InternalFailure", "why", http_status_code=500)
    results = writer(stubber).put_records("orders", [Entry(b"x", "k")] * 501)
    assert [type(result) for result in results] == [Written] * 500 + [NotWritten]


def test_calls_stay_below_the_bytes_of_one(stubber: Stubber) -> None:
    third = Entry(b"x" * (MAX_CALL_BYTES // 3), "k")
    for size in (2, 2, 1):
        records = [{"Data": third.data, "PartitionKey": "k"}] * size
        stubber.add_response("put_records", answer(*[put(1)] * size), {"StreamName": "orders", "Records": records})
    assert len(writer(stubber).put_records("orders", [third] * 5)) == 5
    stubber.assert_no_pending_responses()


def test_nothing_to_write_is_no_call(stubber: Stubber) -> None:
    assert writer(stubber).put_records("orders", []) == []


def test_an_answer_that_is_short_writes_nothing_for_sure(stubber: Stubber) -> None:
    stubber.add_response("put_records", answer(put(1)))
    results = writer(stubber).put_records("orders", [Entry(b"x", "k")] * 2)
    assert all(isinstance(result, NotWritten) and result.kind is FailureKind.INTERNAL for result in results)


def test_a_stream_that_is_not_reached_is_internal() -> None:
    """A port that nothing listens on."""
    client = boto3.client(
        "kinesis", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1})
    )
    (result,) = StreamWriter(client=client).put_records("orders", [Entry(b"x", "k")])
    client.close()
    assert isinstance(result, NotWritten)
    assert (result.kind, result.code) == (FailureKind.INTERNAL, "EndpointConnectionError")
