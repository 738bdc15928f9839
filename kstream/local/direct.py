"""Straight into a stream with all that ``IngestClient`` does, retries included: its API served without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from kstream.aws.clients import client
from kstream.aws.stream_writer import StreamWriter
from kstream.ingest.client import IngestClient
from kstream.ingest.gateway import unlocked_gateway
from kstream.ingest.http import Head

if TYPE_CHECKING:
    from kstream.ingest.http import Application

_NOWHERE = "http://in-process.invalid"


def direct_client(
    stream: str, *, endpoint_url: str | None, region: str | None, max_batch_records: int, max_in_flight: int
) -> IngestClient:
    """An ``IngestClient`` that puts into Kinesis from this process. Raises ``ConfigurationError`` as ``client`` does."""
    kinesis = client("kinesis", endpoint_url=endpoint_url, region=region)
    transport = _GatewayTransport(unlocked_gateway([stream], StreamWriter(client=kinesis).put_records))
    return IngestClient(
        _NOWHERE,
        stream=stream,
        transport=transport,
        max_batch_records=max_batch_records,
        max_in_flight=max_in_flight,
    )


class _GatewayTransport(httpx.BaseTransport):
    """Hands requests to the gateway in this process. Thread-safe, as the gateway is."""

    def __init__(self, gateway: Application) -> None:
        self._gateway = gateway

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._gateway.handle(Head(request.method, request.url.path, headers, str(uuid4())), request.read())
        return httpx.Response(
            answer.status, headers={"content-type": answer.content_type, **answer.headers}, content=answer.body
        )
