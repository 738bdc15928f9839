"""A Lambda authorizer at the local door: called, believed and remembered as API Gateway does."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest import AuthorizationRequest, Authorizer, Deny, Grant
from kstream.ingest.enforcing.call import Allowed, Kind
from kstream.ingest.enforcing.lambda_lock import LambdaLock
from kstream.testing.clock import VirtualClock
from tests.support.door import LOCAL_STAGE, Function, bearing, call_to, check, kind, policy

ALLOW_ORDERS = policy("Allow", f"{LOCAL_STAGE}/POST/streams/orders/records*")


class Registry(Authorizer):
    """Producers and their streams, as they are at the moment."""

    def __init__(self, **streams: list[str]) -> None:
        self.streams = streams

    def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
        name = request.bearer_token()
        if name not in self.streams:
            return Deny("nobody", status=401)
        return Grant(name, self.streams[name], {"tier": 1, "vip": True}) if self.streams[name] else Deny("none", name)


def lock(function: Any, **options: Any) -> LambdaLock:
    return LambdaLock(function, **({"clock": VirtualClock()} | options))


def test_the_project_s_own_authorizer_at_the_door() -> None:
    door = lock(Registry(shop=["orders", "clicks"], none=[]).as_lambda())
    allowed = check(door, bearing("Bearer shop"))
    assert isinstance(allowed, Allowed)
    assert allowed.context == {"principalId": "shop", "tier": "1", "vip": "true"}
    assert kind(check(door, bearing("Bearer shop", "/streams/clicks/records/batch"))) is None
    assert kind(check(door, bearing("Bearer shop", "/streams/other/records"))) is Kind.ACCESS_DENIED
    assert kind(check(door, bearing("Bearer none"))) is Kind.ACCESS_DENIED
    assert kind(check(door, bearing("Bearer stranger"))) is Kind.UNAUTHORIZED
    assert kind(check(door, bearing(None))) is Kind.UNAUTHORIZED


def test_a_token_event_is_as_api_gateway_sends_it() -> None:
    function = Function(lambda _: ALLOW_ORDERS)
    check(lock(function, type="TOKEN"), bearing("Bearer t"))
    assert function.events == [
        {
            "type": "TOKEN",
            "methodArn": f"{LOCAL_STAGE}/POST/streams/orders/records",
            "authorizationToken": "Bearer t",
        }
    ]


def test_a_request_event_is_as_api_gateway_sends_it() -> None:
    function = Function(lambda _: ALLOW_ORDERS)
    call = call_to(
        headers={"authorization": "t", "user-agent": "test", "x-forwarded-for": "192.0.2.8"},
        repeated={"x-forwarded-for": ["192.0.2.9", "192.0.2.8"]},
        query=[("a", "1"), ("a", "2")],
        source_ip="192.0.2.7",
        request_id="r-1",
    )
    check(lock(function), call)
    [event] = function.events
    assert event["type"] == "REQUEST"
    assert event["methodArn"] == f"{LOCAL_STAGE}/POST/streams/orders/records"
    assert (event["httpMethod"], event["path"], event["resource"]) == ("POST", *["/streams/orders/records"] * 2)
    assert event["headers"] == {"authorization": "t", "user-agent": "test", "x-forwarded-for": "192.0.2.8"}
    assert event["multiValueHeaders"] == {
        "authorization": ["t"],
        "user-agent": ["test"],
        "x-forwarded-for": ["192.0.2.9", "192.0.2.8"],
    }
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["requestContext"]["identity"] == {"sourceIp": "192.0.2.7", "userAgent": "test"}
    assert (event["requestContext"]["stage"], event["requestContext"]["requestId"]) == ("local", "r-1")
    request = AuthorizationRequest.from_event(event)
    assert (request.token, request.source_ip, request.stream) == ("t", "192.0.2.7", "orders")


@pytest.mark.parametrize("missing", ["authorization", "x-tenant", "query"])
def test_without_an_identity_source_it_is_401_and_the_function_is_not_called(missing: str) -> None:
    function = Function(lambda _: ALLOW_ORDERS)
    sources = ["method.request.header.Authorization", "method.request.header.X-Tenant", "method.request.querystring.q"]
    headers = {name: "x" for name in ("authorization", "x-tenant") if name != missing}
    call = call_to(headers=headers, query=[] if missing == "query" else [("q", "x")])
    for ttl in (0, 300):
        door = lock(function, identity_sources=sources, result_ttl=ttl)
        assert kind(check(door, call)) is Kind.UNAUTHORIZED
        assert kind(check(door, call_to(headers={"authorization": "", "x-tenant": "x"}, query=[("q", "x")])))
    assert function.events == []


def test_a_token_must_match_the_validation_expression_as_a_whole() -> None:
    function = Function(lambda _: ALLOW_ORDERS)
    door = lock(function, type="TOKEN", validation=r"Bearer [a-z]+")
    for token in ("Bearer", "Bearer T", "xBearer t", "Bearer t\n", "Bearer t x"):
        assert kind(check(door, bearing(token))) is Kind.UNAUTHORIZED
    assert function.events == []
    assert kind(check(door, bearing("Bearer t"))) is None


# --- keeping answers


def test_an_answer_is_kept_by_identity_alone_and_used_for_other_methods() -> None:
    """The reason why a policy names the complete list: the second stream is decided by the first one's answer."""
    function, clock = Function(lambda _: ALLOW_ORDERS), VirtualClock()
    door = lock(function, clock=clock, result_ttl=300)
    assert kind(check(door, bearing("t"))) is None
    assert kind(check(door, bearing("t", "/streams/clicks/records"))) is Kind.ACCESS_DENIED
    assert len(function.events) == 1
    check(door, bearing("other"))
    assert len(function.events) == 2
    clock.advance(299)
    check(door, bearing("t"))
    assert len(function.events) == 2
    clock.advance(1)
    check(door, bearing("t"))
    assert len(function.events) == 3


def test_a_policy_for_the_asked_method_alone_gives_random_403s() -> None:
    """What naive authorizers do, and what ours never does: who comes first decides what the others may."""
    naive = lock(Function(lambda event: policy("Allow", event["methodArn"])))
    assert kind(check(naive, bearing("t", "/streams/orders/records"))) is None
    assert kind(check(naive, bearing("t", "/streams/clicks/records"))) is Kind.ACCESS_DENIED
    ours = lock(Registry(t=["orders", "clicks"]).as_lambda())
    assert kind(check(ours, bearing("t", "/streams/orders/records"))) is None
    assert kind(check(ours, bearing("t", "/streams/clicks/records"))) is None


def test_a_right_that_is_taken_away_ends_when_the_kept_answer_does() -> None:
    """As on AWS: revoking takes effect within the time to live, and not before."""
    registry, clock = Registry(shop=["orders"]), VirtualClock()
    door = lock(registry.as_lambda(), clock=clock, result_ttl=300)
    assert kind(check(door, bearing("shop"))) is None
    registry.streams = {}
    clock.advance(299.9)
    assert kind(check(door, bearing("shop"))) is None
    clock.advance(0.1)
    assert kind(check(door, bearing("shop"))) is Kind.UNAUTHORIZED
    registry.streams = {"shop": ["orders"]}
    at_once = lock(registry.as_lambda(), result_ttl=0)
    assert kind(check(at_once, bearing("shop"))) is None
    registry.streams = {}
    assert kind(check(at_once, bearing("shop"))) is Kind.UNAUTHORIZED


def test_a_denial_is_kept_too_and_errors_never_are() -> None:
    registry = Registry(shop=[])
    door = lock(registry.as_lambda())
    assert kind(check(door, bearing("shop"))) is Kind.ACCESS_DENIED
    assert kind(check(door, bearing("later"))) is Kind.UNAUTHORIZED
    registry.streams = {"shop": ["orders"], "later": ["orders"]}
    assert kind(check(door, bearing("shop"))) is Kind.ACCESS_DENIED
    assert kind(check(door, bearing("later"))) is None


def test_several_identity_sources_are_one_key_in_their_order() -> None:
    function = Function(lambda _: ALLOW_ORDERS)
    sources = ["method.request.header.Authorization", "method.request.header.X-Tenant", "context.identity.sourceIp"]
    door = lock(function, identity_sources=sources)
    check(door, bearing("a", **{"x-tenant": "b"}))
    check(door, bearing("b", **{"x-tenant": "a"}))
    check(door, bearing("a", **{"x-tenant": "b"}))
    assert len(function.events) == 2


def test_only_so_many_answers_are_kept() -> None:
    from kstream.ingest.enforcing.answers import AuthorizerAnswer
    from kstream.ingest.enforcing.kept_answers import KeptAnswers

    kept = KeptAnswers(300, VirtualClock(), capacity=2)
    answer = AuthorizerAnswer.parse(ALLOW_ORDERS)
    for name in "abc":
        kept.keep((name,), answer)
    assert [kept.get((name,)) is not None for name in "abc"] == [False, True, True]


# --- failing closed


def raises(error: BaseException) -> Any:
    def answer(_: Any) -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (raises(Exception("Unauthorized")), Kind.UNAUTHORIZED),
        (raises(Exception("unauthorized")), Kind.AUTHORIZER_FAILURE),
        (raises(ValueError("s3cr3t")), Kind.AUTHORIZER_FAILURE),
        (raises(SystemExit("s3cr3t")), Kind.AUTHORIZER_FAILURE),
        (raises(KeyboardInterrupt("s3cr3t")), Kind.AUTHORIZER_FAILURE),
        (lambda _: None, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: "allow", Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {"isAuthorized": True}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "principalId": ""}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "principalId": None}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "context": {"a": []}}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "context": {"a": None}}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "context": ["a"]}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "context": {"a": float("nan")}}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "context": {"a": "x" * 9_000}}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "usageIdentifierKey": 7}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "policyDocument": {}}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {"principalId": "x"}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: {**ALLOW_ORDERS, "extra": object()}, Kind.AUTHORIZER_CONFIGURATION_ERROR),
        (lambda _: policy("Deny", "*"), Kind.ACCESS_DENIED),
        (lambda _: policy("Allow", "arn:aws:execute-api:eu-west-1:*"), Kind.ACCESS_DENIED),
    ],
)
def test_only_a_policy_that_allows_lets_in(answer: Any, expected: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    verdict = check(lock(Function(answer)), bearing("Bearer s3cr3t"))
    assert kind(verdict) is expected
    assert "s3cr3t" not in caplog.text + repr(verdict)


def test_a_usage_key_goes_to_the_lock_behind_and_into_no_repr() -> None:
    verdict = check(lock(Function(lambda _: {**ALLOW_ORDERS, "usageIdentifierKey": "s3cr3t"})), bearing("t"))
    assert isinstance(verdict, Allowed)
    assert verdict.usage_key == "s3cr3t"
    assert "s3cr3t" not in repr(verdict)


@pytest.mark.parametrize(
    "options",
    [
        {"result_ttl": -1},
        {"result_ttl": 3601},
        {"type": "TOKEN", "identity_sources": []},
        {"type": "TOKEN", "identity_sources": ["method.request.querystring.t"]},
        {"type": "TOKEN", "identity_sources": ["method.request.header.a", "method.request.header.b"]},
        {"type": "REQUEST", "identity_sources": []},
        {"type": "REQUEST", "validation": "x"},
        {"identity_sources": ["method.request.body.x"]},
        {"identity_sources": ["method.request.header."]},
        {"identity_sources": ["Authorization"]},
    ],
)
def test_what_api_gateway_would_not_take_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        lock(Function(lambda _: None), **options)


def test_a_function_that_changes_its_event_changes_nothing_else() -> None:
    headers = {"authorization": "t"}
    check(lock(Function(lambda event: event["headers"].clear())), call_to(headers=headers))
    assert headers == {"authorization": "t"}
