"""A stream with envelopes, asked of LocalStack's API Gateway: the questions of tests/contract/test_ingest_envelope.py.

What LocalStack answers otherwise without envelopes (test_ingest_localstack.py) it does with them too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kstream.ingest.contract import MOST_ENVELOPE_BYTES
from tests.contract.test_ingest_api import BINARY, MIB, TEXT, assert_envelope
from tests.contract.test_ingest_envelope import *  # noqa: F403 - every question of the suite
from tests.contract.test_ingest_envelope import TRACE
from tests.integration.test_ingest_localstack import *  # noqa: F403 - and what it answers otherwise, in their place
from tests.support.ingest_engines import localstack_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from localstack_client.session import Session

    from tests.support.ingest_engines import InEnvelopes


@pytest.fixture(scope="module")
def running(localstack: str, localstack_session: Session) -> Iterator[InEnvelopes]:
    with localstack_gateway(localstack_session, localstack, envelope=True) as engine:
        yield engine  # type: ignore[misc]


def test_a_record_has_at_most_1_mib(engine: InEnvelopes, http: httpx.Client, single: str, batch: str) -> None:
    """Its Kinesis counts without the key, and refuses one record that is too large, but of several it fails the one."""
    size = MIB - 100
    assert_envelope(http.post(single, content=b"x" * size, headers=TEXT | TRACE), 413)
    assert_envelope(http.post(single, content=b"\xff" * size, headers=BINARY | TRACE), 413)
    assert_envelope(http.post(batch, json={"records": [{"data": "x" * size}]}, headers=TRACE), 502)
    assert engine.taken() == []
    size = MIB - MOST_ENVELOPE_BYTES
    assert http.post(single, content=b"\xff" * size, headers=BINARY | TRACE).status_code == 200
    assert [data for data, _ in engine.taken()] == [b"\xff" * size]


def test_a_record_is_counted_with_its_key(engine: InEnvelopes, http: httpx.Client, single: str) -> None:
    """Without; but with its envelope."""
    response = http.post(single, content=b"x" * (MIB - 36), headers=TEXT | {"x-partition-key": "k" * 100})
    assert response.status_code == 200
    assert_envelope(http.post(single, content=b"x" * (MIB - 35), headers=TEXT | {"x-partition-key": "k"}), 413)
    assert [len(data) for data, _ in engine.taken()] == [MIB - 36]
