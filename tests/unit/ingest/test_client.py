"""``IngestClient`` against the real gateway over a stream in memory, on a clock that stands still."""

from __future__ import annotations

from collections import Counter
from random import Random
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.aws.stream_writer import FailureKind
from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest.async_client import AsyncIngestClient
from kstream.ingest.auth import ApiKey, BearerToken
from kstream.ingest.client import IngestClient
from kstream.ingest.errors import (
    BadAnswer,
    BadRequest,
    ClientClosed,
    NotAuthorized,
    NotFound,
    PartialFailure,
    QuotaExceeded,
    Throttled,
    TooLarge,
    Unavailable,
)
from kstream.ingest.gateway import unlocked_gateway
from kstream.ingest.records import IngestRecord
from kstream.ingest.results import Progress, PutFailure, PutResult
from kstream.testing.clock import VirtualClock
from tests.support.ingest import InProcess, MemoryStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kstream.aws.stream_writer import Entry
    from kstream.ingest.records import Puttable


class Bench:
    """A client, the gateway behind it, and the stream behind that."""

    def __init__(
        self,
        fault: Callable[[int, int, Entry], FailureKind | None] = lambda *_: None,
        before: Callable[[int], None] = lambda _: None,
        after: Callable[[int], None] = lambda _: None,
        **options: Any,
    ) -> None:
        self.streams = MemoryStreams(fault)
        self.transport = InProcess(unlocked_gateway(["orders"], self.streams), before, after)
        self.clock = VirtualClock()
        merged: dict[str, Any] = {"stream": "orders", "retry": Retry(attempts=5, base=0.1, cap=5.0)} | options
        self.client = IngestClient("http://api.test/", transport=self.transport, clock=self.clock, **merged)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def sizes(self) -> list[int]:
        return [len(entries) for _, entries in self.streams.calls]


def throttled_calls(*calls: int) -> Callable[[int, int, Entry], FailureKind | None]:
    return lambda call, index, entry: FailureKind.THROTTLED if call in calls else None


def once(number: int, error: Exception) -> Callable[[int], None]:
    def act(request: int) -> None:
        if request == number:
            raise error

    return act


# --- put


@pytest.mark.parametrize(
    "key", [None, "c-7", "with space inside", " edges ", "é😀\u2028", "'", "%41", "$input.body", "k" * 256]
)
def test_put_keeps_data_and_key_as_they_are(key: str | None) -> None:
    with Bench() as bench:
        result = bench.client.put(b"\x00\xff", partition_key=key)
        assert result == PutResult("1", "shardId-000000000000")
        (entry,) = bench.streams.taken()
        assert entry.data == b"\x00\xff"
        assert key is None or entry.partition_key == key


def test_put_retries_and_then_raises_what_it_last_saw() -> None:
    with Bench(throttled_calls(0, 1)) as bench:
        assert bench.client.put("x").sequence_number == "1"
        assert bench.clock.monotonic() >= 2  # Retry-After: 1, twice
    with Bench(throttled_calls(*range(5))) as bench, pytest.raises(Throttled) as caught:
        bench.client.put("x")
    assert (caught.value.status, caught.value.code) == (429, "Throttled")
    assert len(bench.streams.calls) == 5


def test_put_refuses_what_cannot_succeed_without_sending_it() -> None:
    with Bench() as bench:
        with pytest.raises(BadRequest):
            bench.client.put("x", partition_key='a"b')
        with pytest.raises(TooLarge):
            bench.client.put(b"x" * (1 << 20) + b"x")
        with pytest.raises(TypeError):
            bench.client.put(("x", "k"), partition_key="k")
        assert not bench.transport.requests


# --- put_many


def test_put_many_tells_of_each_record_in_order() -> None:
    records: list[Puttable] = [(b"%d" % n, f"k{n}") for n in range(1_200)]
    with Bench() as bench:
        result = bench.client.put_many(records)
    assert bench.sizes() == [500, 500, 200]
    assert [outcome.sequence_number for outcome in result.outcomes if isinstance(outcome, PutResult)] == [
        str(n + 1) for n in range(1_200)
    ]
    assert (result.put, result.failures, result.retried) == (1_200, (), 0)
    result.raise_for_failures()


def test_only_failed_indexes_are_put_again() -> None:
    def fault(call: int, index: int, entry: Entry) -> FailureKind | None:
        return FailureKind.THROTTLED if call == 0 and index in (1, 3) else None

    with Bench(fault) as bench:
        result = bench.client.put_many([b"0", b"1", b"2", b"3"])
    assert [[entry.data for entry in entries] for _, entries in bench.streams.calls] == [
        [b"0", b"1", b"2", b"3"],
        [b"1", b"3"],
    ]
    assert (result.put, result.retried) == (4, 2)


def test_a_failure_is_a_value_until_asked_for() -> None:
    with Bench(lambda call, index, entry: FailureKind.INTERNAL if entry.data == b"bad" else None) as bench:
        result = bench.client.put_many(["good", ("bad", "k"), "fine", ("\ud800", "k")])
    first, second = result.failures
    assert (first.index, first.record, first.attempts) == (1, ("bad", "k"), 5)
    assert isinstance(first.error, Unavailable)
    assert (second.index, second.attempts) == (3, 0)  # refused before it was sent
    assert isinstance(second.error, BadRequest)
    with pytest.raises(PartialFailure, match=r"2 of 4 records were not put \(1 Unavailable, 1 BadRequest\)") as caught:
        result.raise_for_failures()
    assert caught.value.result is result


def test_what_would_befall_every_record_is_raised_with_the_result_so_far() -> None:
    with Bench(stream="unknown") as bench, pytest.raises(NotFound) as caught:
        bench.client.put_many(["a", "b"])
    assert caught.value.result is not None
    assert [failure.index for failure in caught.value.result.failures] == [0, 1]
    assert len(bench.transport.requests) == 1


def test_a_lost_answer_is_tried_again_and_may_double_records() -> None:
    """At least once: the documented price of an answer that never came."""
    with Bench(after=once(0, httpx.ReadTimeout("late"))) as bench:
        result = bench.client.put_many(["a"])
    assert result.put == 1
    assert [entry.data for entry in bench.streams.taken()] == [b"a", b"a"]


def test_no_connection_is_tried_again_and_told_with_its_address() -> None:
    def refuse(_: int) -> None:
        raise httpx.ConnectError("refused")

    with Bench(before=refuse) as bench:
        (failure,) = bench.client.put_many(["a"]).failures
    assert len(bench.transport.requests) == 5
    assert isinstance(failure.error, Unavailable)
    assert "http://api.test" in str(failure.error)


def test_big_records_make_small_requests() -> None:
    with Bench() as bench:
        result = bench.client.put_many([b"x" * 1_000_000] * 7)
    assert result.put == 7
    assert bench.sizes() == [3, 3, 1]  # in base64, within 4 MiB
    assert all(len(request.content) <= 4 * 1024 * 1024 + 100 for request in bench.transport.requests)


def test_no_records_make_no_request() -> None:
    with Bench() as bench:
        assert bench.client.put_many([]).outcomes == ()
        assert bench.client.put_all([]).read == 0
        assert not bench.transport.requests


# --- put_all


def test_put_all_reads_no_further_ahead_than_two_requests_per_lane() -> None:
    read = 0
    most = 0

    def records() -> Iterator[bytes]:
        nonlocal read, most
        for n in range(10_000):
            read += 1
            most = max(most, read - len(bench.streams.taken()))
            yield b"%d" % n

    with Bench(max_batch_records=100, max_in_flight=2) as bench:
        result = bench.client.put_all(records())
    assert (result.read, result.put, result.failures) == (10_000, 10_000, ())
    assert most <= 2 * 2 * 100 + 1


def test_progress_is_told_after_each_request() -> None:
    seen: list[Progress] = []
    with Bench(throttled_calls(1)) as bench:
        result = bench.client.put_all((b"x" for _ in range(1_200)), progress=seen.append)
    assert [step.put for step in seen] == [500, 1_000, 1_200]
    assert seen[-1] == Progress(result.read, result.put, 0, 500)


def test_put_all_gives_up_after_too_many_failures_and_accounts_for_all_it_read() -> None:
    with (
        Bench(throttled_calls(*range(1, 1_000)), max_batch_records=10) as bench,
        pytest.raises(PartialFailure, match="gave up") as caught,
    ):
        bench.client.put_all((b"x" for _ in range(1_000)), max_failures=15)
    result: Any = caught.value.result
    assert result.put == 10
    assert result.read == result.put + len(result.failures)
    assert result.read < 100
    assert [failure.index for failure in result.failures] == list(range(10, result.read))


def test_records_that_raise_pass_through_with_a_count() -> None:
    def records() -> Iterator[bytes]:
        yield from [b"x"] * 700
        raise OSError("the file ended early")

    with Bench() as bench, pytest.raises(OSError, match="ended early") as caught:
        bench.client.put_all(records())
    assert caught.value.__notes__ == ["500 records had been put into orders before this"]


def test_a_progress_that_raises_passes_through() -> None:
    def progress(_: Progress) -> None:
        raise KeyError("mine")

    with Bench() as bench, pytest.raises(KeyError):
        bench.client.put_all([b"x"] * 2_000, progress=progress)


# --- what always holds

traffic = st.lists(st.tuples(st.binary(max_size=20), st.sampled_from(["a", "b", "c", "d", None])), max_size=80)


def unsteady(seed: int, rate: float) -> Callable[[int, int, Entry], FailureKind | None]:
    """Throttles a share of all tries; the same tries in every run, whatever the threads do."""
    tries: Counter[Entry] = Counter()

    def fault(call: int, index: int, entry: Entry) -> FailureKind | None:
        tries[entry] += 1
        return FailureKind.THROTTLED if Random(f"{seed}{entry}{tries[entry]}").random() < rate else None

    return fault


@settings(max_examples=150)
@given(traffic, st.integers(), st.floats(0, 0.7), st.integers(1, 4), st.integers(1, 9))
def test_records_out_are_records_in_whatever_is_throttled(
    records: list[tuple[bytes, str | None]], seed: int, rate: float, lanes: int, size: int
) -> None:
    """Each result names its own record, byte for byte, and the stream holds no others."""
    options: dict[str, Any] = {"retry": Retry(attempts=200), "max_in_flight": lanes, "max_batch_records": size}
    with Bench(unsteady(seed, rate), **options) as bench:
        result = bench.client.put_many(records)
    taken = bench.streams.taken()
    assert len(taken) == len(records) == len(result.outcomes)
    for (data, key), outcome in zip(records, result.outcomes, strict=True):
        assert isinstance(outcome, PutResult)
        entry = taken[int(outcome.sequence_number) - 1]
        assert entry.data == data
        assert key is None or entry.partition_key == key


@settings(max_examples=80)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(), st.integers(1, 3))
def test_strict_order_keeps_every_keys_order_through_retries(keys: list[str], seed: int, lanes: int) -> None:
    records = [(b"%d" % n, key) for n, key in enumerate(keys)]
    options: dict[str, Any] = {"retry": Retry(attempts=200), "max_in_flight": lanes, "max_batch_records": 4}
    with Bench(unsteady(seed, 0.5), strict_order=True, **options) as bench:
        assert bench.client.put_all(records).put == len(records)
    for key in "abc":
        order = [int(entry.data) for entry in bench.streams.taken() if entry.partition_key == key]
        assert order == [n for n, one in enumerate(keys) if one == key]


@settings(max_examples=80)
@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=40), st.integers(), st.integers(1, 3))
def test_no_request_overtakes_an_earlier_one_of_its_key(keys: list[str], seed: int, lanes: int) -> None:
    """Also without strict order: what an earlier request held is in the stream before what a later one held."""
    records = [(b"%d" % n, key) for n, key in enumerate(keys)]
    options: dict[str, Any] = {"retry": Retry(attempts=200), "max_in_flight": lanes, "max_batch_records": 4}
    with Bench(unsteady(seed, 0.4), **options) as bench:
        assert bench.client.put_all(records).put == len(records)
    place = {int(entry.data): at for at, entry in enumerate(bench.streams.taken())}
    for key in "ab":
        before: set[int] = set()
        for _, entries in bench.streams.calls:
            numbers = {int(entry.data) for entry in entries if entry.partition_key == key}
            if numbers - before:
                assert not numbers & before  # a retry brings nothing new along
                assert max((place[n] for n in before), default=-1) < min(place[n] for n in numbers)
                before |= numbers


# --- the rest


@pytest.mark.parametrize("auth", [BearerToken("t0ken"), BearerToken(lambda: "t0ken")])
def test_a_bearer_token_goes_with_every_request(auth: BearerToken) -> None:
    with Bench(auth=auth) as bench:
        bench.client.put("x")
        bench.client.put_many(["x"])
    assert [request.headers["authorization"] for request in bench.transport.requests] == ["Bearer t0ken"] * 2
    assert "t0ken" not in repr(auth)


def test_an_api_key_or_httpx_own_auth_goes_with_every_request() -> None:
    with Bench(auth=ApiKey("k3y")) as bench:
        bench.client.put("x")
    assert bench.transport.requests[0].headers["x-api-key"] == "k3y"
    assert "k3y" not in repr(ApiKey("k3y"))
    with Bench(auth=httpx.BasicAuth("u", "p")) as bench:
        bench.client.put("x")
    assert bench.transport.requests[0].headers["authorization"].startswith("Basic ")


def test_auth_that_fails_is_not_authorized_and_tells_no_secret() -> None:
    def auth(_: Any) -> None:
        raise ValueError("the secret t0ken")

    with Bench(auth=auth) as bench:
        with pytest.raises(NotAuthorized) as caught:
            bench.client.put_many(["x", "y"])
        with pytest.raises(NotAuthorized):
            bench.client.put("x")
    assert "t0ken" not in str(caught.value)
    assert caught.value.result is not None
    assert all(isinstance(failure, PutFailure) for failure in caught.value.result.failures)
    assert not bench.transport.requests


def test_the_address_may_have_a_stage() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(404, text=request.url.path))
    with (
        IngestClient("https://host/prod/", stream="orders", transport=transport) as client,
        pytest.raises(NotFound, match="/prod/streams/orders/records"),
    ):
        client.put("x")


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("127.0.0.1:8080", {}),
        ("ftp://host", {}),
        ("http://", {}),
        ("http://host", {"stream": "two words"}),
        ("http://host", {"max_in_flight": 0}),
        ("http://host", {"max_batch_records": 501}),
        ("http://host", {"max_in_flight": 1.5}),
        ("http://host", {"max_batch_records": True}),
        ("http://host:port", {}),
        ("http://host?key=1", {}),
        ("http://host#there", {}),
        ("http://host", {"stream": ".."}),
        ("http://host", {"stream": "."}),
        ("http://host", {"timeout": -1}),
        ("http://host", {"timeout": 0}),
        ("http://host", {"timeout": float("nan")}),
        ("http://host", {"timeout": float("inf")}),
        ("http://host", {"timeout": None}),
        ("http://host", {"timeout": "30"}),
        ("http://host", {"retry": 3}),
        ("http://host", {"retry": 0}),
        ("http://[::1", {}),
        ("http://h\n", {}),
        ("http://two words", {}),
        ("http://host:99999", {}),
        ("http://a..b", {}),
        (" http://host", {}),
        ("", {}),
        (None, {}),
        (b"http://host", {}),
    ],
)
@pytest.mark.parametrize("client", [IngestClient, AsyncIngestClient])
def test_what_cannot_work_is_refused_at_once(client: Any, url: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        client(url, **({"stream": "orders"} | options))


@pytest.mark.parametrize("path", ["/streams/orders/records", "/streams/orders/records/batch", "/streams/o/records/"])
@pytest.mark.parametrize("client", [IngestClient, AsyncIngestClient])
def test_the_address_of_one_stream_is_told_from_the_base(client: Any, path: str) -> None:
    """``kstream dev`` prints it, and it would come to a 404 for a path that nobody wrote."""
    with pytest.raises(ConfigurationError, match=r"which is one stream's: give 'http://host/prod'"):
        client(f"http://host/prod{path}", stream="orders")


@pytest.mark.parametrize("option", ["max_batch_bytes", "max_record_bytes"])
def test_a_limit_that_admits_nothing_is_refused(option: str) -> None:
    limits: dict[str, Any] = {option: 0}
    with pytest.raises(ConfigurationError, match=f"{option} is 0; a whole number, at least 1"):
        IngestClient("http://127.0.0.1:9", stream="orders", **limits)


def test_a_negative_number_of_failures_is_refused() -> None:
    with Bench() as bench, pytest.raises(ConfigurationError, match="max_failures is -1"):
        bench.client.put_all(["x"], max_failures=-1)


@pytest.mark.parametrize("options", [{"max_failures": "7"}, {"max_failures": 1.5}, {"progress": "print"}])
def test_options_of_put_all_are_looked_at_before_anything_is_put(options: dict[str, Any]) -> None:
    with Bench() as bench:
        with pytest.raises(ConfigurationError, match=r"max_failures is|progress is"):
            bench.client.put_all(["x"], **options)
        assert not bench.transport.requests


@pytest.mark.parametrize("client", [IngestClient, AsyncIngestClient])
@pytest.mark.parametrize(
    "url", ["https://user:s3cr3t@host", "ftp://user:s3cr3t@host", "user:s3cr3t@host", "http:user:s3cr3t@host"]
)
def test_a_password_in_the_address_is_refused_and_not_shown(client: Any, url: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        client(url, stream="orders")
    assert "s3cr3t" not in "".join(format_exception(told.value))


@pytest.mark.parametrize("put", ["put_many", "put_all"])
@pytest.mark.parametrize(
    "one",
    ["abc", b"abc", bytearray(b"abc"), memoryview(b"abc"), {"a": 1}, IngestRecord("abc", "k")],
    ids=lambda one: type(one).__name__,
)
def test_one_record_is_not_taken_for_many(put: str, one: Any) -> None:
    """Its letters, bytes or names would be put, each as a record."""
    with Bench() as bench:
        with pytest.raises(TypeError, match=r"one record, .*: put it with put"):
            getattr(bench.client, put)(one)
        assert not bench.transport.requests


@pytest.mark.parametrize("status", [200, 418])
def test_an_answer_nested_however_deeply_is_a_bad_answer(status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=b"[" * 100_000)

    with IngestClient("http://api.test", stream="orders", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(BadAnswer):
            client.put("x")
        with pytest.raises(BadAnswer) as told:
            client.put_many(["x", "y"])
    assert told.value.result is not None
    assert len(told.value.result.failures) == 2


@pytest.mark.parametrize("put", ["put", "put_many", "put_all"])
def test_a_closed_client_says_so_and_sends_nothing(put: str) -> None:
    with Bench() as bench:
        bench.client.close()
        with pytest.raises(ClientClosed, match="the client is closed"):
            getattr(bench.client, put)("x" if put == "put" else ["x", "y"])
        assert not bench.transport.requests


def test_a_client_that_is_closed_meanwhile_accounts_for_what_it_read() -> None:
    def records() -> Iterator[str]:
        yield from ["x"] * 600
        bench.client.close()
        yield from ["y"] * 600

    with Bench() as bench, pytest.raises(ClientClosed) as caught:
        bench.client.put_all(records())
    result: Any = caught.value.result
    assert result.put == len(bench.streams.taken())
    assert result.read == result.put + len(result.failures)
    assert result.put == 500


def test_a_quota_that_is_used_up_is_told_at_once() -> None:
    """Trying again would not help before the plan's day, week or month ends, and nobody says when that is."""
    envelope = {"error": {"code": "QuotaExceeded", "message": "the quota is used up", "requestId": "r"}}
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(429, json=envelope)

    with (
        IngestClient("http://api.test", stream="orders", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(QuotaExceeded, match="the quota is used up") as caught,
    ):
        client.put_many(["x", "y"])
    assert (caught.value.status, len(requests)) == (429, 1)
