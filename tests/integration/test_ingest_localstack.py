"""The contract of the ingest API, asked of LocalStack's API Gateway with the deployed document imported.

Everything that tests/contract/test_ingest_api.py asks is asked here again. What LocalStack 4.14.0 answers otherwise
stands below: each of these takes the place of the question of the same name, and asserts what is different. Beside them,
it ignores the gateway responses of an import, applies none of their templates (``own_words``), and ignores how an
import says that responses are converted: tests/support/ingest_engines.py sets these by other calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.test_ingest_api import *  # noqa: F403 - every question of the suite
from tests.contract.test_ingest_api import BINARY, JSON, MIB, TEXT, assert_envelope, assert_refused
from tests.support.ingest_engines import localstack_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from localstack_client.session import Session

    from tests.support.ingest_engines import Engine


@pytest.fixture(scope="module")
def running(localstack: str, localstack_session: Session) -> Iterator[Engine]:
    with localstack_gateway(localstack_session, localstack) as engine:
        yield engine


def test_a_content_type_may_have_parameters(engine: Engine, http: httpx.Client, single: str, batch: str) -> None:
    """It compares the whole header with the template's type."""
    for path, content_type in ((single, "text/plain; charset=utf-8"), (batch, "application/json; charset=utf-8")):
        body = b'{"records":[{"data":"x"}]}'
        assert_refused(engine, http.post(path, content=body, headers={"content-type": content_type}), 415)


def test_a_content_type_in_capitals_is_the_same_type(engine: Engine, http: httpx.Client, single: str) -> None:
    """It compares letters. API Gateway might find the template by it, and yet not see that the body is binary: so the
    template looks again, and refuses."""
    response = http.post(single, content=b"eHh4", headers={"content-type": "Application/Octet-Stream"})
    assert response.status_code in (400, 415)
    assert engine.taken() == []


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"records":[{"data":"a"}],"records":[{"data":"b"}]}', [b"b"]),
        (b'{"records":[{"data":"a","data":"b"}]}', [b"b"]),
    ],
)
def test_what_is_given_twice_is_400_instead_of_half_lost(
    engine: Engine, http: httpx.Client, batch: str, body: bytes, left: list[bytes]
) -> None:
    """It takes the last and says 200, as most readers of JSON do."""
    assert http.post(batch, content=body, headers=JSON).status_code == 200
    assert [data for data, _ in engine.taken()] == left


def test_which_record_of_a_batch_is_refused_is_told(engine: Engine, http: httpx.Client, batch: str) -> None:
    """Its Kinesis tells of neither: it fails on the one, and of several records fails the other alone."""
    for bad in {"dataBase64": "eA="}, {"data": "x" * (MIB + 1)}:
        assert_envelope(http.post(batch, json={"records": [bad]}), 502)
    assert engine.taken() == []


def test_another_content_type_is_415(engine: Engine, http: httpx.Client, single: str, batch: str) -> None:
    """It reads a form before anybody else can, and validates a body of any type against the model of JSON."""
    form, image = {"content-type": "application/x-www-form-urlencoded"}, {"content-type": "image/png"}
    body = b'{"records":[{"data":"x"}]}'
    assert_refused(engine, http.post(single, content=body, headers=form), 415)
    assert_refused(engine, http.post(batch, content=body, headers=form), 400)
    for headers in (image, TEXT, BINARY):
        assert_refused(engine, http.post(batch, content=body, headers=headers), 415)
        assert_refused(engine, http.post(batch, content=b"no JSON", headers=headers), 400)


def test_a_header_key_may_hold_a_backslash_before_an_apostrophe(
    engine: Engine, http: httpx.Client, single: str
) -> None:
    r"""Its ``escapeJavaScript`` leaves ``'`` as it is, so ``\\'`` loses a backslash to what is meant for Amazon's ``\'``.
    What is left is no JSON, whatever follows, and Kinesis takes none of it."""
    for key in ("a\\'b", '\\\'"},{"Data":"Zm9yZ2Vk","PartitionKey":"x', '\\\\\'","StreamName":"victim'):
        assert_envelope(http.post(single, content=b"x", headers=TEXT | {"x-partition-key": key}), 502)
    assert engine.taken() == []
    assert engine.streams() <= {engine.stream}


def test_a_blank_key_is_a_key(engine: Engine, http: httpx.Client, batch: str) -> None:
    """Its ``escapeJavaScript`` makes ``{}`` of text that is all blanks."""
    given = [{"data": "x", "partitionKey": key} for key in (" ", "\u00a0", "\u2028")]
    assert http.post(batch, json={"records": given}).status_code == 200
    assert [key for _, key in engine.taken()] == ["{}"] * 3


@pytest.mark.parametrize("body", [b'{"records":[{"data":"\xff"}]}', b'{"records":[{"data":"\\ud83dx"}]}'])
def test_a_body_that_is_no_text_is_400(engine: Engine, http: httpx.Client, batch: str, body: bytes) -> None:
    """It fails."""
    assert http.post(batch, content=body, headers=JSON).status_code == 500
    assert engine.taken() == []


@pytest.mark.parametrize("data", ["eA=", "eA", "e==", "e"])
def test_what_is_no_base64_is_400(engine: Engine, http: httpx.Client, batch: str, data: str) -> None:
    """Its Kinesis fails on it, with 500."""
    assert_envelope(http.post(batch, json={"records": [{"data": "good"}, {"dataBase64": data}]}), 502)
    assert engine.taken() == []


def test_a_record_has_at_most_1_mib(engine: Engine, http: httpx.Client, single: str, batch: str) -> None:
    """Its Kinesis refuses one record that is too large, but of several it fails the one."""
    size = MIB + 1
    assert_envelope(http.post(single, content=b"x" * size, headers=TEXT | {"x-partition-key": "k"}), 413)
    assert_envelope(http.post(single, content=b"\xff" * size, headers=BINARY | {"x-partition-key": "k"}), 413)
    response = http.post(batch, json={"records": [{"data": "x" * size, "partitionKey": "k"}]})
    assert_envelope(response, 502)
    assert engine.taken() == []
    assert http.post(single, content=b"\xff" * MIB, headers=BINARY).status_code == 200
    assert [data for data, _ in engine.taken()] == [b"\xff" * MIB]


def test_a_record_is_counted_with_its_key(engine: Engine, http: httpx.Client, single: str) -> None:
    """Without."""
    response = http.post(single, content=b"x" * MIB, headers=TEXT | {"x-partition-key": "k"})
    assert response.status_code == 200
    assert engine.taken() == [(b"x" * MIB, "k")]


def test_a_body_over_10_mib_is_413_whether_or_not_its_length_is_told(
    engine: Engine, http: httpx.Client, batch: str
) -> None:
    """It has no such limit."""
    response = http.post(batch, json={"records": [{"data": "x" * (MIB - 100)}] * 11})
    assert response.status_code == 200
    assert len(engine.taken()) == 11
