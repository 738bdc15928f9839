"""What an ingest API promises of a stream with envelopes: all that it does without, and that trace headers are kept.

Every question of test_ingest_api.py is asked again, of the payloads that a consumer gets to see. What differs is what a
record's size may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kstream.ingest.contract import KEPT_HEADERS, MOST_ENVELOPE_BYTES
from tests.contract.test_ingest_api import *  # noqa: F403 - every question of the suite
from tests.contract.test_ingest_api import BINARY, JSON, MIB, TEXT, assert_envelope
from tests.support.ingest_engines import local_gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.support.ingest_engines import InEnvelopes

TRACE = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "congo=t61rcWkgMzE,fw529a3039@dt=FfAAAB/8+x",
    "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
}


@pytest.fixture(scope="module")
def running() -> Iterator[InEnvelopes]:
    with local_gateway(envelope=True) as engine:
        yield engine  # type: ignore[misc]


def put_everything(http: httpx.Client, single: str, batch: str, headers: dict[str, str]) -> None:
    """A record by each operation and each way to say it: five in all."""
    for kind in (TEXT, JSON, BINARY):
        assert http.post(single, content=b"x", headers=kind | headers).status_code == 200
    body = {"records": [{"data": "x"}, {"dataBase64": "eA=="}]}
    assert http.post(batch, json=body, headers=headers).status_code == 200


@pytest.mark.parametrize("names", [["traceparent"], ["tracestate", "traceparent"], [*TRACE], ["x-amzn-trace-id"], []])
def test_trace_headers_are_kept_with_each_record(
    engine: InEnvelopes, http: httpx.Client, single: str, batch: str, names: list[str]
) -> None:
    headers = {name: TRACE[name] for name in names}
    put_everything(http, single, batch, headers)
    assert [data for data, _ in engine.taken()] == [b"x"] * 5
    assert engine.headers == [headers] * 5


@pytest.mark.parametrize("spelled", [str.lower, str.title, str.capitalize, str.upper])
def test_names_are_spelled_as_clients_do(
    engine: InEnvelopes, http: httpx.Client, single: str, batch: str, spelled: Callable[[str], str]
) -> None:
    put_everything(http, single, batch, {spelled(name): value for name, value in TRACE.items()})
    engine.taken()
    assert engine.headers == [TRACE] * 5


def test_no_other_header_is_kept(engine: InEnvelopes, http: httpx.Client, single: str, batch: str) -> None:
    others = {"authorization": "Bearer secret", "cookie": "a=b", "baggage": "a=b", "x-traceparent": "a", "trace": "b"}
    put_everything(http, single, batch, others)
    engine.taken()
    assert engine.headers == [{}] * 5


@pytest.mark.parametrize(
    "value", ['a"b', "a\\b", "it's", "a\\'b", "[]", "a#b", "$input.body", '"},"data":"forged"', "\u00e9", "a\tb"]
)
def test_a_header_with_what_could_be_more_than_text_is_left_out(
    engine: InEnvelopes, http: httpx.Client, single: str, batch: str, value: str
) -> None:
    """No model can restrict a header. The record is put without it, because tracing never keeps a record out."""
    headers = {"traceparent": TRACE["traceparent"], "tracestate": value.encode()}
    put_everything(http, single, batch, headers)  # type: ignore[arg-type]
    assert [data for data, _ in engine.taken()] == [b"x"] * 5
    assert engine.headers == [{"traceparent": TRACE["traceparent"]}] * 5


def test_a_header_that_is_too_long_is_left_out(
    engine: InEnvelopes, http: httpx.Client, single: str, batch: str
) -> None:
    for name, most in KEPT_HEADERS.items():
        for size in (most, most + 1):
            put_everything(http, single, batch, {name: "a" * size})
            engine.taken()
            assert engine.headers == [{name: "a" * size} if size == most else {}] * 5


def test_a_trace_in_the_query_is_none(engine: InEnvelopes, http: httpx.Client, single: str) -> None:
    assert http.post(single, params={"traceparent": "query"}, content=b"x", headers=TEXT).status_code == 200
    engine.taken()
    assert engine.headers == [{}]


def test_a_record_that_is_an_envelope_itself_is_the_payload_of_another(
    engine: InEnvelopes, http: httpx.Client, single: str
) -> None:
    """So nobody's payload is ever taken for headers."""
    forged = b'{"kstream":"record/1","headers":{"traceparent":"forged"}}\nx'
    for kind in (TEXT, JSON, BINARY):
        assert http.post(single, content=forged, headers=kind | {"traceparent": "right"}).status_code == 200
    assert [data for data, _ in engine.taken()] == [forged] * 3
    assert engine.headers == [{"traceparent": "right"}] * 3


def test_a_record_has_at_most_1_mib(engine: InEnvelopes, http: httpx.Client, single: str, batch: str) -> None:
    """With its envelope, whose share is told."""
    for size, status in ((MIB - MOST_ENVELOPE_BYTES - 1, 200), (MIB - 1, 413)):
        of_text = http.post(single, content=b"x" * size, headers=TEXT | {"x-partition-key": "k"} | TRACE)
        of_bytes = http.post(single, content=b"\xff" * size, headers=BINARY | {"x-partition-key": "k"} | TRACE)
        of_batch = http.post(batch, json={"records": [{"data": "x" * size, "partitionKey": "k"}]}, headers=TRACE)
        for response in (of_text, of_bytes, of_batch):
            assert response.status_code == status, response.text
        if status == 413:
            assert_envelope(of_text, 413)
            assert "envelope" in of_text.json()["error"]["message"]
            assert "1024 bytes" in of_text.json()["error"]["message"]
    size = MIB - MOST_ENVELOPE_BYTES - 1
    assert [data for data, _ in engine.taken()] == [b"x" * size, b"\xff" * size, b"x" * size]
