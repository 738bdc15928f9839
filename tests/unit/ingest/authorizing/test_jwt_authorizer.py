"""The authorizer for JWTs: from a token to streams."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.errors import ConfigurationError
from kstream.ingest import ALL_STREAMS, AuthorizationRequest, Deny, Grant, JwtAuthorizer
from kstream.ingest.authorizing.claims import scopes_in, streams_by_claim, streams_by_scope, streams_by_table
from kstream.ingest.authorizing.fetching import FetchFailed
from kstream.ingest.authorizing.function import AuthorizerUnavailable
from kstream.ingest.authorizing.pyjwt import pyjwt
from tests.support.authorizing import KeySet, request_event, token_event
from tests.support.issuer import AUDIENCE, ISSUER, token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.ingest.authorizing.decisions import ContextValue


def authorizer(key_set: KeySet | None = None, **options: Any) -> JwtAuthorizer:
    return JwtAuthorizer(issuer=ISSUER, audience=AUDIENCE, keys=(key_set or KeySet()).keys(), **options)


def decide(offered: str | None, **options: Any) -> Grant | Deny:
    return authorizer(**options).authorize(AuthorizationRequest.from_event(token_event(offered)))


def test_a_token_s_scopes_are_its_streams() -> None:
    assert decide(f"Bearer {token(scope='openid put:orders put:clicks')}") == Grant("shop", ["clicks", "orders"])
    event = request_event({"authorization": f"Bearer {token()}"})
    assert authorizer().authorize(AuthorizationRequest.from_event(event)) == Grant("shop", ["orders"])


def test_no_token_and_a_bad_one_are_401_and_no_stream_is_403() -> None:
    for offered in (None, "", "Basic x", "Bearer a b", "nonsense"):
        denied = decide(offered)
        assert isinstance(denied, Deny)
        assert denied.status == 401
    denied = decide(token(scope="openid"))
    assert isinstance(denied, Deny)
    assert (denied.status, denied.principal) == (403, "shop")


def test_a_wildcard_in_a_scope_is_no_stream() -> None:
    for scope in ("put:*", "put:", "put:or*", "put:a/b", "put:?", "*", "put:${x}"):
        assert isinstance(decide(token(scope=scope)), Deny), scope


def test_who_it_is() -> None:
    assert decide(token(sub=None, client_id="batch-job")) == Grant("batch-job", ["orders"])
    denied = decide(token(sub=None))
    assert isinstance(denied, Deny)
    assert denied.status == 401


def test_subclasses_choose_the_principal_and_the_context() -> None:
    class Tenants(JwtAuthorizer):
        def principal(self, claims: Mapping[str, Any]) -> str | None:
            return f"{claims['tenant']}/{claims['sub']}"

        def context(self, claims: Mapping[str, Any]) -> Mapping[str, ContextValue]:
            return {"tenant": claims["tenant"]}

    tenants = Tenants(issuer=ISSUER, audience=AUDIENCE, keys=KeySet().keys())
    decision = tenants.authorize(AuthorizationRequest.from_event(token_event(token(tenant="acme"))))
    assert decision == Grant("acme/shop", ["orders"], {"tenant": "acme"})


def test_other_rules_from_claims_to_streams() -> None:
    assert decide(token(streams=["a", "b*", 7]), streams=streams_by_claim("streams")) == Grant("shop", ["a"])
    assert decide(token(streams="a b"), streams=streams_by_claim("streams")) == Grant("shop", ["a", "b"])
    table = streams_by_table({"producer": ["orders", "clicks"], "more": ["more"], "root": ALL_STREAMS})
    assert decide(token(scope="producer more x"), streams=table) == Grant("shop", ["clicks", "more", "orders"])
    assert decide(token(scope="producer root"), streams=table) == Grant("shop", ALL_STREAMS)
    assert isinstance(decide(token(scope="x"), streams=table), Deny)


def test_rules_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        streams_by_scope("")
    with pytest.raises(ConfigurationError):
        streams_by_table({"producer": ["*"]})


@given(
    st.one_of(
        st.none(),
        st.integers(),
        st.text(),
        st.lists(st.one_of(st.text(), st.none())),
        st.dictionaries(st.text(), st.text()),
    )
)
def test_whatever_stands_in_the_claims_a_rule_gives_names_and_nothing_else(value: Any) -> None:
    claims = {"scope": value, "scp": value, "streams": value}
    assert all(isinstance(scope, str) for scope in scopes_in(claims))
    for rule in (streams_by_scope(), streams_by_claim("streams"), streams_by_table({"x": ["y"]})):
        streams = rule(claims)
        assert not isinstance(streams, type(ALL_STREAMS))
        Grant("p", list(streams))


def test_while_the_keys_cannot_be_had_it_says_so_and_lets_nobody_in() -> None:
    key_set = KeySet()
    key_set.error = FetchFailed("down")
    with pytest.raises(AuthorizerUnavailable):
        decide(token(), key_set=key_set)


@pytest.mark.parametrize(
    "options",
    [
        {"jwks_url": "http://issuer.test/keys"},
        {"jwks_url": "ftp://issuer.test/keys"},
        {"jwks_url": "file:///etc/passwd"},
        {"jwks_url": "https://user:secret@issuer.test/keys"},
        {"issuer": "http://issuer.test"},
        {"issuer": "issuer"},
    ],
)
def test_keys_come_over_https_only(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        JwtAuthorizer(**{"issuer": ISSUER, "audience": AUDIENCE, **options})
    assert "user:secret" not in str(caught.value)


def test_without_pyjwt_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "jwt":
            raise ModuleNotFoundError("No module named 'jwt'")
        return real(name, *rest)

    pyjwt.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigurationError, match=r"kstream\[jwt\]"):
        authorizer()


def test_an_old_pyjwt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import jwt

    pyjwt.cache_clear()
    monkeypatch.setattr(jwt, "__version__", "2.12.9")
    with pytest.raises(ConfigurationError, match=r"2\.12\.9 is installed, and 2\.13"):
        authorizer()
    monkeypatch.setattr(jwt, "__version__", "3.0.0a1")
    assert pyjwt() is jwt
