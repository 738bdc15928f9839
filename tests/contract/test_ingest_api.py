"""What every deployment of the ingest API promises, asked over HTTP. See ``kstream.ingest.contract``.

An engine is one such deployment; the suite knows its address, what lies in its stream, and how to make Kinesis fail.
"""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.aws.stream_writer import FailureKind
from kstream.ingest.contract import PARTITION_KEY
from kstream.ingest.gateway import Gateway
from kstream.ingest.server import GatewayServer
from tests.support.ingest import MemoryStreams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIB = 1 << 20
SINGLE = "/streams/orders/records"
BATCH = "/streams/orders/records/batch"


class Engine(Protocol):
    """A deployment with the stream ``orders``."""

    url: str

    def taken(self) -> Sequence[tuple[bytes, str]]:
        """Data and partition keys since the last call, in the stream's order."""
        ...

    def fail(self, *faults: FailureKind | None) -> None:
        """The n-th record of each request fails like this; those beyond do not. ``fail()`` ends it."""
        ...


class LocalGateway:
    """``GatewayServer`` over a stream in memory."""

    def __init__(self, url: str, streams: MemoryStreams) -> None:
        self.url = url
        self._streams = streams
        self._seen = 0

    def taken(self) -> list[tuple[bytes, str]]:
        records = self._streams.taken()[self._seen :]
        self._seen += len(records)
        return [(entry.data, entry.partition_key) for entry in records]

    def fail(self, *faults: FailureKind | None) -> None:
        self._streams.fault = lambda call, index, entry: faults[index] if index < len(faults) else None


@contextmanager
def local_gateway() -> Iterator[Engine]:
    streams = MemoryStreams()
    with GatewayServer(Gateway(["orders"], streams)) as server:
        yield LocalGateway(server.url, streams)


ENGINES = {"local-gateway": local_gateway}


@pytest.fixture(scope="module", params=ENGINES)
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with ENGINES[request.param]() as engine:
        yield engine


@pytest.fixture
def engine(running: Engine) -> Iterator[Engine]:
    running.taken()
    yield running
    running.fail()


@pytest.fixture
def http(engine: Engine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=engine.url, trust_env=False, timeout=30) as client:
        yield client


def put_batch(http: httpx.Client, *records: object) -> httpx.Response:
    return http.post(BATCH, json={"records": records})


def assert_envelope(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message", "requestId"}
    assert all(isinstance(value, str) and value for value in response.json()["error"].values())


def assert_put(record: dict[str, Any]) -> None:
    assert set(record) == {"sequenceNumber", "shardId"}
    assert record["sequenceNumber"].isdecimal()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_a_single_record_is_put_byte_for_byte(engine: Engine, http: httpx.Client, data: bytes) -> None:
    headers = {"content-type": "application/octet-stream", "x-partition-key": "c-7"}
    response = http.post(SINGLE, content=data, headers=headers)
    assert response.status_code == 200
    assert_put(response.json())
    assert engine.taken() == [(data, "c-7")]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.tuples(st.binary(max_size=50), st.from_regex(PARTITION_KEY, fullmatch=True)), min_size=1))
def test_a_batch_is_put_byte_for_byte(engine: Engine, http: httpx.Client, records: list[tuple[bytes, str]]) -> None:
    response = put_batch(
        http, *({"dataBase64": b64encode(data).decode(), "partitionKey": key} for data, key in records)
    )
    assert response.status_code == 200
    assert response.json()["failedCount"] == 0
    assert len(response.json()["records"]) == len(records)
    for record in response.json()["records"]:
        assert_put(record)
    assert sorted(engine.taken()) == sorted(records)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/octet-stream"])
def test_a_single_record_may_come_as_any_of_three_types(engine: Engine, http: httpx.Client, content_type: str) -> None:
    assert http.post(SINGLE, content=b'{"a": 1}', headers={"content-type": content_type}).status_code == 200
    assert [data for data, _ in engine.taken()] == [b'{"a": 1}']


def test_records_without_a_key_have_one_all_the_same(engine: Engine, http: httpx.Client) -> None:
    http.post(SINGLE, content=b"x")
    put_batch(http, {"data": "y"}, {"data": "z"})
    keys = [key for _, key in engine.taken()]
    assert all(keys)
    assert keys[0] not in keys[1:]


def test_text_is_put_in_utf8(engine: Engine, http: httpx.Client) -> None:
    text = 'quote " backslash \\ newline \n é 😀 \u2028 $input #set'
    assert put_batch(http, {"data": text, "partitionKey": "k"}).status_code == 200
    assert engine.taken() == [(text.encode(), "k")]


@pytest.mark.parametrize(
    "key",
    [
        'k"},{"Data":"Zm9yZ2Vk","PartitionKey":"x',
        'k","StreamName":"victim"',
        "back\\slash",
        "'",
        "$input.body",
        "#set($x = 1)$x",
        "${context.requestId}",
        "%22",
    ],
)
def test_a_header_key_never_forges_or_redirects_a_record(engine: Engine, http: httpx.Client, key: str) -> None:
    assert http.post(SINGLE, content=b"x", headers={"x-partition-key": key}).status_code == 200
    assert engine.taken() == [(b"x", key)]


@pytest.mark.parametrize("key", ["", "k" * 257, 'a"b', "a\\b", "a\nb", "a\n", "\x00", 7, None])
def test_a_key_against_the_model_is_400_and_puts_nothing(engine: Engine, http: httpx.Client, key: object) -> None:
    assert_envelope(put_batch(http, {"data": "good"}, {"data": "x", "partitionKey": key}), 400)
    assert engine.taken() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"records":[{}]}', b'{"records":[{"dataBase64":"?"}]}', b'{"records":[{"data":1}]}']
)
def test_a_body_against_the_model_is_400(engine: Engine, http: httpx.Client, body: bytes) -> None:
    assert_envelope(http.post(BATCH, content=body, headers={"content-type": "application/json"}), 400)
    assert engine.taken() == []


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 200), (500, 200), (501, 400)])
def test_a_batch_is_1_to_500_records(engine: Engine, http: httpx.Client, count: int, status: int) -> None:
    response = put_batch(http, *[{"data": "x"}] * count)
    assert response.status_code == status
    assert len(engine.taken()) == (count if status == 200 else 0)


@pytest.mark.parametrize(("size", "status"), [(MIB - 1, 200), (MIB, 413)])
def test_a_record_is_at_most_1_mib_with_its_key(engine: Engine, http: httpx.Client, size: int, status: int) -> None:
    single = http.post(SINGLE, content=b"x" * size, headers={"x-partition-key": "k"})
    batch = put_batch(http, {"data": "x" * size, "partitionKey": "k"})
    assert (single.status_code, batch.status_code) == (status, status)
    assert len(engine.taken()) == (2 if status == 200 else 0)


def test_a_body_over_10_mib_is_413_whether_or_not_its_length_is_told(engine: Engine, http: httpx.Client) -> None:
    body = b" " * (10 * MIB + 1)
    assert_envelope(http.post(BATCH, content=body, headers={"content-type": "application/json"}), 413)
    pieces = (body[start : start + MIB] for start in range(0, len(body), MIB))
    assert_envelope(http.post(BATCH, content=pieces, headers={"content-type": "application/json"}), 413)
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/", "/streams/other/records", "/streams/orders", SINGLE + "/", "/streams/%6frders"])
def test_an_unknown_path_is_404(http: httpx.Client, path: str) -> None:
    assert_envelope(http.post(path, content=b"x"), 404)


@pytest.mark.parametrize(("method", "path"), [("GET", SINGLE), ("PUT", BATCH), ("DELETE", SINGLE), ("POST", "/health")])
def test_an_unknown_method_is_405(http: httpx.Client, method: str, path: str) -> None:
    assert_envelope(http.request(method, path), 405)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [(SINGLE, "application/x-www-form-urlencoded"), (SINGLE, "image/png"), (BATCH, "text/plain"), (BATCH, "")],
)
def test_another_content_type_is_415(engine: Engine, http: httpx.Client, path: str, content_type: str) -> None:
    response = http.post(path, content=b'{"records":[{"data":"x"}]}', headers={"content-type": content_type})
    assert_envelope(response, 415)
    assert engine.taken() == []


def test_a_partial_failure_is_207_by_index(engine: Engine, http: httpx.Client) -> None:
    engine.fail(None, FailureKind.THROTTLED, FailureKind.INTERNAL)
    response = put_batch(http, *({"data": letter} for letter in "abcd"))
    assert response.status_code == 207
    assert response.json()["failedCount"] == 2
    records = response.json()["records"]
    assert [record.get("errorCode") for record in records[1:3]] == [
        "ProvisionedThroughputExceededException",
        "InternalFailure",
    ]
    assert all(set(record) == {"errorCode", "errorMessage"} for record in records[1:3])
    for record in (records[0], records[3]):
        assert_put(record)
    assert sorted(data for data, _ in engine.taken()) == [b"a", b"d"]


def test_throttling_of_everything_is_429_with_retry_after(engine: Engine, http: httpx.Client) -> None:
    engine.fail(FailureKind.THROTTLED, FailureKind.THROTTLED)
    for response in (http.post(SINGLE, content=b"x"), put_batch(http, {"data": "a"}, {"data": "b"})):
        assert_envelope(response, 429)
        assert float(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("kind", [FailureKind.INTERNAL, FailureKind.OTHER])
def test_a_stream_that_fails_is_502(engine: Engine, http: httpx.Client, kind: FailureKind) -> None:
    engine.fail(kind, kind)
    assert_envelope(http.post(SINGLE, content=b"x"), 502)
    assert_envelope(put_batch(http, {"data": "a"}, {"data": "b"}), 502)


def test_health_answers(http: httpx.Client) -> None:
    response = http.get("/health")
    assert (response.status_code, json.loads(response.text)) == (200, {"status": "ok"})
