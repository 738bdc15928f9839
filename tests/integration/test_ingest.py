"""The ingest API as it runs on one machine: client, server and Kinesis are all real."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kstream.aws.stream_writer import StreamWriter
from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest.api import IngestApi, IngestStream, LambdaFunction
from kstream.ingest.client import IngestClient
from kstream.ingest.enforcing.local_door import Residents
from kstream.ingest.errors import Unavailable
from kstream.ingest.gateway import locked_gateway, unlocked_gateway
from kstream.ingest.server import GatewayServer
from kstream.testing.clock import VirtualClock
from tests.support.door import Function, policy
from tests.support.ingest import MemoryStreams
from tests.support.ports import unused_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_kinesis import KinesisClient

    from kstream.aws.stream_writer import Entry, EntryResult
    from kstream.ingest.results import PutResult
    from kstream.local.emulator import Emulator


def in_stream(kinesis: KinesisClient, stream: str) -> list[tuple[bytes, str]]:
    records = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        at = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        while batch := kinesis.get_records(ShardIterator=at):
            records += [(record["Data"], record["PartitionKey"]) for record in batch["Records"]]
            if not batch["Records"]:
                break
            at = batch["NextShardIterator"]
    return records


def test_records_put_through_the_api_are_in_kinesis_byte_for_byte(
    emulator: Emulator, kinesis: KinesisClient, stream: str
) -> None:
    given = [(bytes([n % 256]) * (n % 400), f"key-{n % 7}-é") for n in range(2_000)]
    writer = StreamWriter(endpoint_url=emulator.endpoint_url)
    with (
        GatewayServer(unlocked_gateway([stream], writer.put_records)) as server,
        IngestClient(server.url, stream=stream, max_in_flight=3) as api,
    ):
        api.put_all(given[:1_500]).raise_for_failures()
        api.put_many(given[1_500:1_990]).raise_for_failures()
        for data, key in given[1_990:]:
            assert api.put(data, partition_key=key).shard_id.startswith("shardId-")
    assert sorted(in_stream(kinesis, stream)) == sorted(given)
    # On the emulator, which throttles nothing and keeps a request's order, each key's order is whole.
    for number in range(7):
        key = f"key-{number}-é"
        assert [data for data, k in in_stream(kinesis, stream) if k == key] == [data for data, k in given if k == key]


def test_4_mib_requests_and_1_mib_records_arrive(emulator: Emulator, kinesis: KinesisClient, stream: str) -> None:
    given = [(bytes([n]) * ((1 << 20) - 2), f"k{n}") for n in range(7)]
    writer = StreamWriter(endpoint_url=emulator.endpoint_url)
    with (
        GatewayServer(unlocked_gateway([stream], writer.put_records)) as server,
        IngestClient(server.url, stream=stream) as api,
    ):
        api.put_many(given).raise_for_failures()
    assert sorted(in_stream(kinesis, stream)) == sorted(given)


def test_a_stream_that_kinesis_does_not_have_is_told(emulator: Emulator, stream_name: str) -> None:
    writer = StreamWriter(endpoint_url=emulator.endpoint_url)
    with (
        GatewayServer(unlocked_gateway([stream_name], writer.put_records)) as server,
        IngestClient(server.url, stream=stream_name, retry=Retry(attempts=1)) as api,
        pytest.raises(Unavailable, match="ResourceNotFoundException"),
    ):
        api.put("x")


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    gateway = unlocked_gateway(["orders"], MemoryStreams())
    with (
        GatewayServer(gateway) as server,
        pytest.raises(ConfigurationError, match=rf"port {server.port} .*in use; .*another port"),
        GatewayServer(gateway, port=server.port),
    ):
        pass


def test_leaving_frees_the_port_and_ends_the_threads() -> None:
    before = set(threading.enumerate())
    port = unused_port()
    gateway = unlocked_gateway(["orders"], MemoryStreams())
    with GatewayServer(gateway, port=port) as server, IngestClient(server.url, stream="orders") as api:
        api.put("x")
    # What an earlier test left may have ended meanwhile.
    assert set(threading.enumerate()) <= before
    with GatewayServer(gateway, port=port) as again:
        assert again.port == port


def test_leaving_waits_for_what_is_being_put() -> None:
    entered, proceed = threading.Event(), threading.Event()
    streams = MemoryStreams()

    def slow(stream: str, entries: Sequence[Entry]) -> list[EntryResult]:
        entered.set()
        assert proceed.wait(60)
        return streams(stream, entries)

    outcome: list[PutResult] = []
    with GatewayServer(unlocked_gateway(["orders"], slow)) as server:

        def put() -> None:
            with IngestClient(server.url, stream="orders") as api:
                outcome.append(api.put("x"))

        putting = threading.Thread(target=put)
        putting.start()
        assert entered.wait(60)
        threading.Timer(0.05, proceed.set).start()
    putting.join(60)
    assert [result.sequence_number for result in outcome] == ["1"]
    assert len(streams.taken()) == 1


def test_whoever_is_connected_calls_whatever_headers_say() -> None:
    """An authorizer may go by addresses; behind no proxy, X-Forwarded-For is what the caller would like to be."""
    function = Function(lambda _: policy("Deny", "*"))
    lock = LambdaFunction(invocation_uri="f", kind="request", cache_seconds=0)
    api = IngestApi(streams=(IngestStream(name="orders", locks=(lock,)),))
    with GatewayServer(locked_gateway(api, MemoryStreams(), Residents(functions={"f": function}))) as server:
        headers = {"authorization": "t", "x-forwarded-for": "10.0.0.7", "forwarded": "for=10.0.0.7"}
        assert (
            httpx.post(f"{server.url}/streams/orders/records", headers=headers, trust_env=False, timeout=60).status_code
            == 403
        )
    [event] = function.events
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_an_upgrade_to_websockets_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed besides: the gateway speaks HTTP."""
    import uvicorn

    configs: list[uvicorn.Config] = []

    def keeping(*arguments: Any, **options: Any) -> uvicorn.Config:
        configs.append(config(*arguments, **options))
        return configs[-1]

    config = uvicorn.Config
    monkeypatch.setattr(uvicorn, "Config", keeping)
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }
    streams = MemoryStreams()
    with GatewayServer(unlocked_gateway(["orders"], streams)) as server:
        answer = httpx.post(
            f"{server.url}/streams/orders/records", headers=upgrade, content=b"x", trust_env=False, timeout=60
        )
    assert (answer.status_code, len(streams.taken())) == (200, 1)
    assert [config.ws for config in configs] == ["none"]


def test_a_gateway_that_comes_back_is_found_again() -> None:
    """The client's pauses are virtual: the gateway starts again while the client believes to sleep."""
    streams = MemoryStreams()
    port = unused_port()
    server = GatewayServer(unlocked_gateway(["orders"], streams), port=port)

    class Restarting(VirtualClock):
        def sleep(self, seconds: float) -> None:
            server.__enter__()

    with IngestClient(f"http://127.0.0.1:{port}", stream="orders", clock=Restarting()) as api:
        try:
            assert api.put_many(["a", "b"]).put == 2
        finally:
            server.__exit__(None, None, None)
    assert [entry.data for entry in streams.taken()] == [b"a", b"b"]
