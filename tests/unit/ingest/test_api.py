"""What an API may be made of. Whatever API Gateway could not do is refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest.api import (
    ApiKeys,
    Cognito,
    Iam,
    IngestApi,
    IngestStream,
    Jwt,
    LambdaFunction,
    Unlocked,
    unlocked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

JWT = Jwt("https://issuer.example", ("ingest",))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: IngestStream(name="orders", locks=()), "no lock"),
        (lambda: IngestStream(name="two words", locks=(Iam(),)), "no stream name"),
        (lambda: IngestStream(name="orders", locks=(Unlocked(), Iam())), "locked at once"),
        (lambda: IngestStream(name="orders", locks=(Iam(), JWT)), "one authorizer"),
        (lambda: IngestStream(name="orders", locks=(Iam(),), cors_origins=("shop.example",)), "web origin"),
        (lambda: IngestStream(name="orders", locks=(Iam(),), cors_origins=("https://x/path",)), "web origin"),
        (lambda: IngestStream(name="orders", locks=(Iam(),), cors_origins=("https://x'\"",)), "web origin"),
        (lambda: IngestStream(name="orders", locks=(Iam(),), cors_origins=("*", "https://x")), "beside others"),
        (lambda: IngestStream(name="..", locks=(Iam(),)), "no stream name"),
        (lambda: IngestStream(name=".", locks=(Iam(),)), "no stream name"),
        (lambda: IngestApi(streams=()), "no stream"),
        (lambda: Jwt("https://issuer.example", ("ingest",), scopes=("two words",)), "without blanks"),
        (lambda: Jwt("https://issuer.example", ("ingest",), scopes=('a"b',)), "quotes"),
        (lambda: Jwt("https://issuer.example", ("ingest",), scopes=("a", "a")), "twice"),
        (lambda: Jwt("https://issuer.example", ("ingest",), scopes="put:orders"), "a tuple"),  # type: ignore[arg-type]
        (lambda: Jwt("https://issuer.example?x=1", ("ingest",)), "query"),
        (lambda: Jwt("https://user:s3cr3t@issuer.example", ("ingest",)), "the issuer that is given is not"),
        (lambda: Cognito(("arn",), ("",)), "scopes"),
        (lambda: unlocked("orders", "orders"), "twice"),
        (lambda: Jwt("http://issuer.example", ("ingest",)), "https"),
        (lambda: Jwt("https://issuer.example", ()), "no audience"),
        (lambda: Jwt("https://issuer.example", ("",)), r"audiences\[0\]"),
        (lambda: Jwt("https://issuer.example", ("ingest",), ("HS256",)), "HS256"),
        (lambda: Jwt("https://issuer.example", ("ingest",), ("none",)), "none"),
        (lambda: Jwt("https://issuer.example", ("ingest",), ()), "algorithms"),
        (lambda: Cognito(()), "no user pool"),
        (lambda: LambdaFunction(invocation_uri="arn", kind="jwt"), "'token' or 'request'"),
        (lambda: LambdaFunction(invocation_uri="arn", cache_seconds=3601), "0 to 3600"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_an_api_key_may_stand_beside_an_authorizer() -> None:
    stream = IngestStream(name="orders", locks=(ApiKeys(), JWT))
    assert stream.authorizers == (JWT,)


@pytest.mark.parametrize("locks", [("iam",), (Iam,), (None,), (Iam(), "api_key")])
def test_what_is_no_lock_is_refused_and_never_an_open_door(locks: Any) -> None:
    with pytest.raises(ConfigurationError, match="is no lock"):
        IngestStream(name="orders", locks=locks)


def stream(**options: Any) -> IngestStream:
    return IngestStream(**{"name": "orders", "locks": (Iam(),), **options})


def function(**options: Any) -> LambdaFunction:
    return LambdaFunction(**{"invocation_uri": "arn", **options})


POOL: Any = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbC"


@pytest.mark.parametrize(
    "make",
    [
        lambda text: Jwt("https://issuer.example", text),
        lambda text: Jwt("https://issuer.example", ("ingest",), text),
        lambda text: Jwt("https://issuer.example", ("ingest",), scopes=text),
        lambda text: Cognito(text),
        lambda text: Cognito((POOL,), text),
        lambda text: stream(cors_origins=text),
        lambda text: stream(locks=text),
        lambda text: IngestApi(streams=text),
    ],
)
@pytest.mark.parametrize("given", ["ingest", "RS256", "*", POOL, {"a": 1}, {"a"}, Iam(), None, 7])
def test_one_value_is_never_taken_for_many(make: Callable[[Any], object], given: Any) -> None:
    """The letters of a text are values too: a token for "i" would be let in."""
    with pytest.raises(ConfigurationError, match=r"a tuple, also of one: \("):
        make(given)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Jwt("https://issuer.exa\nmple", ("ingest",)), "issuer="),
        (lambda: Jwt("https://[::1", ("ingest",)), "not an https URL"),
        (lambda: Jwt("https://issuer.example:port", ("ingest",)), "not an https URL"),
        (lambda: Jwt("", ("ingest",)), "issuer="),
        (lambda: Jwt(None, ("ingest",)), "issuer="),  # type: ignore[arg-type]
        (lambda: Jwt("https://issuer.example", ("a\nb",)), r"audiences\[0\]="),
        (lambda: Jwt("https://issuer.example", (7,)), r"audiences\[0\]="),  # type: ignore[arg-type]
        (lambda: Cognito(("",)), r"user_pools\[0\]="),
        (lambda: Cognito((POOL, {})), r"user_pools\[1\]="),
        (lambda: function(invocation_uri=""), "invocation_uri="),
        (lambda: function(invocation_uri={}), "invocation_uri="),
        (lambda: function(credentials=""), "credentials="),
        (lambda: function(header=""), "header="),
        (lambda: function(header="X Token"), "header="),
        (lambda: function(header="A,method.request.header.B"), "header="),
        (lambda: function(header="X-Partition-Key"), "none of .*x-partition-key"),
        (lambda: function(header="content-type"), "none of"),
        (lambda: function(header="TraceParent"), "none of"),
        (lambda: function(cache_seconds=1.5), "whole seconds"),
        (lambda: function(cache_seconds=True), "whole seconds"),
        (lambda: function(cache_seconds="60"), "whole seconds"),
        (lambda: stream(name=None), "name="),
        (lambda: stream(region=""), "region="),
        (lambda: stream(region="eu west;1"), "region="),
        (lambda: stream(region="eu-west-1\n"), "region="),
        (lambda: stream(role=""), "role="),
        (lambda: stream(key_required="no"), "key_required="),
        (lambda: stream(envelope=1), "envelope="),
        (lambda: stream(locks=(ApiKeys(), ApiKeys())), "twice"),
        (lambda: stream(locks=(Iam(), Iam())), "twice"),
        (lambda: IngestApi(streams=("orders",)), r"streams\[0\]="),  # type: ignore[arg-type]
        (lambda: IngestApi(streams=(stream(),), title=""), "title="),
        (lambda: IngestApi(streams=(stream(),), title="two\nlines"), "title="),
        (lambda: IngestApi(streams=(stream(),), version=""), "version="),
    ],
)
def test_an_odd_value_is_told_with_its_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_lists_are_kept_as_tuples() -> None:
    jwt: Any = Jwt("https://issuer.example", ["ingest"], ["RS256"], ["put:orders"])  # type: ignore[arg-type]
    assert (jwt.audiences, jwt.algorithms, jwt.scopes) == (("ingest",), ("RS256",), ("put:orders",))
    given = stream(locks=[jwt], cors_origins=["https://shop.example"])
    assert (given.locks, given.cors_origins) == ((jwt,), ("https://shop.example",))
    assert Cognito([POOL], ["a/b"]) == Cognito((POOL,), ("a/b",))  # type: ignore[arg-type]
    assert IngestApi(streams=[given]).streams == (given,)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "region", ["eu-west-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1", "ap-southeast-4"]
)
def test_regions_are_those_of_every_partition(region: str) -> None:
    assert stream(region=region).region == region


def test_an_issuer_s_password_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as told:
        Jwt("https://user:s3cr3t@issuer.example\n", ("ingest",))
    assert "s3cr3t" not in str(told.value)
