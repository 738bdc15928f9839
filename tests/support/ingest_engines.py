"""Deployments of the ingest API to ask the same questions of: the gateway of this machine, and LocalStack's.

Both run the one document. LocalStack's Kinesis never fails; so beside the API that puts into it stands a second one,
whose integrations call a Kinesis of ours over HTTP, which fails when told to. Nothing else of that document is changed.
"""

from __future__ import annotations

import copy
import json
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from kstream.core.envelope import open_envelope
from kstream.ingest.api import IngestApi, IngestStream, Unlocked
from kstream.ingest.contract import MOST_ENVELOPE_BYTES, Limits
from kstream.ingest.engine.authorization import everyone
from kstream.ingest.engine.integration import KinesisIntegration
from kstream.ingest.gateway import Gateway
from kstream.ingest.openapi import deployed
from kstream.ingest.server import GatewayServer
from tests.support.attacks import VICTIM
from tests.support.ingest import MemoryStreams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localstack_client.session import Session

    from kstream.aws.stream_writer import FailureKind
    from kstream.core.envelope import Envelope

STAGE = "test"


class Engine(Protocol):
    """A deployment with one stream, which its tests share.

    ``url``         the base of all paths. ``faulty_url``: the same, before a Kinesis that ``fail`` is about.
    ``stream``      the stream's name.
    ``own_words``   what the gateway refuses by itself it words as it likes, instead of in the envelope.
    ``header_encoding``  how it reads a header's bytes.
    """

    url: str
    faulty_url: str
    stream: str
    own_words: bool
    header_encoding: str

    def taken(self) -> Sequence[tuple[bytes, str]]:
        """Data and partition keys since the last call, in the stream's order; of both addresses."""
        ...

    def streams(self) -> set[str]:
        """All streams that were ever put to."""
        ...

    def fail(self, *faults: FailureKind | None) -> None:
        """The n-th record of each request to ``faulty_url`` fails like this; those beyond do not. ``fail()`` ends it."""
        ...


def document(stream: str, *, envelope: bool = False) -> dict[str, Any]:
    made = IngestStream(name=stream, locks=(Unlocked(),), region="us-east-1", envelope=envelope)
    return deployed(IngestApi(streams=(made,)))


def opened(data: bytes) -> Envelope:
    """What is in what must be an envelope."""
    found = open_envelope(data)
    assert found is not None, data
    return found


class InEnvelopes:
    """An engine whose stream has envelopes. ``taken`` tells payloads, as a consumer has them; ``headers`` are those of the
    records that were taken last. Everything in the stream is an envelope, or this fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.url = engine.url
        self.faulty_url = engine.faulty_url
        self.stream = engine.stream
        self.own_words = engine.own_words
        self.header_encoding = engine.header_encoding
        self.headers: list[dict[str, str]] = []

    def taken(self) -> list[tuple[bytes, str]]:
        records = []
        self.headers = []
        for data, key in self._engine.taken():
            found = opened(data)
            assert len(data) - len(found.payload) <= MOST_ENVELOPE_BYTES
            records.append((found.payload, key))
            self.headers.append(dict(found.headers))
        return records

    def streams(self) -> set[str]:
        return self._engine.streams()

    def fail(self, *faults: FailureKind | None) -> None:
        self._engine.fail(*faults)


class _Memory:
    """The part of an engine whose Kinesis is in this process."""

    def __init__(self, stream: str, memory: MemoryStreams) -> None:
        self.stream = stream
        self._memory = memory
        self._seen = 0

    def taken(self) -> list[tuple[bytes, str]]:
        records = self._memory.taken(self.stream)[self._seen :]
        self._seen += len(records)
        return [(entry.data, entry.partition_key) for entry in records]

    def streams(self) -> set[str]:
        return {stream for stream, _ in self._memory.calls}

    def fail(self, *faults: FailureKind | None) -> None:
        self._memory.fault = lambda call, index, entry: faults[index] if index < len(faults) else None


class LocalGateway(_Memory):
    """``GatewayServer`` over a stream in memory."""

    own_words = False
    header_encoding = "utf-8"

    def __init__(self, url: str, memory: MemoryStreams) -> None:
        super().__init__("orders", memory)
        self.url = self.faulty_url = url


@contextmanager
def local_gateway(*, envelope: bool = False) -> Iterator[Engine]:
    memory = MemoryStreams()
    with GatewayServer(Gateway(document("orders", envelope=envelope), memory, authorize=everyone)) as server:
        engine = LocalGateway(server.url, memory)
        yield InEnvelopes(engine) if envelope else engine


class LocalStackGateway:
    """LocalStack's API Gateway, with its Kinesis behind ``url``."""

    own_words = True
    header_encoding = "latin-1"

    def __init__(self, session: Session, endpoint: str, fake: _Memory, fake_url: str, *, envelope: bool) -> None:
        self.stream = f"orders-{uuid.uuid4().hex[:8]}"
        fake.stream = self.stream
        self._fake = fake
        self._kinesis: Any = session.client("kinesis")
        self._apigateway: Any = session.client("apigateway")
        self._apis: list[str] = []
        self._kinesis.create_stream(StreamName=self.stream, ShardCount=1)
        self._kinesis.get_waiter("stream_exists").wait(StreamName=self.stream, WaiterConfig={"Delay": 1})
        self._position: str = self._kinesis.get_shard_iterator(
            StreamName=self.stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        body = document(self.stream, envelope=envelope)
        self.url = self._imported(endpoint, body)
        self.faulty_url = self._imported(endpoint, _over_http(body, fake_url))

    def taken(self) -> list[tuple[bytes, str]]:
        records: list[tuple[bytes, str]] = self._fake.taken()
        while True:
            batch = self._kinesis.get_records(ShardIterator=self._position)
            self._position = batch["NextShardIterator"]
            if not batch["Records"]:
                return records
            records += [(record["Data"], record["PartitionKey"]) for record in batch["Records"]]

    def streams(self) -> set[str]:
        names = [name for name in self._kinesis.list_streams()["StreamNames"] if name in (self.stream, VICTIM)]
        return {name for name in names if self._holds_anything(name)} | self._fake.streams()

    def _holds_anything(self, stream: str) -> bool:
        iterator = self._kinesis.get_shard_iterator(
            StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return bool(self._kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"])

    def fail(self, *faults: FailureKind | None) -> None:
        self._fake.fail(*faults)

    def delete(self) -> None:
        for api in self._apis:
            self._apigateway.delete_rest_api(restApiId=api)
        self._kinesis.delete_stream(StreamName=self.stream)

    def _imported(self, endpoint: str, body: dict[str, Any]) -> str:
        api: str = self._apigateway.import_rest_api(body=json.dumps(body), failOnWarnings=True)["id"]
        self._apis.append(api)
        # An import takes all but these, and how responses are converted.
        for kind, response in body["x-amazon-apigateway-gateway-responses"].items():
            status = {"statusCode": str(response["statusCode"])} if "statusCode" in response else {}
            self._apigateway.put_gateway_response(
                restApiId=api,
                responseType=kind,
                responseParameters=response.get("responseParameters", {}),
                responseTemplates=response["responseTemplates"],
                **status,
            )
        for resource in self._apigateway.get_resources(restApiId=api)["items"]:
            for status in ("200", "400", "502") if "POST" in resource.get("resourceMethods", {}) else ():
                self._apigateway.update_integration_response(
                    restApiId=api,
                    resourceId=resource["id"],
                    httpMethod="POST",
                    statusCode=status,
                    patchOperations=[{"op": "replace", "path": "/contentHandling", "value": "CONVERT_TO_TEXT"}],
                )
        self._apigateway.create_deployment(restApiId=api, stageName=STAGE)
        return f"{endpoint}/_aws/execute-api/{api}/{STAGE}"


@contextmanager
def localstack_gateway(session: Session, endpoint: str, *, envelope: bool = False) -> Iterator[Engine]:
    memory = MemoryStreams()
    with _fake_kinesis(memory) as fake_url:
        engine = LocalStackGateway(session, endpoint, _Memory("", memory), fake_url, envelope=envelope)
        try:
            yield InEnvelopes(engine) if envelope else engine
        finally:
            engine.delete()


def _over_http(document: dict[str, Any], url: str) -> dict[str, Any]:
    document = copy.deepcopy(document)
    for path in document["paths"].values():
        for operation in path.values():
            integration = operation["x-amazon-apigateway-integration"]
            if integration["type"] == "aws":
                action = integration["uri"].rpartition("/")[2]
                integration |= {"type": "http", "uri": f"{url}/{action}"}
                del integration["credentials"]
    return document


@contextmanager
def _fake_kinesis(memory: MemoryStreams) -> Iterator[str]:
    kinesis = KinesisIntegration(memory, Limits())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            answer = kinesis.call(self.path.partition("?")[0].strip("/"), body)
            content = json.dumps(answer.document).encode()
            self.send_response(answer.status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
