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
        (lambda: Jwt("https://issuer.example", ("",)), "no audience"),
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
