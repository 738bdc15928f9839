"""The gateway's answers, one by one. The same over a real server: tests/contract/test_ingest_api.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kstream.aws.stream_writer import FailureKind, Written
from kstream.core.errors import ConfigurationError
from kstream.ingest.contract import Limits
from kstream.ingest.gateway import Gateway
from kstream.ingest.http import Head
from tests.support.ingest import CODES, MemoryStreams, not_written

if TYPE_CHECKING:
    from kstream.ingest.http import Response

SINGLE = "/streams/orders/records"
BATCH = "/streams/orders/records/batch"


def head(method: str = "POST", path: str = SINGLE, **headers: str) -> Head:
    return Head(method, path, {name.replace("_", "-"): value for name, value in headers.items()}, "r-1")


def body(response: Response) -> Any:
    return json.loads(response.body)


def batch(gateway: Gateway, *records: object) -> Response:
    return gateway.handle(head(path=BATCH), json.dumps({"records": records}).encode())


@pytest.fixture
def streams() -> MemoryStreams:
    return MemoryStreams()


@pytest.fixture
def gateway(streams: MemoryStreams) -> Gateway:
    return Gateway(["orders", "returns"], streams)


def test_a_single_record_is_the_body_under_the_headers_key(gateway: Gateway, streams: MemoryStreams) -> None:
    response = gateway.handle(head(x_partition_key="c-7", content_type="application/octet-stream"), b"\x00\xff")
    assert (response.status, body(response)) == (200, {"sequenceNumber": "1", "shardId": "shardId-000000000000"})
    assert streams.calls == [("orders", [(b"\x00\xff", "c-7")])]


def test_without_the_header_the_request_id_is_the_key(gateway: Gateway, streams: MemoryStreams) -> None:
    gateway.handle(head(), b"x")
    assert streams.taken() == [(b"x", "r-1")]


def test_a_batch_answers_in_its_own_order(gateway: Gateway, streams: MemoryStreams) -> None:
    response = batch(gateway, {"data": "a", "partitionKey": "k"}, {"dataBase64": "/w=="})
    assert response.status == 200
    assert body(response) == {
        "failedCount": 0,
        "records": [{"sequenceNumber": str(n), "shardId": "shardId-000000000000"} for n in (1, 2)],
    }
    # A record without a key gets one of its own, so that such records spread over the shards.
    assert streams.taken() == [(b"a", "k"), (b"\xff", "r-1-1")]


def test_the_path_alone_chooses_the_stream(gateway: Gateway, streams: MemoryStreams) -> None:
    gateway.handle(head(path="/streams/returns/records"), b"x")
    assert [stream for stream, _ in streams.calls] == ["returns"]


def test_health_needs_no_stream(gateway: Gateway) -> None:
    response = gateway.handle(head("GET", "/health"), b"")
    assert (response.status, body(response)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        (head(path="/streams/unknown/records"), 404, "NotFound"),
        (head(path="/streams/orders/records/"), 404, "NotFound"),
        (head(path="/"), 404, "NotFound"),
        (head("GET"), 405, "MethodNotAllowed"),
        (head("POST", "/health"), 405, "MethodNotAllowed"),
        (head(content_type="application/x-www-form-urlencoded"), 415, "UnsupportedMediaType"),
        (head(path=BATCH, content_type="text/plain"), 415, "UnsupportedMediaType"),
        (head(content_length=str(10 * 1024 * 1024 + 1)), 413, "TooLarge"),
    ],
)
def test_what_the_head_decides_is_refused_before_the_body(
    gateway: Gateway, streams: MemoryStreams, request_head: Head, status: int, code: str
) -> None:
    early, whole = gateway.refuse(request_head), gateway.handle(request_head, b"{}")
    assert early == whole
    assert whole.status == status
    error = body(whole)["error"]
    assert (error["code"], error["requestId"]) == (code, "r-1")
    assert error["message"]
    assert not streams.calls


def test_405_names_the_method_that_works(gateway: Gateway) -> None:
    assert gateway.handle(head("PUT"), b"").headers == {"allow": "POST"}


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_content_type_may_have_parameters_and_any_case(gateway: Gateway, content_type: str) -> None:
    request = head(path=BATCH, content_type=content_type)
    assert gateway.handle(request, b'{"records":[{"data":"x"}]}').status == 200


def test_a_body_over_the_limit_is_413_also_without_a_content_length(streams: MemoryStreams) -> None:
    gateway = Gateway(["orders"], streams, limits=Limits(body_bytes=10))
    assert gateway.handle(head(), b"x" * 10).status == 200
    assert gateway.handle(head(), b"x" * 11).status == 413


def test_a_batch_that_failed_in_part_is_207_and_says_which(gateway: Gateway, streams: MemoryStreams) -> None:
    streams.fault = lambda call, index, entry: {1: FailureKind.THROTTLED, 2: FailureKind.INTERNAL}.get(index)
    response = batch(gateway, {"data": "a"}, {"data": "b"}, {"data": "c"})
    answer = body(response)
    assert (response.status, answer["failedCount"]) == (207, 2)
    assert [record.get("errorCode") for record in answer["records"]] == [
        None,
        "ProvisionedThroughputExceededException",
        "InternalFailure",
    ]
    assert "account" not in response.body.decode()  # Kinesis' text names it; ours does not


@pytest.mark.parametrize(
    ("kinds", "status", "retry_after"),
    [
        ([FailureKind.THROTTLED] * 2, 429, "1"),
        ([FailureKind.INTERNAL] * 2, 502, None),
        ([FailureKind.OTHER] * 2, 502, None),
        ([FailureKind.THROTTLED, FailureKind.INTERNAL], 502, None),
        ([FailureKind.INVALID] * 2, 400, None),
    ],
)
def test_a_request_of_which_nothing_was_written_is_never_a_success(
    gateway: Gateway, streams: MemoryStreams, kinds: list[FailureKind], status: int, retry_after: str | None
) -> None:
    streams.fault = lambda call, index, entry: kinds[index]
    response = batch(gateway, {"data": "a"}, {"data": "b"})
    assert (response.status, response.headers.get("retry-after")) == (status, retry_after)
    assert set(body(response)) == {"error"}


@pytest.mark.parametrize("kind", FailureKind)
def test_a_single_record_that_fails_answers_as_a_batch_of_one(
    gateway: Gateway, streams: MemoryStreams, kind: FailureKind
) -> None:
    streams.fault = lambda *_: kind
    single, batched = gateway.handle(head(), b"x"), batch(gateway, {"data": "x"})
    assert single == batched
    assert single.status >= 400
    assert kind is FailureKind.THROTTLED or CODES[kind] in body(single)["error"]["message"]


def test_a_port_that_raises_is_502_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def explode(stream: str, entries: object) -> Any:
        raise RuntimeError("secret detail")

    response = Gateway(["orders"], explode).handle(head(), b"x")
    assert response.status == 502
    assert b"secret" not in response.body
    assert "secret detail" in caplog.text


def test_a_port_that_forgets_records_is_502() -> None:
    gateway = Gateway(["orders"], lambda stream, entries: [Written("1", "s")])
    assert batch(gateway, {"data": "a"}, {"data": "b"}).status == 502


@pytest.mark.parametrize("streams_given", [[], ["two words"], ["a/b"], [""], ["x" * 129]])
def test_stream_names_are_checked_when_the_gateway_is_built(streams_given: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        Gateway(streams_given, lambda stream, entries: [not_written(FailureKind.OTHER)])
