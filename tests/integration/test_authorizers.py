"""The locked door as a whole: real clients, the real gateway on a port, and a real key server, all on 127.0.0.1.

Each way in that must be shut is tried through the front door, and the stream behind it stays empty.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
import pytest
from botocore.credentials import Credentials

from kstream.core.retry import Retry
from kstream.ingest import (
    ALL_STREAMS,
    ApiKey,
    ApiKeyAuthorizer,
    AsyncIngestClient,
    Authorizer,
    BearerToken,
    Deny,
    Grant,
    IngestClient,
    JwtAuthorizer,
    KeyHolder,
    SigV4,
    hash_api_key,
    new_api_key,
)
from kstream.ingest.api import ApiKeys, Cognito, Iam, IngestApi, IngestStream, Jwt, LambdaFunction
from kstream.ingest.authorizing.fetching import FetchFailed, fetch_json, key_set_at, key_set_of
from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.ingest.enforcing.api_key_lock import PlannedKey
from kstream.ingest.enforcing.iam_lock import LocalCredentials
from kstream.ingest.enforcing.local_door import Residents, local_door
from kstream.ingest.enforcing.usage_plan import UsagePlan
from kstream.ingest.errors import NotAuthorized, Throttled, Unavailable
from kstream.ingest.gateway import Gateway
from kstream.ingest.openapi import deployed
from kstream.ingest.server import GatewayServer
from kstream.testing.clock import VirtualClock
from tests.support.door import LOCAL_STAGE, policy
from tests.support.ingest import MemoryStreams
from tests.support.issuer import (
    AUDIENCE,
    ISSUER,
    KeyServer,
    claims,
    confused_token,
    ec_jwk,
    ec_token,
    rsa_jwk,
    rsa_key,
    token,
    unsigned_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.ingest import (
        AuthorizationRequest,
    )
    from kstream.ingest.api import Lock

FUNCTION = LambdaFunction(invocation_uri="the-function", kind="request", cache_seconds=300)
POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"


class House(NamedTuple):
    """A gateway on a port, and the streams behind it."""

    url: str
    streams: MemoryStreams

    def put(self, auth: Any, stream: str = "orders") -> None:
        with IngestClient(self.url, stream=stream, auth=auth, retry=Retry(attempts=1)) as api:
            api.put("record")

    def refuses(self, auth: Any, stream: str = "orders", status: int = 401) -> None:
        """Put and batch alike, and nothing of it is in the stream."""
        before = len(self.streams.taken(stream))
        error = Unavailable if status >= 500 else Throttled if status == 429 else NotAuthorized
        with IngestClient(self.url, stream=stream, auth=auth, retry=Retry(attempts=1)) as api:
            with pytest.raises(error) as caught:
                api.put("record")
            assert caught.value.status == status
            if error is NotAuthorized:
                with pytest.raises(NotAuthorized):
                    api.put_many(["a", "b"])
        assert len(self.streams.taken(stream)) == before


@contextmanager
def house(
    residents: Residents, *locks: Lock, clicks: tuple[Lock, ...] = (), clock: VirtualClock | None = None
) -> Iterator[House]:
    """``locks``: of the stream orders, and of clicks too unless that has others."""
    streams = MemoryStreams()
    of = {"orders": locks, "clicks": clicks or locks}
    document = deployed(IngestApi(streams=tuple(IngestStream(name=name, locks=of[name]) for name in of)))
    door = local_door(document, residents, clock=clock)
    with GatewayServer(Gateway(document, streams, authorize=door.check)) as server:
        yield House(server.url, streams)


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    with KeyServer() as server:
        server.documents["/keys"] = {"keys": [rsa_jwk("k1"), ec_jwk("e1")]}
        yield server


def guarded(authorizer: Authorizer, clock: VirtualClock | None = None) -> Any:
    return house(Residents(functions={"the-function": authorizer.as_lambda()}), FUNCTION, clock=clock)


def jwt_house(key_server: KeyServer, clock: VirtualClock | None = None, **options: Any) -> Any:
    keys = IssuerKeys(key_set_at(key_server.url + "/keys"), clock=clock or VirtualClock())
    return guarded(JwtAuthorizer(issuer=ISSUER, audience=AUDIENCE, keys=keys, **options), clock)


# --- tokens, by the project's own authorizer


def test_a_good_token_puts_into_its_streams_and_into_no_other(key_server: KeyServer) -> None:
    with jwt_house(key_server) as door:
        door.put(BearerToken(token()))
        door.put(BearerToken(token(scope="put:orders put:clicks")), "clicks")
        door.refuses(BearerToken(token()), "clicks", 403)
        assert len(door.streams.taken("orders")) == len(door.streams.taken("clicks")) == 1


NOW = int(time.time())
FORGED = {
    "expired": token(exp=NOW - 3_600),
    "no expiry": token(exp=None),
    "not yet valid": token(nbf=NOW + 3_600),
    "wrong audience": token(aud="another-service"),
    "no audience": token(aud=None),
    "wrong issuer": token(iss="https://evil.test/"),
    "alg none": unsigned_token(),
    "alg NONE": unsigned_token("NoNe"),
    "key confusion": confused_token(),
    "unknown kid": token("unknown"),
    "known kid, other key": jwt.encode(claims(), rsa_key("evil"), "RS256", {"kid": "k1"}),
    "its own key": jwt.encode(claims(), rsa_key("evil"), "RS256", {"kid": "k1", "jwk": rsa_jwk("evil")}),
    "algorithm not allowed": ec_token(),
    "nobody": token(sub=None),
    "no token": "nonsense",
}


@pytest.mark.parametrize("why", FORGED)
def test_a_token_that_is_not_good_is_401(why: str, key_server: KeyServer) -> None:
    with jwt_house(key_server) as door:
        door.refuses(BearerToken(FORGED[why]))


def test_no_token_at_all_is_401(key_server: KeyServer) -> None:
    with jwt_house(key_server) as door:
        door.refuses(None)
        assert key_server.asked == []


@pytest.mark.parametrize("scope", ["put:*", "put:or*", "*", "put:", "put:../clicks", "admin", "PUT:orders", None])
def test_wildcards_and_other_scopes_grant_nothing(scope: str | None, key_server: KeyServer) -> None:
    with jwt_house(key_server) as door:
        door.refuses(BearerToken(token(scope=scope)), status=403)


def test_a_token_refused_for_its_shape_never_reaches_the_key_server(key_server: KeyServer) -> None:
    with jwt_house(key_server) as door:
        for why in ("alg none", "key confusion", "algorithm not allowed", "no token"):
            door.refuses(BearerToken(FORGED[why]))
        assert key_server.asked == []


def test_while_the_key_server_is_down_keys_at_hand_go_on_and_then_nobody_gets_in(key_server: KeyServer) -> None:
    clock = VirtualClock()
    with jwt_house(key_server, clock) as door:
        door.put(BearerToken(token()))
        key_server.stop()
        clock.advance(3_599)
        door.put(BearerToken(token(jti="another")))
        clock.advance(1)
        door.refuses(BearerToken(token(jti="a third")), status=500)


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_key_server_that_fails_lets_nobody_in_and_comes_back(status: int, key_server: KeyServer) -> None:
    clock = VirtualClock()
    key_server.status = status
    with jwt_house(key_server, clock) as door:
        good = BearerToken(token())
        door.refuses(good, status=500)
        key_server.status = 200
        clock.advance(30)
        door.put(good)  # the failure was not kept


def test_keys_are_rotated_while_producers_go_on(key_server: KeyServer) -> None:
    clock = VirtualClock()
    with jwt_house(key_server, clock) as door:
        door.put(BearerToken(token("k1")))
        key_server.documents["/keys"] = {"keys": [rsa_jwk("k2")]}
        clock.advance(30)
        door.put(BearerToken(token("k2")))
        door.refuses(BearerToken(token("k1", jti="new")))
        assert key_server.asked == ["/keys", "/keys"]


def test_a_revoked_token_stays_good_for_as_long_as_its_answer_is_kept(key_server: KeyServer) -> None:
    """As on AWS, and said in docs/guides/authorizing.md: the shorter the time to live, the sooner revoking works."""
    clock = VirtualClock()

    revoked: set[str] = set()

    class Revocable(JwtAuthorizer):
        def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
            decision = super().authorize(request)
            return Deny("revoked", status=401) if decision.principal in revoked else decision

    keys = IssuerKeys(key_set_at(key_server.url + "/keys"), clock=clock)
    with guarded(Revocable(issuer=ISSUER, audience=AUDIENCE, keys=keys), clock) as door:
        auth = BearerToken(token())
        door.put(auth)
        revoked.add("shop")
        clock.advance(299)
        door.put(auth)
        clock.advance(1)
        door.refuses(auth)


def test_an_issuer_s_keys_are_found_by_its_discovery_document(key_server: KeyServer) -> None:
    issuer = key_server.url
    document = {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
    key_server.documents["/.well-known/openid-configuration"] = document
    with guarded(JwtAuthorizer(issuer=issuer, audience=AUDIENCE)) as door:
        door.put(BearerToken(token(iss=issuer)))
        door.refuses(BearerToken(token()))
    assert key_server.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"issuer": "https://evil.test", "jwks_uri": "https://evil.test/keys"}, {"jwks_uri": "file:///x"}],
)
def test_a_discovery_document_of_somebody_else_is_not_believed(document: Any, key_server: KeyServer) -> None:
    if isinstance(document, dict) and "issuer" not in document:
        document = {"issuer": key_server.url, **document}
    key_server.documents["/.well-known/openid-configuration"] = document
    with pytest.raises(FetchFailed):
        key_set_of(key_server.url)()


def test_a_key_server_is_read_strictly(key_server: KeyServer) -> None:
    fetch = key_set_at(key_server.url + "/keys")
    assert len(fetch()["keys"]) == 2
    for broken in (b"not json", b"[" * 100_000, b"x" * 150_001):
        key_server.documents["/keys"] = broken
        with pytest.raises(FetchFailed):
            fetch()
    key_server.redirect_to = key_server.url + "/elsewhere"
    key_server.documents["/elsewhere"] = {"keys": [rsa_jwk("evil")]}
    with pytest.raises(FetchFailed, match="302"):
        fetch()
    assert "/elsewhere" not in key_server.asked
    key_server.stop()
    with pytest.raises(FetchFailed):
        fetch_json(key_server.url)


# --- an authorizer that breaks


def test_an_authorizer_that_breaks_lets_nobody_in() -> None:
    class Breaking(Authorizer):
        def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
            raise ValueError(request.token)

    class Careless(Authorizer):
        def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
            return None  # type: ignore[return-value]

    for authorizer in (Breaking(), Careless()):
        with guarded(authorizer) as door:
            door.refuses(BearerToken("t"), status=403)


def test_a_foreign_function_that_breaks_lets_nobody_in() -> None:
    def breaking(event: Any, context: Any) -> Any:
        raise ValueError(event)

    for function in (breaking, lambda event, context: None, lambda event, context: {"isAuthorized": True}):
        with house(Residents(functions={"the-function": function}), FUNCTION) as door:
            door.refuses(BearerToken("t"), status=500)


def test_everything_is_for_those_whom_the_authorizer_says() -> None:
    class Operators(Authorizer):
        def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
            return Grant("operator", ALL_STREAMS) if request.bearer_token() == "op" else Deny("not an operator", "x")

    with guarded(Operators()) as door:
        door.put(BearerToken("op"), "orders")
        door.put(BearerToken("op"), "clicks")
        door.refuses(BearerToken("producer"), status=403)


# --- the other locks


def test_api_keys_of_one_s_own() -> None:
    key = new_api_key()
    function = LambdaFunction(invocation_uri="the-function", kind="request", header="X-Api-Key")
    authorizer = ApiKeyAuthorizer([KeyHolder("shop", hash_api_key(key), ["orders"])])
    with house(Residents(functions={"the-function": authorizer.as_lambda()}), function) as door:
        door.put(ApiKey(key))
        door.refuses(ApiKey(key), "clicks", 403)
        door.refuses(ApiKey(key[:-1]))
        door.refuses(None)


def test_signed_requests() -> None:
    orders = policy("Allow", f"{LOCAL_STAGE}/POST/streams/orders/*")["policyDocument"]
    residents = Residents(credentials=[LocalCredentials("AKIDSHOP", "s3cr3t", policy=orders)])

    def auth(access_key: str = "AKIDSHOP", secret: str = "s3cr3t", region: str = "us-east-1") -> SigV4:
        return SigV4(credentials=Credentials(access_key, secret), region=region)

    with house(residents, Iam()) as door:
        with IngestClient(door.url, stream="orders", auth=auth()) as api:
            api.put("x", partition_key="a key with  blanks")
            api.put_many([("y", "é😀")]).raise_for_failures()
            api.put(b"")
        door.refuses(auth(), "clicks", 403)
        door.refuses(auth(secret="another"), status=403)
        door.refuses(auth(access_key="AKIDNOBODY"), status=403)
        door.refuses(auth(region="eu-west-1"), status=403)
        door.refuses(None, status=403)
        assert len(door.streams.taken()) == 3


def test_api_gateway_s_own_token_checks(key_server: KeyServer) -> None:
    keys = IssuerKeys(key_set_at(key_server.url + "/keys"))
    with house(Residents(keys={ISSUER: keys}), Jwt(ISSUER, (AUDIENCE,), ("RS256",))) as door:
        door.put(BearerToken(token()))
        for why, forged in FORGED.items():
            if why != "nobody":
                door.refuses(BearerToken(forged))
        door.refuses(None)
    pool = Cognito(("arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_pool",))
    with house(Residents(keys={POOL: keys}, client_ids=["app"]), pool) as door:
        door.put(BearerToken(token(iss=POOL, aud="app", token_use="id")))
        door.refuses(BearerToken(token(iss=POOL, aud="other", token_use="id")))
        door.refuses(BearerToken(token(iss=POOL, aud="app", token_use="access")))


def test_api_gateway_s_own_token_checks_know_scopes(key_server: KeyServer) -> None:
    """A good token without the stream's scope is 403; of Cognito it is the access token that has scopes."""
    keys = IssuerKeys(key_set_at(key_server.url + "/keys"))

    def jwt_of(*scopes: str) -> Jwt:
        return Jwt(ISSUER, (AUDIENCE,), ("RS256",), scopes)

    residents = Residents(keys={ISSUER: keys})
    with house(residents, jwt_of("put:orders", "admin"), clicks=(jwt_of("put:clicks"),)) as door:
        door.put(BearerToken(token()))
        door.put(BearerToken(token(scope=None, scp=["admin"])))
        door.put(BearerToken(token(scope="read put:clicks")), "clicks")
        door.refuses(BearerToken(token()), "clicks", 403)
        door.refuses(BearerToken(token(scope=None)), status=403)
        door.refuses(BearerToken(token(scope="put:order")), status=403)
        door.refuses(BearerToken(token(aud="other")))
        door.refuses(BearerToken(token(aud=None, client_id=AUDIENCE)))

    def cognito(*scopes: str) -> Cognito:
        return Cognito(("arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_pool",), scopes)

    def of_pool(use: str, **claims: Any) -> BearerToken:
        who = {"client_id": "app", "aud": None} if use == "access" else {"aud": "app"}
        return BearerToken(token(iss=POOL, token_use=use, **{**who, **claims}))

    residents = Residents(keys={POOL: keys}, client_ids=["app"])
    with house(residents, cognito("ingest/orders"), clicks=(cognito("ingest/clicks"),)) as door:
        door.put(of_pool("access", scope="openid ingest/orders"))
        door.refuses(of_pool("access", scope="openid ingest/orders"), "clicks", 403)
        door.refuses(of_pool("access", scope="openid"), status=403)
        door.refuses(of_pool("access", scope="ingest/orders", client_id="other"))
        door.refuses(of_pool("id", scope="ingest/orders"))


def test_a_usage_plan_throttles_and_says_when_to_come_back(key_server: KeyServer) -> None:
    key, clock = new_api_key(), VirtualClock()
    residents = Residents(api_keys=[PlannedKey.of("shop", key, UsagePlan(rate=1, burst=2))])
    with house(residents, ApiKeys(), clock=clock) as door:
        door.put(ApiKey(key))
        door.put(ApiKey(key))
        door.refuses(ApiKey(key), status=429)
        door.refuses(ApiKey("x" * 30), status=403)
        clock.advance(1)
        door.put(ApiKey(key))


# --- clients


def test_a_client_renews_its_token_and_loses_nothing(key_server: KeyServer) -> None:
    given = [token(exp=NOW - 3_600), token(), token(jti="spare")]
    tokens = iter(given)
    with (
        jwt_house(key_server) as door,
        IngestClient(door.url, stream="orders", auth=BearerToken(lambda: next(tokens))) as api,
    ):
        api.put_all(f"record {n}" for n in range(1_200)).raise_for_failures()
        assert len(door.streams.taken()) == 1_200
        assert list(tokens) == [given[2]]


def test_the_asynchronous_client_at_the_same_door(key_server: KeyServer) -> None:
    with jwt_house(key_server) as door:

        async def run() -> None:
            async with AsyncIngestClient(door.url, stream="orders", auth=BearerToken(token()), max_in_flight=3) as api:
                assert (await api.put("x", partition_key="k")).shard_id
                result = await api.put_all((f"record {n}", f"k{n % 7}") for n in range(2_000))
                result.raise_for_failures()
            async with AsyncIngestClient(door.url, stream="clicks", auth=BearerToken(token())) as api:
                with pytest.raises(NotAuthorized):
                    await api.put_many(["x"])

        asyncio.run(run())
        assert len(door.streams.taken()) == 2_001


# --- silence


def test_nothing_secret_is_in_the_logs(key_server: KeyServer, caplog: pytest.LogCaptureFixture) -> None:
    """Every kind of lock, let in and refused and broken, at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    # It logs what it signs, at a level that nobody has on by accident.
    logging.getLogger("botocore.auth").setLevel(logging.INFO)
    key, secret = new_api_key(), "s3cr3t-s3cr3t-s3cr3t"

    class Talkative(Authorizer):
        def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
            if request.source_ip == "127.0.0.1":
                raise ValueError(f"{request.token} from {dict(request.headers)}")
            return Deny(f"bad token {request.token}")

    sent = [*FORGED.values(), token(), token(scope="x")]
    with ExitStack() as stack:
        own = stack.enter_context(jwt_house(key_server))
        talkative = stack.enter_context(guarded(Talkative()))
        native = stack.enter_context(
            house(Residents(keys={ISSUER: IssuerKeys(key_set_at(key_server.url + "/keys"))}), Jwt(ISSUER, (AUDIENCE,)))
        )
        keyed = stack.enter_context(house(Residents(api_keys=[PlannedKey.of("shop", key)]), ApiKeys()))
        iam = stack.enter_context(house(Residents(credentials=[LocalCredentials("AKID", secret, secret)]), Iam()))
        for one in sent:
            for door in (own, native, talkative):
                quietly(door, BearerToken(one))
        key_server.status = 500
        quietly(own, BearerToken(token("unknown", jti="2")))
        for offered in (key, key[:-1]):
            quietly(keyed, ApiKey(offered))
        for session in (secret, secret + "x", None):
            quietly(iam, SigV4(credentials=Credentials("AKID", secret, session), region="us-east-1"))
    secrets = {part for one in sent for part in one.split(".") if len(part) > 12} | {key[:-1], secret}
    headers = {part for part in secrets if part.startswith("eyJhbGci")}  # the same for everybody
    assert not [part for part in secrets - headers if part in caplog.text]
    assert "denied" in caplog.text
    assert "refused" in caplog.text


def quietly(door: House, auth: Any) -> None:
    """Puts, and lets it be refused."""
    said = ""
    try:
        door.put(auth)
    except (NotAuthorized, Unavailable) as error:
        said = str(error)
    assert "eyJ" not in said
