"""What every deployment of the ingest API promises, asked over HTTP. See ``kstream.ingest.contract``.

An engine is one such deployment: here the gateway of this machine, and LocalStack's in tests/integration, where all of
this is asked again (test_ingest_localstack.py) and what differs there is asserted as such.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.aws.stream_writer import FailureKind
from kstream.ingest.contract import PARTITION_KEY, batch_path, records_path
from tests.support.ingest_engines import local_gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.ingest_engines import Engine

MIB = 1 << 20
BINARY = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain"}


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    with local_gateway() as engine:
        yield engine


@pytest.fixture
def engine(running: Engine) -> Iterator[Engine]:
    running.taken()
    yield running
    running.fail()


@pytest.fixture
def http(engine: Engine) -> Iterator[httpx.Client]:
    """A client of the stream's operations: paths are ``records``, ``records/batch``."""
    with httpx.Client(base_url=engine.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def faulty(engine: Engine) -> Iterator[httpx.Client]:
    """The same, before a Kinesis that fails when ``engine.fail`` says so."""
    with httpx.Client(base_url=engine.faulty_url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def single(engine: Engine) -> str:
    return records_path(engine.stream)


@pytest.fixture
def batch(engine: Engine) -> str:
    return batch_path(engine.stream)


def assert_envelope(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message", "requestId"}
    assert all(isinstance(value, str) and value for value in response.json()["error"].values())


def assert_refused(engine: Engine, response: httpx.Response, status: int) -> None:
    """By the gateway itself: nothing was put."""
    if engine.own_words:
        assert (response.status_code, set(response.json())) == (status, {"message"})
    else:
        assert_envelope(response, status)
    assert engine.taken() == []


def assert_put(record: dict[str, Any]) -> None:
    assert set(record) == {"sequenceNumber", "shardId"}
    assert record["sequenceNumber"].isdecimal()


# A key of blanks has a question of its own: engines differ there.
KEYS = st.from_regex(PARTITION_KEY, fullmatch=True).filter(lambda key: key.strip() != "")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.binary(max_size=200))
def test_a_single_record_is_put_byte_for_byte(engine: Engine, http: httpx.Client, single: str, data: bytes) -> None:
    response = http.post(single, content=data, headers=BINARY | {"x-partition-key": "c-7"})
    assert response.status_code == 200
    assert_put(response.json())
    assert engine.taken() == [(data, "c-7")]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), min_size=1, max_size=200))
def test_text_is_put_byte_for_byte(engine: Engine, http: httpx.Client, single: str, data: str) -> None:
    for headers in (JSON, TEXT):
        assert http.post(single, content=data.encode(), headers=headers).status_code == 200
    assert [taken for taken, _ in engine.taken()] == [data.encode()] * 2


@pytest.mark.parametrize("data", [b"\xff", b"a\x80", "\ufffd".encode(), b"\xed\xa0\x80", b"\xc0\x80"])
@pytest.mark.parametrize("headers", [JSON, TEXT])
def test_text_that_is_not_utf8_is_400_instead_of_put_changed(
    engine: Engine, http: httpx.Client, single: str, headers: dict[str, str], data: bytes
) -> None:
    assert_envelope(http.post(single, content=data, headers=headers), 400)
    assert engine.taken() == []


def test_an_empty_body_of_text_comes_as_an_empty_object(engine: Engine, http: httpx.Client, single: str) -> None:
    """API Gateway hands an empty body to its templates as ``{}``. As bytes, or in a batch, nothing is nothing."""
    for headers in (JSON, TEXT, BINARY):
        assert http.post(single, content=b"", headers=headers).status_code == 200
    assert [data for data, _ in engine.taken()] == [b"{}", b"{}", b""]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(records=st.lists(st.tuples(st.binary(max_size=50), KEYS), min_size=1))
def test_a_batch_is_put_byte_for_byte(
    engine: Engine, http: httpx.Client, batch: str, records: list[tuple[bytes, str]]
) -> None:
    given = [{"dataBase64": b64encode(data).decode(), "partitionKey": key} for data, key in records]
    response = http.post(batch, json={"records": given})
    assert response.status_code == 200
    assert response.json()["failedCount"] == 0
    assert len(response.json()["records"]) == len(records)
    for record in response.json()["records"]:
        assert_put(record)
    assert engine.taken() == records


def test_a_single_record_without_a_content_type_is_json(engine: Engine, http: httpx.Client, single: str) -> None:
    request = http.build_request("POST", single, content=b'{"a": 1}')
    request.headers.pop("content-type", None)
    assert http.send(request).status_code == 200
    assert [data for data, _ in engine.taken()] == [b'{"a": 1}']


@pytest.mark.parametrize("parameter", ["; charset=utf-8", ";charset=UTF-8"])
def test_a_content_type_may_have_parameters(
    engine: Engine, http: httpx.Client, single: str, batch: str, parameter: str
) -> None:
    assert http.post(single, content=b"x", headers={"content-type": "text/plain" + parameter}).status_code == 200
    response = http.post(
        batch, content=b'{"records":[{"data":"x"}]}', headers={"content-type": "application/json" + parameter}
    )
    assert response.status_code == 200
    assert [data for data, _ in engine.taken()] == [b"x", b"x"]


def test_a_content_type_in_capitals_is_the_same_type(engine: Engine, http: httpx.Client, single: str) -> None:
    """RFC 9110, 8.3.1. And never are its bytes taken for base64: then ``eHh4`` would become ``xxx``."""
    response = http.post(single, content=b"eHh4", headers={"content-type": "Application/Octet-Stream"})
    assert response.status_code == 200
    assert [data for data, _ in engine.taken()] == [b"eHh4"]


def test_records_without_a_key_have_one_all_the_same(
    engine: Engine, http: httpx.Client, single: str, batch: str
) -> None:
    http.post(single, content=b"x", headers=TEXT)
    http.post(single, content=b"x", headers=TEXT | {"x-partition-key": ""})
    http.post(batch, json={"records": [{"data": "y"}, {"data": "z"}]})
    keys = [key for _, key in engine.taken()]
    assert all(keys)
    assert len(set(keys)) == 4


@pytest.mark.parametrize("spelled", [str.lower, str.title, str.capitalize, str.upper])
def test_headers_may_be_spelled_as_clients_do(
    engine: Engine, http: httpx.Client, single: str, spelled: Callable[[str], str]
) -> None:
    """Python's urllib, for one, sends ``X-partition-key`` and ``Content-type``."""
    for kind in (TEXT, JSON, BINARY):
        headers = {spelled(name): value for name, value in (kind | {"x-partition-key": "c-7"}).items()}
        assert http.post(single, content=b"x", headers=headers).status_code == 200
    assert engine.taken() == [(b"x", "c-7")] * 3


def test_a_key_in_the_query_is_no_key(engine: Engine, http: httpx.Client, single: str) -> None:
    http.post(single, params={"X-Partition-Key": "query"}, content=b"x", headers=TEXT)
    http.post(single, params={"X-Partition-Key": "query"}, content=b"x", headers=TEXT | {"x-partition-key": "header"})
    (_, first), (_, second) = engine.taken()
    assert (first != "query", second) == (True, "header")


@pytest.mark.parametrize("escaped", [True, False])
def test_text_in_a_batch_is_put_in_utf8(engine: Engine, http: httpx.Client, batch: str, escaped: bool) -> None:
    text = 'quote " backslash \\ newline \n nul \x00 \u00e9 \U0001f600 \u2028 $input #set ${x} ' + "'"
    body = json.dumps({"records": [{"data": text, "partitionKey": "k"}]}, ensure_ascii=escaped).encode()
    assert http.post(batch, content=body, headers=JSON).status_code == 200
    assert engine.taken() == [(text.encode(), "k")]


def test_a_replacement_character_can_be_put_in_a_batch_when_it_is_escaped(
    engine: Engine, http: httpx.Client, batch: str
) -> None:
    assert http.post(batch, content=b'{"records":[{"data":"\\ufffd"}]}', headers=JSON).status_code == 200
    assert [data for data, _ in engine.taken()] == ["\ufffd".encode()]
    assert_envelope(http.post(batch, content='{"records":[{"data":"\ufffd"}]}'.encode(), headers=JSON), 400)
    assert engine.taken() == []


@pytest.mark.parametrize(
    "key",
    [
        'k"},{"Data":"Zm9yZ2Vk","PartitionKey":"x',
        'k","StreamName":"victim',
        "back\\slash",
        "'",
        "it's 'quoted'",
        "a/b",
        "$input.body",
        "#set($x = 1)$x",
        "${context.requestId}",
        "%22",
        "\\u0022",
        "{}",
    ],
)
def test_a_header_key_never_forges_or_redirects_a_record(
    engine: Engine, http: httpx.Client, single: str, key: str
) -> None:
    assert http.post(single, content=b"x", headers=TEXT | {"x-partition-key": key}).status_code == 200
    assert engine.taken() == [(b"x", key)]
    assert engine.streams() <= {engine.stream}


def test_a_header_key_may_hold_a_backslash_before_an_apostrophe(
    engine: Engine, http: httpx.Client, single: str
) -> None:
    assert http.post(single, content=b"x", headers=TEXT | {"x-partition-key": "a\\'b"}).status_code == 200
    assert engine.taken() == [(b"x", "a\\'b")]


def test_a_blank_key_is_a_key(engine: Engine, http: httpx.Client, batch: str) -> None:
    keys = [" ", "\u00a0", "\u2028"]
    given = [{"data": "x", "partitionKey": key} for key in keys]
    assert http.post(batch, json={"records": given}).status_code == 200
    assert [key for _, key in engine.taken()] == keys


@pytest.mark.parametrize("key", ["k" * 256, "k" * 257])
def test_a_header_key_has_at_most_256_characters(engine: Engine, http: httpx.Client, single: str, key: str) -> None:
    response = http.post(single, content=b"x", headers=TEXT | {"x-partition-key": key})
    if len(key) > 256:
        assert_envelope(response, 400)
    assert len(engine.taken()) == (response.status_code == 200)


@pytest.mark.parametrize(
    "key",
    ["", "k" * 257, 'a"b', "a\\b", "a\nb", "a\n", "\x00", 7, None, 'k"},{"Data":"x"', "\ud800", ["k"], {"a": "b"}],
)
def test_a_key_against_the_model_is_400_and_puts_nothing(
    engine: Engine, http: httpx.Client, batch: str, key: object
) -> None:
    body = json.dumps({"records": [{"data": "good"}, {"data": "x", "partitionKey": key}]})
    assert_refused(engine, http.post(batch, content=body.encode(), headers=JSON), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"records":{}}',
        b'{"records":[{}]}',
        b'{"records":["x"]}',
        b'{"records":[{"partitionKey":"k"}]}',
        b'{"records":[{"dataBase64":"?"}]}',
        b'{"records":[{"dataBase64":"eA==\\n"}]}',
        b'{"records":[{"dataBase64":"=="}]}',
        b'{"records":[{"data":1}]}',
        b'{"records":[{"data":{"a":1}}]}',
        b'{"records":[{"data":"x","dataBase64":"eA=="}]}',
        b'{"records":[{"data":"x","partition_key":"k"}]}',
        b'{"records":[{"data":"x"}],"StreamName":"victim"}',
    ],
)
def test_a_body_against_the_model_is_400(engine: Engine, http: httpx.Client, batch: str, body: bytes) -> None:
    assert_refused(engine, http.post(batch, content=body, headers=JSON), 400)


@pytest.mark.parametrize("body", [b'{"records":[{"data":"\xff"}]}', b'{"records":[{"data":"\\ud83dx"}]}'])
def test_a_body_that_is_no_text_is_400(engine: Engine, http: httpx.Client, batch: str, body: bytes) -> None:
    """Not UTF-8, or half of a surrogate pair: neither has bytes that could be put."""
    assert_envelope(http.post(batch, content=body, headers=JSON), 400)
    assert engine.taken() == []


@pytest.mark.parametrize("data", ["eA=", "eA", "e==", "e"])
def test_what_is_no_base64_is_400(engine: Engine, http: httpx.Client, batch: str, data: str) -> None:
    assert_envelope(http.post(batch, json={"records": [{"data": "good"}, {"dataBase64": data}]}), 400)
    assert engine.taken() == []


def test_of_a_property_given_twice_no_reading_forges_a_record(engine: Engine, http: httpx.Client, batch: str) -> None:
    """Whoever validates might read the last, and the template the first: it escapes whatever it reads."""
    attack = json.dumps('k"},{"Data":"Zm9yZ2Vk","PartitionKey":"x')
    body = f'{{"records":[{{"data":"x","partitionKey":{attack},"partitionKey":"good"}}]}}'
    response = http.post(batch, content=body.encode(), headers=JSON)
    assert [data for data, _ in engine.taken()] == ([b"x"] if response.status_code == 200 else [])


@pytest.mark.parametrize(
    "body", [b'{"records":[{"data":"a"}],"records":[{"data":"b"}]}', b'{"records":[{"data":"a","data":"b"}]}']
)
def test_what_is_given_twice_is_400_instead_of_half_lost(
    engine: Engine, http: httpx.Client, batch: str, body: bytes
) -> None:
    assert_refused(engine, http.post(batch, content=body, headers=JSON), 400)


def test_which_record_of_a_batch_is_refused_is_told(engine: Engine, http: httpx.Client, batch: str) -> None:
    """Where Kinesis tells it. It counts from 1."""
    for bad, status in ({"dataBase64": "eA="}, 400), ({"data": "x" * (MIB + 1)}, 413):
        response = http.post(batch, json={"records": [{"data": "good"}, {"data": "good"}, bad]})
        assert_envelope(response, status)
        assert response.json()["error"]["message"].startswith("record 3 of the batch, counted from 1: ")
    assert engine.taken() == []


def test_an_answer_is_one_line(engine: Engine, faulty: httpx.Client, single: str, batch: str) -> None:
    """What the templates are made of is not in it."""
    engine.fail(None, FailureKind.THROTTLED)
    for response in (faulty.post(batch, json={"records": [{"data": "x"}] * 3}), faulty.post(single, content=b"x")):
        assert response.is_success
        assert response.content.count(b"\n") == 0
    engine.taken()


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 200), (500, 200), (501, 400), (1001, 400)])
def test_a_batch_is_1_to_500_records(engine: Engine, http: httpx.Client, batch: str, count: int, status: int) -> None:
    """The model does not count, because Amazon's would not: it is the template that does."""
    response = http.post(batch, json={"records": [{"data": "x"}] * count})
    assert response.status_code == status
    if status == 400:
        assert_envelope(response, 400)
    assert len(engine.taken()) == (count if status == 200 else 0)


def test_a_record_has_at_most_1_mib(engine: Engine, http: httpx.Client, single: str, batch: str) -> None:
    for size, status in ((MIB - 1, 200), (MIB + 1, 413)):
        of_text = http.post(single, content=b"x" * size, headers=TEXT | {"x-partition-key": "k"})
        of_bytes = http.post(single, content=b"\xff" * size, headers=BINARY | {"x-partition-key": "k"})
        of_batch = http.post(batch, json={"records": [{"data": "x" * size, "partitionKey": "k"}]})
        for response in (of_text, of_bytes, of_batch):
            assert response.status_code == status, response.text
        if status == 413:
            assert_envelope(of_text, 413)
    assert [data for data, _ in engine.taken()] == [b"x" * (MIB - 1), b"\xff" * (MIB - 1), b"x" * (MIB - 1)]


def test_a_record_is_counted_with_its_key(engine: Engine, http: httpx.Client, single: str) -> None:
    response = http.post(single, content=b"x" * MIB, headers=TEXT | {"x-partition-key": "k"})
    assert_envelope(response, 413)
    assert engine.taken() == []


def test_a_body_over_10_mib_is_413_whether_or_not_its_length_is_told(
    engine: Engine, http: httpx.Client, batch: str
) -> None:
    body = b" " * (10 * MIB + 1)
    assert_refused(engine, http.post(batch, content=body, headers=JSON), 413)
    pieces = (body[start : start + MIB] for start in range(0, len(body), MIB))
    assert_refused(engine, http.post(batch, content=pieces, headers=JSON), 413)
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/", "/streams/other/records", "/streams/orders", "/health/records"])
def test_an_unknown_path_is_404(engine: Engine, http: httpx.Client, path: str) -> None:
    assert_refused(engine, http.post(path, content=b"x"), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "records"), ("PUT", "batch"), ("DELETE", "records"), ("POST", "")]
)
def test_an_unknown_method_is_404(
    engine: Engine, http: httpx.Client, single: str, batch: str, method: str, path: str
) -> None:
    """API Gateway does not tell an unknown method from an unknown path."""
    url = {"records": single, "batch": batch, "": "/health"}[path]
    assert_refused(engine, http.request(method, url), 404)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "image/png", "application/xml", "json"])
def test_another_content_type_is_415(
    engine: Engine, http: httpx.Client, single: str, batch: str, content_type: str
) -> None:
    body = b'{"records":[{"data":"x"}]}'
    for path in (single, batch):
        assert_refused(engine, http.post(path, content=body, headers={"content-type": content_type}), 415)
    for headers in (TEXT, BINARY):
        assert_refused(engine, http.post(batch, content=body, headers=headers), 415)


@pytest.mark.parametrize("accept", ["application/octet-stream", "text/plain", "image/png", "*/*"])
def test_an_answer_is_json_whatever_the_client_accepts(http: httpx.Client, single: str, accept: str) -> None:
    """API Gateway would decode it from base64 for a client that accepts what is binary, were it not told otherwise."""
    response = http.post(single, content=b"x", headers=TEXT | {"accept": accept})
    assert response.headers["content-type"] == "application/json"
    assert_put(response.json())


def test_a_partial_failure_is_207_by_index(engine: Engine, faulty: httpx.Client, batch: str) -> None:
    engine.fail(None, FailureKind.THROTTLED, FailureKind.INTERNAL)
    response = faulty.post(batch, json={"records": [{"data": letter} for letter in "abcd"]})
    assert response.status_code == 207
    assert response.json()["failedCount"] == 2
    records = response.json()["records"]
    assert [record.get("errorCode") for record in records[1:3]] == [
        "ProvisionedThroughputExceededException",
        "InternalFailure",
    ]
    assert all(set(record) == {"errorCode", "errorMessage"} for record in records[1:3])
    assert "account" not in response.text  # Kinesis' own words name it
    for record in (records[0], records[3]):
        assert_put(record)
    assert [data for data, _ in engine.taken()] == [b"a", b"d"]


def test_throttling_of_everything_is_429_with_retry_after(
    engine: Engine, faulty: httpx.Client, single: str, batch: str
) -> None:
    engine.fail(FailureKind.THROTTLED, FailureKind.THROTTLED)
    body = {"records": [{"data": "a"}, {"data": "b"}]}
    for response in (faulty.post(single, content=b"x", headers=TEXT), faulty.post(batch, json=body)):
        assert_envelope(response, 429)
        assert float(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("kind", "status"), [(FailureKind.INTERNAL, 502), (FailureKind.OTHER, 502), (FailureKind.INVALID, 400)]
)
def test_a_stream_that_fails_is_502_and_one_that_refuses_400(
    engine: Engine, faulty: httpx.Client, single: str, batch: str, kind: FailureKind, status: int
) -> None:
    engine.fail(kind, kind)
    assert_envelope(faulty.post(single, content=b"x", headers=TEXT), status)
    assert_envelope(faulty.post(batch, json={"records": [{"data": "a"}, {"data": "b"}]}), status)


def test_failures_of_more_than_one_kind_are_502_if_nothing_was_put(
    engine: Engine, faulty: httpx.Client, batch: str
) -> None:
    engine.fail(FailureKind.THROTTLED, FailureKind.INTERNAL)
    assert_envelope(faulty.post(batch, json={"records": [{"data": "a"}, {"data": "b"}]}), 502)


def test_health_answers(http: httpx.Client) -> None:
    response = http.get("/health")
    assert (response.status_code, json.loads(response.text)) == (200, {"status": "ok"})
