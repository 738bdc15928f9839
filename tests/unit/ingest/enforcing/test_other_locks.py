"""JWTs, Cognito's tokens and API keys at the local door; and the door itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.api_keys import new_api_key
from kstream.ingest.authorizing.fetching import FetchFailed
from kstream.ingest.authorizing.tokens import JwtVerifier
from kstream.ingest.enforcing.api_key_lock import ApiKeyLock, PlannedKey
from kstream.ingest.enforcing.call import Allowed, Kind, Refused
from kstream.ingest.enforcing.door import Door
from kstream.ingest.enforcing.jwt_lock import CognitoLock, JwtLock
from kstream.ingest.enforcing.usage_plan import UsagePlan
from kstream.testing.clock import VirtualClock
from tests.support.authorizing import KeySet
from tests.support.door import bearing, call_to, check, kind
from tests.support.issuer import AUDIENCE, ISSUER, confused_token, token, unsigned_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.ingest.enforcing.call import Call, Verdict

POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_pool"


def jwt_lock(key_set: KeySet | None = None, **options: Any) -> JwtLock:
    keys = (key_set or KeySet()).keys()
    verifier = JwtVerifier(keys, issuer=ISSUER, audience=AUDIENCE)
    return JwtLock({ISSUER: verifier}, **options)


def test_a_good_token_is_let_in_with_or_without_bearer() -> None:
    for offered in (token(), f"Bearer {token()}", f"bearer {token()}"):
        verdict = check(jwt_lock(), bearing(offered))
        assert isinstance(verdict, Allowed)
        assert verdict.context["principalId"] == "shop"
        assert verdict.context["claims.scope"] == "put:orders"


@pytest.mark.parametrize(
    "offered",
    [
        None,
        "",
        "Bearer",
        "Basic x",
        "Bearer a b",
        unsigned_token(),
        confused_token(),
        token(aud="x"),
        token(exp=1),
        token("x"),
    ],
)
def test_a_bad_token_is_401(offered: str | None) -> None:
    assert kind(check(jwt_lock(), bearing(offered))) is Kind.UNAUTHORIZED


def test_a_token_needs_one_of_the_operation_s_scopes() -> None:
    lock, call = jwt_lock(), bearing(token(scope="put:orders read"))
    assert kind(lock.check(call, ["put:orders", "admin"], Allowed())) is None
    assert kind(lock.check(call, ["put:clicks"], Allowed())) is Kind.ACCESS_DENIED


def test_without_the_issuer_s_keys_nobody_gets_in() -> None:
    key_set = KeySet()
    key_set.error = FetchFailed("down")
    assert kind(check(jwt_lock(key_set), bearing(token()))) is Kind.AUTHORIZER_FAILURE


def cognito(offered: str, scopes: Sequence[str] = (), client_ids: Sequence[str] | None = ("app-1",)) -> Kind | None:
    lock = CognitoLock([("eu-west-1", "eu-west-1_pool")], client_ids=client_ids, keys={POOL: KeySet().keys()})
    return kind(lock.check(bearing(offered), scopes, Allowed()))


ACCESS = {"iss": POOL, "aud": None, "client_id": "app-1", "token_use": "access", "scope": "put"}
IDENTITY = {"iss": POOL, "aud": "app-1", "token_use": "id"}


def test_cognito_s_tokens_are_told_apart() -> None:
    """As API Gateway does: an ID token, or where scopes are asked for, an access token."""
    assert cognito(token(**IDENTITY)) is None
    assert cognito(token(**IDENTITY), ["put"]) is Kind.UNAUTHORIZED
    assert cognito(token(**ACCESS)) is Kind.UNAUTHORIZED
    assert cognito(token(**ACCESS), ["put"]) is None
    assert cognito(token(**ACCESS), ["other"]) is Kind.ACCESS_DENIED


@pytest.mark.parametrize(
    "changed",
    [{"iss": POOL.replace("pool", "other")}, {"iss": None}, {"token_use": None}, {"token_use": "refresh"}, {"exp": 1}],
)
def test_cognito_refuses_other_pools_and_uses(changed: dict[str, Any]) -> None:
    assert cognito(token(**{**ACCESS, **changed}), ["put"]) is Kind.UNAUTHORIZED
    assert cognito(token(**{**IDENTITY, **changed})) is Kind.UNAUTHORIZED


def test_cognito_s_clients() -> None:
    assert cognito(token(**{**IDENTITY, "aud": "app-2"})) is Kind.UNAUTHORIZED
    assert cognito(token(**{**ACCESS, "client_id": "app-2"}), ["put"]) is Kind.UNAUTHORIZED
    assert cognito(token(**{**ACCESS, "client_id": None}), ["put"]) is Kind.UNAUTHORIZED
    assert cognito(token(**{**IDENTITY, "aud": "app-2"}), client_ids=None) is None
    assert cognito(token("x", **IDENTITY), client_ids=None) is Kind.UNAUTHORIZED


# --- API keys


KEY = new_api_key()


def key_lock(clock: VirtualClock | None = None, **plan: Any) -> ApiKeyLock:
    return ApiKeyLock([PlannedKey.of("shop", KEY, UsagePlan(**plan))], clock=clock or VirtualClock())


def offering(key: str) -> Call:
    return call_to(headers={"x-api-key": key})


def test_a_known_key_is_let_in_and_no_other() -> None:
    assert check(key_lock(), offering(KEY)) == Allowed({"principalId": "shop"})
    for key in ("", "x", KEY[:-1], KEY + "x", "\udc80"):
        assert kind(check(key_lock(), offering(key))) is Kind.INVALID_API_KEY
    assert KEY not in repr(PlannedKey.of("shop", KEY))
    with pytest.raises(ConfigurationError):
        ApiKeyLock([])


def test_the_rate_refills_a_burst() -> None:
    clock = VirtualClock()
    lock = key_lock(clock, rate=2, burst=3)

    def until_throttled() -> int:
        number = 0
        while kind(check(lock, offering(KEY))) is None:
            number += 1
        return number

    assert until_throttled() == 3
    clock.advance(1)
    assert until_throttled() == 2
    clock.advance(3_600)
    assert until_throttled() == 3
    verdict = check(lock, offering(KEY))
    assert isinstance(verdict, Refused)
    assert (verdict.kind, verdict.status) == (Kind.THROTTLED, 429)


@pytest.mark.parametrize(
    ("period", "start", "last", "first"),
    [
        ("DAY", 1_700_000_000, 6_400 - 1, 1),  # 2023-11-14 22:13:20 UTC, a Tuesday
        ("WEEK", 1_700_000_000, 4 * 86_400 + 6_399, 1),
        ("MONTH", 1_700_000_000, 16 * 86_400 + 6_399, 1),
    ],
)
def test_a_quota_lasts_to_the_end_of_its_period(period: str, start: int, last: int, first: int) -> None:
    clock = VirtualClock(start)
    lock = key_lock(clock, quota=2, period=period)
    assert [kind(check(lock, offering(KEY))) for _ in range(3)] == [None, None, Kind.QUOTA_EXCEEDED]
    clock.advance(last)
    assert kind(check(lock, offering(KEY))) is Kind.QUOTA_EXCEEDED
    clock.advance(first)
    assert kind(check(lock, offering(KEY))) is None


@pytest.mark.parametrize("plan", [{"rate": 1}, {"burst": 1}, {"rate": 0, "burst": 1}, {"quota": 0}])
def test_plans_that_cannot_work(plan: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        UsagePlan(**plan)


def test_a_key_may_come_from_the_authorizer() -> None:
    lock = ApiKeyLock([PlannedKey.of("shop", KEY)], source="AUTHORIZER", clock=VirtualClock())
    assert kind(lock.check(call_to(), [], Allowed({}, KEY))) is None
    assert kind(lock.check(offering(KEY), [], Allowed())) is Kind.INVALID_API_KEY


# --- the door


class Always:
    """A lock with one verdict; counts."""

    def __init__(self, verdict: Verdict | Exception) -> None:
        self.verdict = verdict
        self.asked = 0

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:
        self.asked += 1
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


OPEN = Allowed({"principalId": "p"})
SHUT = Refused(Kind.ACCESS_DENIED, "no")
ABSENT = Refused(Kind.UNAUTHORIZED, "Unauthorized", absent=True)


def at_the_door(security: Any, **locks: Any) -> Verdict:
    return Door({name: Always(verdict) for name, verdict in locks.items()}).check(call_to(), security)


def test_an_operation_that_says_nothing_stays_shut() -> None:
    assert kind(at_the_door(None, a=OPEN)) is Kind.AUTHORIZER_CONFIGURATION_ERROR
    assert kind(at_the_door([{}], a=OPEN)) is Kind.AUTHORIZER_CONFIGURATION_ERROR
    assert kind(at_the_door([{"other": []}], a=OPEN)) is Kind.AUTHORIZER_CONFIGURATION_ERROR
    assert at_the_door([], a=SHUT) == Allowed()


def test_all_schemes_of_an_alternative_and_any_alternative() -> None:
    assert isinstance(at_the_door([{"a": [], "b": []}], a=OPEN, b=OPEN), Allowed)
    assert at_the_door([{"a": [], "b": []}], a=OPEN, b=SHUT) == SHUT
    assert isinstance(at_the_door([{"a": []}, {"b": []}], a=SHUT, b=OPEN), Allowed)
    assert at_the_door([{"a": []}, {"b": []}], a=ABSENT, b=SHUT) == SHUT
    assert at_the_door([{"a": []}, {"b": []}], a=ABSENT, b=ABSENT) == ABSENT


def test_a_lock_that_breaks_stays_shut(caplog: pytest.LogCaptureFixture) -> None:
    assert kind(at_the_door([{"a": []}], a=ValueError("s3cr3t"))) is Kind.AUTHORIZER_FAILURE
    assert "ValueError" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_the_authorizer_comes_before_the_key_and_its_principal_stays() -> None:
    clock = VirtualClock()
    keys = ApiKeyLock([PlannedKey.of("key", KEY, UsagePlan(quota=1))], clock=clock)
    for verdict, expected in (
        (SHUT, Kind.ACCESS_DENIED),
        (SHUT, Kind.ACCESS_DENIED),
        (OPEN, None),
        (OPEN, Kind.QUOTA_EXCEEDED),
    ):
        door = Door({"zz_authorizer": Always(verdict), "api_key": keys})
        got = door.check(offering(KEY), [{"api_key": [], "zz_authorizer": []}])
        assert kind(got) is expected
        if isinstance(got, Allowed):
            assert got.context["principalId"] == "p"
