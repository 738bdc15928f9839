"""Thousands of hostile partition keys, in the body and in the header, on both engines that run the document; and trace
headers, which an envelope keeps.

Whatever a key is: the stream stays the same, no record is forged or dropped, and every answer is JSON. Each record's data
is its number, so that of everything in the stream it can be told which request put it there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from kstream.ingest.contract import KEPT_CHARACTERS, KEPT_HEADERS, PARTITION_KEY, batch_path, records_path
from tests.support.attacks import FORGED, VICTIM, header_keys, partition_keys, trace_headers
from tests.support.ingest_engines import InEnvelopes, local_gateway, localstack_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.ingest_engines import Engine

KEYS = 3_000
SOAK_KEYS = 30_000
HEADERS = 1_000


@pytest.fixture(scope="module", params=["local", "localstack"])
def running(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "local":
        with local_gateway() as engine:
            yield engine
    else:
        endpoint = request.getfixturevalue("localstack")
        session = request.getfixturevalue("localstack_session")
        # The stream that the keys are after is there: LocalStack would put into it, if it were asked to. Another worker
        # may have made it for its own half of the keys, so it is left to end with this LocalStack.
        kinesis = session.client("kinesis")
        with suppress(kinesis.exceptions.ResourceInUseException):
            kinesis.create_stream(StreamName=VICTIM, ShardCount=1)
        with localstack_gateway(session, endpoint) as engine:
            yield engine


@pytest.fixture(scope="module", params=["local", "localstack"])
def in_envelopes(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "local":
        with local_gateway(envelope=True) as engine:
            yield engine
    else:
        endpoint = request.getfixturevalue("localstack")
        with localstack_gateway(request.getfixturevalue("localstack_session"), endpoint, envelope=True) as engine:
            yield engine


@pytest.fixture
def count(soak: bool, running: Engine) -> int:
    return SOAK_KEYS if soak and running.header_encoding == "utf-8" else KEYS


@pytest.fixture
def http(running: Engine) -> Iterator[httpx.Client]:
    running.taken()
    with httpx.Client(base_url=running.url, trust_env=False, timeout=60) as client:
        yield client


def test_keys_in_the_body(running: Engine, http: httpx.Client, count: int) -> None:
    """What the model lets pass is put under just that key; all else is refused, with the whole batch it is in."""
    keys = list(enumerate(partition_keys(count)))
    path = batch_path(running.stream)
    good = [(number, key) for number, key in keys if PARTITION_KEY.fullmatch(key)]
    bad = [(number, key) for number, key in keys if not PARTITION_KEY.fullmatch(key)]
    assert min(len(good), len(bad)) > count // 10

    def put(batch: list[tuple[int, str]]) -> httpx.Response:
        # Escaped, because of U+FFFD.
        body = json.dumps({"records": [{"data": str(number), "partitionKey": key} for number, key in batch]})
        return http.post(path, content=body.encode(), headers={"content-type": "application/json"})

    batches = [good[start : start + 100] for start in range(0, len(good), 100)]
    with ThreadPoolExecutor(4) as pool:
        for response in pool.map(put, batches):
            assert response.status_code == 200, response.text
            assert response.json()["failedCount"] == 0
        for response in pool.map(put, ([each, (-1, "good")] for each in bad)):
            assert response.status_code == 400
            assert response.json()
    expected = Counter((str(number).encode(), _stored(running, key)) for number, key in good)
    assert Counter(running.taken()) == expected
    assert running.streams() <= {running.stream}


def test_keys_in_the_header(running: Engine, http: httpx.Client, count: int) -> None:
    """No model guards these; a key is put as it is, or the request is refused and puts nothing."""
    keys = list(enumerate(header_keys(count)))
    path = records_path(running.stream)

    def put(numbered: tuple[int, str]) -> int:
        number, key = numbered
        headers = {b"content-type": b"text/plain", b"x-partition-key": key.encode()}
        response = http.post(path, content=str(number).encode(), headers=headers)
        assert response.json()
        return response.status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = dict(zip((number for number, _ in keys), pool.map(put, keys), strict=True))
    expected = {
        (str(number).encode(), _stored(running, key.encode().decode(running.header_encoding)))
        for number, key in keys
        if statuses[number] == 200
    }
    assert Counter(running.taken()) == Counter(expected)
    assert running.streams() <= {running.stream}
    refused = [key for number, key in keys if statuses[number] != 200]
    # LocalStack reads a byte as a character, so that some are over 256; and see test_ingest_localstack.py for the rest.
    excused = [
        key for key in refused if running.header_encoding == "latin-1" and ("\\'" in key or len(key.encode()) > 256)
    ]
    assert refused == excused


def test_trace_headers(in_envelopes: Engine, soak: bool) -> None:
    """A header is kept as it is, or left out. Each record is put whatever it is, as the payload that it was."""
    path = records_path(in_envelopes.stream)
    values = list(enumerate(trace_headers(SOAK_KEYS if soak and in_envelopes.header_encoding == "utf-8" else HEADERS)))

    def put(numbered: tuple[int, str]) -> int:
        number, value = numbered
        name = (b"traceparent", b"Tracestate", b"X-Amzn-Trace-Id")[number % 3]
        headers = {b"content-type": b"text/plain", b"x-partition-key": b"k", name: value.encode()}
        return http.post(path, content=str(number).encode(), headers=headers).status_code

    with httpx.Client(base_url=in_envelopes.url, trust_env=False, timeout=60) as http, ThreadPoolExecutor(4) as pool:
        assert set(pool.map(put, values)) == {200}
    taken = in_envelopes.taken()
    assert Counter(taken) == Counter((str(number).encode(), "k") for number, _ in values)
    assert isinstance(in_envelopes, InEnvelopes)
    names = [*KEPT_HEADERS]
    for (data, _), headers in zip(taken, in_envelopes.headers, strict=True):
        number, value = values[int(data)]
        name = names[number % 3]
        fits = re.fullmatch(f"{KEPT_CHARACTERS}{{1,{KEPT_HEADERS[name]}}}", value)
        assert headers == ({name: value} if fits else {})
    assert in_envelopes.streams() <= {in_envelopes.stream}


def _stored(engine: Engine, key: str) -> str:
    """LocalStack makes ``{}`` of blanks: asserted in test_ingest_localstack.py."""
    return "{}" if engine.header_encoding == "latin-1" and not key.strip() else key


def test_the_keys_are_hostile() -> None:
    keys = partition_keys(KEYS)
    assert len(set(keys)) == KEYS
    assert len(set(header_keys(KEYS))) == KEYS
    for piece in ('"', "\\", "'", "\x00", "\n", "\u2028", "😀", "$input", "#end", FORGED, VICTIM):
        assert sum(piece in key for key in keys) > 30
