"""``AsyncIngestClient`` against the same contract as ``IngestClient``, whose decisions it shares."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest import AsyncIngestClient
from kstream.ingest.errors import BadRequest, ClientClosed, NotFound, PartialFailure, TooLarge, Unavailable
from kstream.ingest.records import IngestRecord
from kstream.ingest.results import PutFailure, PutResult
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from kstream.ingest.results import Progress


class Api:
    """The ingest API's answers. ``fault(request, index, key)``: an error code for a record, or None. ``status(request)``:
    one for the whole request."""

    def __init__(
        self,
        fault: Callable[[int, int, str | None], str | None] = lambda *_: None,
        status: Callable[[int], int] = lambda _: 200,
    ) -> None:
        self.fault = fault
        self.status = status
        self.batches: list[list[dict[str, str]]] = []
        self.taken: list[dict[str, str]] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        number = len(self.batches)
        single = not request.url.path.endswith("/batch")
        batch = [{"single": request.content.decode()}] if single else json.loads(request.content)["records"]
        self.batches.append(batch)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        status = self.status(number)
        if status == 0:
            raise httpx.ConnectError("gone")
        if status != 200:
            envelope = {"error": {"code": "Failed", "message": "no", "requestId": "r"}}
            return httpx.Response(status, json=envelope, headers={"retry-after": "2"})
        results: list[dict[str, str]] = []
        for index, record in enumerate(batch):
            error = self.fault(number, index, record.get("partitionKey"))
            if error is None:
                self.taken.append(record)
                results.append({"sequenceNumber": str(len(self.taken)), "shardId": "shardId-0"})
            else:
                results.append({"errorCode": error, "errorMessage": "no"})
        if single:
            return httpx.Response(200, json=results[0])
        failed = sum("errorCode" in result for result in results)
        return httpx.Response(207 if failed else 200, json={"failedCount": failed, "records": results})


THROTTLED = "ProvisionedThroughputExceededException"


def run(api: Api, use: Callable[[AsyncIngestClient], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    async def main() -> Any:
        clock = options.pop("clock", VirtualClock())
        merged: dict[str, Any] = {"stream": "orders", "retry": Retry(attempts=4, base=0.1)} | options
        transport = httpx.MockTransport(api)
        async with AsyncIngestClient("http://api.test", transport=transport, clock=clock, **merged) as client:
            return await use(client)

    return asyncio.run(main())


async def numbers(count: int) -> AsyncIterator[tuple[bytes, str]]:
    for n in range(count):
        if n % 7 == 0:
            await asyncio.sleep(0)
        yield b"%d" % n, f"k{n % 5}"


def test_put_one() -> None:
    assert run(Api(), lambda client: client.put("x", partition_key="k")) == PutResult("1", "shardId-0")
    assert run(Api(), lambda client: client.put(("x", " edges "))) == PutResult("1", "shardId-0")
    clock = VirtualClock()
    api = Api(status=lambda number: 429 if number < 2 else 200)
    assert run(api, lambda client: client.put("x"), clock=clock).sequence_number == "1"
    assert clock.monotonic() >= 4  # Retry-After: 2, twice
    for record, error in (("x" * (1 << 20) + "x", TooLarge), (("x", '"'), BadRequest)):
        with pytest.raises(error):
            run(Api(), lambda client, record=record: client.put(record))
    with pytest.raises(TypeError):
        run(Api(), lambda client: client.put(("x", "k"), partition_key="k"))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_put_many_tells_of_each_record_in_order(asynchronous: bool) -> None:
    def records() -> Any:
        return numbers(1_200) if asynchronous else [(b"%d" % n, f"k{n % 5}") for n in range(1_200)]

    api = Api()
    result = run(api, lambda client: client.put_many(records()))
    assert [len(batch) for batch in api.batches] == [500, 500, 200]
    assert (result.put, result.failures) == (1_200, ())
    assert [outcome.sequence_number for outcome in result.outcomes] == [str(n + 1) for n in range(1_200)]


def test_only_failed_records_are_sent_again() -> None:
    api = Api(fault=lambda number, index, _: THROTTLED if number == 0 and index % 2 else None)
    result = run(api, lambda client: client.put_many(numbers(10)))
    assert [len(batch) for batch in api.batches] == [10, 5]
    assert (result.put, result.retried) == (10, 5)


def test_put_all_keeps_keys_in_order_over_several_lanes_and_reports() -> None:
    api = Api(fault=lambda number, index, _: THROTTLED if number % 3 == 0 and index % 4 == 3 else None)
    reports: list[Progress] = []
    options = {"max_in_flight": 3, "max_batch_records": 20, "strict_order": True, "retry": Retry(attempts=9, base=0.1)}
    result = run(api, lambda client: client.put_all(numbers(500), progress=reports.append), **options)
    assert (result.read, result.put, result.failures) == (500, 500, ())
    assert 1 < api.most_in_flight <= 3
    assert reports[-1].put == 500
    for key in range(5):
        import base64

        data = [
            int(base64.b64decode(record["dataBase64"])) for record in api.taken if record["partitionKey"] == f"k{key}"
        ]
        assert data == sorted(data)
        assert len(data) == 100


def test_an_error_for_all_is_raised_at_once_with_its_result() -> None:
    with pytest.raises(NotFound) as caught:
        run(Api(status=lambda _: 404), lambda client: client.put_many(numbers(600)))
    assert caught.value.result is not None
    assert caught.value.result.put == 0
    assert all(isinstance(failure, PutFailure) for failure in caught.value.result.failures)


def test_put_all_gives_up_after_too_many_failures_and_loses_no_account() -> None:
    with pytest.raises(PartialFailure) as caught:
        run(
            Api(fault=lambda *_: "InternalFailure"),
            lambda client: client.put_all(numbers(5_000), max_failures=600),
            retry=Retry(attempts=1),
        )
    result: Any = caught.value.result
    assert result.read == len(result.failures) > 600
    assert result.read < 5_000


def test_no_answer_is_tried_again() -> None:
    api = Api(status=lambda number: 0 if number == 0 else 200)
    assert run(api, lambda client: client.put_many(numbers(3))).put == 3
    with pytest.raises(Unavailable, match="does the ingest API run there"):
        run(Api(status=lambda _: 0), lambda client: client.put("x"))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_records_that_raise_pass_their_error_on_with_a_note(asynchronous: bool) -> None:
    def broken() -> Any:
        yield from ((b"%d" % n, "k") for n in range(700))
        raise OSError("disk")

    async def broken_later() -> AsyncIterator[Any]:
        for record in broken():
            yield record

    with pytest.raises(OSError, match="disk") as caught:
        run(Api(), lambda client: client.put_all(broken_later() if asynchronous else broken()))
    assert caught.value.__notes__ == ["500 records had been put into orders before this"]


def test_records_that_cannot_be_put_are_failures_and_the_others_go_on() -> None:
    result = run(Api(), lambda client: client.put_many(["a", ("b", '"'), "c"]))
    assert [type(outcome) for outcome in result.outcomes] == [PutResult, PutFailure, PutResult]


def test_cancelling_ends_the_requests_under_way() -> None:
    arrived = asyncio.Event()

    class Hanging(Api):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            self.in_flight += 1
            arrived.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.in_flight -= 1
            raise AssertionError

    api = Hanging()

    async def use(client: AsyncIngestClient) -> None:
        putting = asyncio.create_task(client.put_all(numbers(2_000)))
        await arrived.wait()
        assert api.in_flight == 1
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert api.in_flight == 0

    run(api, use)


def test_many_coroutines_share_a_client() -> None:
    async def use(client: AsyncIngestClient) -> list[PutResult]:
        return await asyncio.gather(*(client.put(f"{n}") for n in range(50)))

    assert len({result.sequence_number for result in run(Api(), use)}) == 50


@pytest.mark.parametrize("put", ["put", "put_many", "put_all"])
def test_a_closed_client_says_so_and_sends_nothing(put: str) -> None:
    api = Api()

    async def use(client: AsyncIngestClient) -> None:
        await client.aclose()
        with pytest.raises(ClientClosed, match="the client is closed"):
            await getattr(client, put)("x" if put == "put" else ["x", "y"])

    run(api, use)
    assert not api.batches


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("127.0.0.1:8080", {}),
        ("http://", {}),
        ("http://h", {"stream": "a b"}),
        ("http://h", {"max_in_flight": 0}),
        ("http://h", {"timeout": -1}),
    ],
)
def test_what_cannot_work_is_refused_at_once(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AsyncIngestClient(url, **({"stream": "orders"} | options))


@pytest.mark.parametrize("put", ["put_many", "put_all"])
@pytest.mark.parametrize("one", ["abc", b"abc", {"a": 1}, IngestRecord("abc", "k")], ids=repr)
def test_one_record_is_not_taken_for_many(put: str, one: Any) -> None:
    async def run() -> None:
        async with AsyncIngestClient("http://api.test", stream="orders") as client:
            await getattr(client, put)(one)

    with pytest.raises(TypeError, match=r"one record, .*: put it with put"):
        asyncio.run(run())


def test_another_event_loop_is_told_and_no_riddle() -> None:
    """Connections that the first has kept would fail there, with "Event loop is closed"."""
    api = Api()
    client = AsyncIngestClient("http://api.test", stream="orders", transport=httpx.MockTransport(api))
    asyncio.run(client.put("x"))
    for put in (client.put("y"), client.put_many(["y"])):
        with pytest.raises(ConfigurationError, match=r"for one event loop.*in each asyncio\.run"):
            asyncio.run(put)
    assert len(api.batches) == 1
