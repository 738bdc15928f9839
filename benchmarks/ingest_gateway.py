"""The local gateway before a stream that keeps nothing, beside a bare handler that only parses the JSON, on one server.

The client is a socket in the same process that sends the same bytes again and again: it costs little, and both alike.
"""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import airspeed

from benchmarks.result import Bound, Result
from benchmarks.rounds import least_times
from kstream.aws.stream_writer import Written
from kstream.ingest.api import IngestStream, Unlocked
from kstream.ingest.contract import batch_path, records_path
from kstream.ingest.engine.velocity import Template
from kstream.ingest.engine.velocity.objects import Input, base64_encode, escape_javascript
from kstream.ingest.gateway import unlocked_gateway
from kstream.ingest.http import Response
from kstream.ingest.openapi import templates
from kstream.ingest.server import GatewayServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.aws.stream_writer import Entry
    from kstream.ingest.http import Head

STREAM = "orders"
RECORDS = 500
PUTS = 200
DATA = b'{"order": 4711, "customer": "c-%04d", "amount": 17.5, "note": "%s"}' % (7, b"x" * 140)
WRITTEN = Written("49650000000000000000000000000000000000000000000000000042", "shardId-000000000000")


def put_nowhere(stream: str, entries: Sequence[Entry]) -> list[Written]:  # noqa: ARG001 - the port's shape
    return [WRITTEN] * len(entries)


class Bare:
    """Parses the JSON, and says that all is well."""

    max_body_bytes = 10 * 1024 * 1024

    def refuse(self, head: Head) -> None:  # noqa: ARG002 - refuses nothing
        return None

    def too_large(self, head: Head) -> Response:  # noqa: ARG002 - never asked
        return Response(413, b"{}", {})

    def handle(self, head: Head, body: bytes) -> Response:  # noqa: ARG002 - any request will do
        json.loads(body)
        return Response(200, b'{"status":"ok"}', {})


class Client:
    """One connection, one request, sent again and again."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-partition-key: c-7\r\n"
        self._request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._socket.close()

    def put(self, times: int) -> None:
        for _ in range(times):
            self._socket.sendall(self._request)
            if b" 200 " not in self._answer.readline():
                raise RuntimeError("the put failed")
            length = 0
            while (line := self._answer.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self._answer.read(length)


def run(*, quick: bool = False) -> Result:
    records = [{"dataBase64": b64encode(DATA).decode(), "partitionKey": f"c-{n}"} for n in range(RECORDS)]
    batch = json.dumps({"records": records}).encode()
    rounds = 7 if quick else 25
    with ExitStack() as stack:
        gateway = stack.enter_context(GatewayServer(unlocked_gateway([STREAM], put_nowhere), workers=1))
        bare = stack.enter_context(GatewayServer(Bare(), workers=1))
        clients = {
            (server, path): stack.enter_context(Client(server.port, path, body))
            for server in (bare, gateway)
            for path, body in ((records_path(STREAM), DATA), (batch_path(STREAM), batch))
        }
        singles = least_times(
            {
                name: lambda server=server: clients[server, records_path(STREAM)].put(PUTS)  # type: ignore[misc]
                for name, server in (("bare handler", bare), ("gateway", gateway))
            },
            rounds,
        )
        batches = least_times(
            {
                name: lambda server=server: clients[server, batch_path(STREAM)].put(1)  # type: ignore[misc]
                for name, server in (("bare handler", bare), ("gateway", gateway))
            },
            rounds,
        )
    rendering = least_times(_rendering(batch), 3 if quick else 10)
    rows = [
        *((f"single puts, {name}", f"{seconds / PUTS * 1e6:.0f} us a request") for name, seconds in singles.items()),
        *(
            (f"batches of 500, {name}", f"{seconds / RECORDS * 1e6:.2f} us a record")
            for name, seconds in batches.items()
        ),
        *((name, f"{seconds / RECORDS * 1e6:.2f} us a record") for name, seconds in rendering.items()),
    ]
    more = (batches["gateway"] - batches["bare handler"]) / RECORDS * 1e6
    return Result(
        "The local gateway, beside a bare handler that parses the JSON",
        ("what", "time"),
        rows,
        [
            Bound(
                "single puts a second, of a bare handler's", singles["bare handler"] / singles["gateway"], at_least=0.3
            ),
            Bound("gateway time a record in batches of 500, us more than a bare handler", more, at_most=20.0),
        ],
    )


class _Util:
    """``$util`` as airspeed calls it."""

    escapeJavaScript = staticmethod(escape_javascript)  # noqa: N815 - Amazon's name
    base64Encode = staticmethod(base64_encode)  # noqa: N815 - Amazon's name


def _rendering(batch: bytes) -> dict[str, object]:
    stream = IngestStream(name=STREAM, locks=(Unlocked(),))
    document = json.loads(batch)
    answer = {
        "FailedRecordCount": 0,
        "Records": [{"SequenceNumber": WRITTEN.sequence_number, "ShardId": WRITTEN.shard_id}] * RECORDS,
    }

    def variables(document: object) -> dict[str, object]:
        context = {"requestId": "r-1", "responseOverride": {"status": None, "header": {}}}
        return {"input": Input("{}", {}, document), "context": context, "util": _Util()}

    contenders: dict[str, object] = {}
    for name, text, given in (
        ("request", templates.put_batch(stream), document),
        ("response", templates.answer_batch(stream), answer),
    ):
        ours, theirs = Template(text), airspeed.Template(text)
        contenders[f"{name} template, compiled"] = lambda ours=ours, given=given: ours.render(variables(given))
        contenders[f"{name} template, by airspeed"] = lambda theirs=theirs, given=given: theirs.merge(variables(given))
    return contenders
