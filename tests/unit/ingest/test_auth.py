"""Clients' ways to say who puts: what is sent, what happens on a 401, and what never shows."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from traceback import format_exception
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.credentials import Credentials

from kstream.core.errors import ConfigurationError
from kstream.core.retry import Retry
from kstream.ingest import ApiKey, AsyncIngestClient, BearerToken, IngestClient, SigV4
from kstream.ingest.errors import NotAuthorized
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GOOD = {"sequenceNumber": "1", "shardId": "shardId-000000000000"}
SECRET = "s3cr3t-t0ken"


class Api:
    """Answers 401 unless ``accepts(headers)``; keeps what it was sent."""

    def __init__(self, accepts: Callable[[Mapping[str, str]], bool]) -> None:
        self.accepts = accepts
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        # A copy: what is sent again is the same object, with other headers.
        self.requests.append(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        if self.accepts(request.headers):
            return httpx.Response(200, json=GOOD)
        return httpx.Response(401, json={"error": {"code": "Unauthorized", "message": "no", "requestId": "r"}})

    @property
    def authorizations(self) -> list[str | None]:
        return [request.headers.get("authorization") for request in self.requests]


def put(api: Api, auth: Any, mode: str, times: int = 1) -> None:
    """By either client."""
    options: dict[str, Any] = {
        "stream": "orders",
        "auth": auth,
        "clock": VirtualClock(),
        "transport": httpx.MockTransport(api),
        "retry": Retry(attempts=3),
    }
    if mode == "sync":
        with IngestClient("http://api.test", **options) as client:
            for _ in range(times):
                client.put("x", partition_key="k")
        return

    async def run() -> None:
        async with AsyncIngestClient("http://api.test", **options) as client:
            for _ in range(times):
                await client.put("x", partition_key="k")

    asyncio.run(run())


class Issuer:
    """A function that gives the next token each time."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return f"token-{self.asked}"


both = pytest.mark.parametrize("mode", ["sync", "async"])


@both
def test_a_token_is_kept_until_it_is_refused_and_then_renewed_once(mode: str) -> None:
    valid = {"Bearer token-1"}
    api, issuer = Api(lambda headers: headers["authorization"] in valid), Issuer()
    auth = BearerToken(issuer)
    put(api, auth, mode, 3)
    assert (api.authorizations, issuer.asked) == (["Bearer token-1"] * 3, 1)
    valid.clear()
    valid.add("Bearer token-2")
    put(api, auth, mode, 2)
    assert api.authorizations[3:] == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
    assert api.requests[4].content == b"x"


@both
@pytest.mark.parametrize("turned", [False, True])
def test_a_token_goes_with_an_api_key_and_is_renewed_beside_it(mode: str, turned: bool) -> None:
    """``api_key = true`` beside ``jwt``: a key counts and throttles, and alone is a weak lock."""
    api, issuer = Api(lambda headers: headers["authorization"] == "Bearer token-2"), Issuer()
    auth = (BearerToken(issuer), ApiKey("a key"))
    put(api, auth[::-1] if turned else auth, mode)
    assert api.authorizations == ["Bearer token-1", "Bearer token-2"]
    assert [request.headers["x-api-key"] for request in api.requests] == ["a key"] * 2


@both
@pytest.mark.parametrize("turned", [False, True])
def test_a_signature_is_of_the_api_key_beside_it(mode: str, turned: bool) -> None:
    api = Api(lambda _: True)
    auth = (ApiKey("a key"), SigV4.with_keys("AKID", SECRET, region="eu-west-1"))
    put(api, auth[::-1] if turned else auth, mode)
    (request,) = api.requests
    assert request.headers["x-api-key"] == "a key"
    assert "x-api-key" in request.headers["authorization"]


@both
def test_a_signature_is_made_anew_of_a_token_that_is(mode: str) -> None:
    class Sealed:
        def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
            return {"x-seal": f"of {headers['authorization']}"}

    api, issuer = Api(lambda headers: headers["authorization"] == "Bearer token-2"), Issuer()
    put(api, (Sealed(), BearerToken(issuer)), mode)
    assert [request.headers["x-seal"] for request in api.requests] == ["of Bearer token-1", "of Bearer token-2"]


@pytest.mark.parametrize("auth", [(), ("user", "password"), (ApiKey("a key"), None), [ApiKey("a key")]])
def test_a_tuple_of_what_is_no_auth_is_told_at_once(auth: Any) -> None:
    for client in (IngestClient, AsyncIngestClient):
        with pytest.raises(ConfigurationError, match="auth= is") as told:
            client("http://api.test", stream="orders", auth=auth)
        assert "password" not in str(told.value)


@both
def test_a_renewed_token_that_is_refused_too_ends_it(mode: str) -> None:
    api, issuer = Api(lambda _: False), Issuer()
    with pytest.raises(NotAuthorized) as caught:
        put(api, BearerToken(issuer), mode)
    assert caught.value.status == 401
    assert api.authorizations == ["Bearer token-1", "Bearer token-2"]


@both
@pytest.mark.parametrize(
    "auth", [BearerToken("fixed"), BearerToken(lambda: "fixed"), ApiKey("k"), lambda headers: None]
)
def test_without_anything_new_a_401_is_sent_no_second_time(mode: str, auth: Any) -> None:
    api = Api(lambda _: False)
    with pytest.raises(NotAuthorized):
        put(api, auth, mode)
    assert len(api.requests) == 1


def test_threads_that_are_refused_together_renew_once() -> None:
    issuer = Issuer()
    auth = BearerToken(issuer)
    given: list[dict[str, str]] = [{} for _ in range(8)]
    for headers in given:
        auth(headers)
    threads = [threading.Thread(target=auth.renew, args=(headers,)) for headers in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.asked == 2
    assert {headers["authorization"] for headers in given} == {"Bearer token-2"}


@both
def test_sigv4_signs_every_sending_anew(mode: str) -> None:
    api = Api(lambda _: True)
    put(api, SigV4(credentials=Credentials("AKID", SECRET), region="eu-west-1"), mode, 2)
    for request in api.requests:
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        assert "x-partition-key" in request.headers["authorization"]
        assert request.headers["x-amz-date"].endswith("Z")


@both
def test_auth_that_cannot_work_says_why_and_tells_no_secret(mode: str) -> None:
    def failing(error: Exception) -> Any:
        def auth(_: Any) -> None:
            raise error

        return auth

    with pytest.raises(NotAuthorized, match="raised ValueError") as caught:
        put(Api(lambda _: True), failing(ValueError(SECRET)), mode)
    assert SECRET not in str(caught.value)
    with pytest.raises(NotAuthorized, match="set the region"):
        put(Api(lambda _: True), failing(ConfigurationError("set the region")), mode)
    calls = iter(["first"])
    with pytest.raises(NotAuthorized, match=r"raised (StopIteration|RuntimeError)"):
        put(Api(lambda _: False), BearerToken(lambda: next(calls)), mode)


@both
@pytest.mark.parametrize(
    "auth",
    [
        BearerToken(SECRET),
        ApiKey(SECRET),
        SigV4(credentials=Credentials("AKID", SECRET, SECRET), region="r"),
        SigV4.with_keys("AKID", SECRET, session_token=SECRET, region="r"),
    ],
)
def test_nothing_secret_is_shown(mode: str, auth: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.INFO)  # its own debug log shows what it signs
    assert SECRET not in repr(auth)
    with pytest.raises(NotAuthorized) as caught:
        put(Api(lambda _: False), auth, mode)
    assert SECRET not in str(caught.value) + repr(caught.value) + caplog.text


@pytest.mark.parametrize("kind", [BearerToken, ApiKey])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "environment variable"),
        ("", "empty"),
        (b"hidden-word", "type bytes"),
        ("hidden-word\n", "strip what is read from a file"),
        ("hidden\x00word", "control character"),
        (" hidden-word", "blank at an end"),
        ("hidden-w\u00f6rd", "ASCII"),
        (["hidden-word"], "type list"),
    ],
)
def test_what_no_header_can_carry_is_told_where_it_is_given_and_not_shown(kind: Any, given: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as told:
        kind(given)
    assert "hidden" not in "".join(format_exception(told.value))


def test_a_token_is_given_without_the_word_bearer() -> None:
    with pytest.raises(ConfigurationError, match="without the word Bearer"):
        BearerToken("Bearer abc")


@both
@pytest.mark.parametrize("given", [None, "", b"hidden-word", "hidden-word\n", "Bearer hidden-word"])
def test_what_a_function_gives_is_looked_at_too(mode: str, given: Any) -> None:
    api = Api(lambda _: True)
    with pytest.raises(NotAuthorized, match="what the function of BearerToken gave") as told:
        put(api, BearerToken(lambda: given), mode)
    assert "hidden" not in "".join(format_exception(told.value))
    assert not api.requests


class AsyncCallable:
    async def __call__(self) -> str:
        return "token-1"


async def fetch() -> str:
    await asyncio.sleep(0)
    return "token-1"


@pytest.mark.parametrize("source", [fetch, AsyncCallable(), lambda: fetch()], ids=["def", "object", "lambda"])
def test_the_async_client_awaits_a_token(source: Any) -> None:
    api = Api(lambda _: True)
    put(api, BearerToken(source), "async", 2)
    assert api.authorizations == ["Bearer token-1"] * 2


def test_a_token_is_awaited_on_the_client_s_event_loop() -> None:
    """Where its function has connections of its own open."""
    loops: list[object] = []

    async def source() -> str:
        loops.append(asyncio.get_running_loop())
        return "token-1"

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        transport = httpx.MockTransport(Api(lambda _: True))
        async with AsyncIngestClient(
            "http://api.test", stream="orders", auth=BearerToken(source), transport=transport
        ) as client:
            await client.put("x")

    asyncio.run(run())
    assert loops[0] is loops[1]


def test_coroutines_that_put_at_once_fetch_one_token_and_renew_one() -> None:
    issuer = Issuer()

    async def source() -> str:
        await asyncio.sleep(0)
        return issuer()

    valid = {"Bearer token-1"}
    api = Api(lambda headers: headers["authorization"] in valid)

    async def run() -> None:
        options: dict[str, Any] = {"stream": "orders", "auth": BearerToken(source), "clock": VirtualClock()}
        async with AsyncIngestClient("http://api.test", transport=httpx.MockTransport(api), **options) as client:
            await asyncio.gather(*(client.put("x") for _ in range(8)))
            assert issuer.asked == 1
            valid.clear()
            valid.add("Bearer token-2")
            await asyncio.gather(*(client.put("x") for _ in range(8)))
            assert issuer.asked == 2

    asyncio.run(run())


def test_the_async_client_awaits_a_function_that_sets_headers() -> None:
    async def auth(headers: Any) -> None:
        await asyncio.sleep(0)
        headers["authorization"] = "Bearer x"

    api = Api(lambda _: True)
    put(api, auth, "async")
    assert api.authorizations == ["Bearer x"]


async def sets_nothing(headers: Any) -> None: ...


@pytest.mark.parametrize("auth", [BearerToken(fetch), BearerToken(AsyncCallable()), sets_nothing])
def test_the_sync_client_refuses_what_it_would_have_to_await(auth: Any) -> None:
    with pytest.raises(ConfigurationError, match="use AsyncIngestClient"):
        IngestClient("http://api.test", stream="orders", auth=auth)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("auth", [BearerToken(lambda: fetch()), lambda headers: sets_nothing(headers)])
def test_the_sync_client_sends_nothing_that_it_did_not_await(auth: Any) -> None:
    api = Api(lambda _: True)
    with pytest.raises(ConfigurationError, match="use AsyncIngestClient"):
        put(api, auth, "sync")
    assert not api.requests


@both
@pytest.mark.parametrize("auth", [("user", SECRET), SECRET, BearerToken, SigV4, 7])
def test_what_is_no_auth_is_refused_where_it_is_given(mode: str, auth: Any) -> None:
    with pytest.raises(ConfigurationError, match="auth= is") as told:
        put(Api(lambda _: True), auth, mode)
    assert SECRET not in str(told.value)


def test_a_header_of_ones_own_that_cannot_be_sent_is_not_shown() -> None:
    """A line break at its end, as one read from a file may have."""

    def auth(headers: Any) -> None:
        headers["authorization"] = "hidden-word\n"

    with socket.create_server(("127.0.0.1", 0)) as server:  # headers are looked at once somebody has answered
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with IngestClient(url, stream="orders", auth=auth) as api, pytest.raises(ConfigurationError) as told:
            api.put(b"x")
    assert "hidden-word" not in "".join(format_exception(told.value))
