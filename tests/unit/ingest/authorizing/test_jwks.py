"""Issuers' key sets: what is believed, how long, and how often they are read."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.fetching import FetchFailed
from kstream.ingest.authorizing.function import AuthorizerUnavailable
from kstream.ingest.authorizing.jwks import IssuerKeys
from kstream.ingest.authorizing.key_set import keys_in
from kstream.testing.clock import VirtualClock
from tests.support.authorizing import KeySet
from tests.support.issuer import ec_jwk, rsa_jwk


def ids(*entries: Any) -> set[str | None]:
    return set(keys_in({"keys": list(entries)}))


def test_public_keys_are_taken_by_their_ids() -> None:
    assert ids(rsa_jwk("a"), ec_jwk("b")) == {"a", "b"}
    assert keys_in({"keys": [rsa_jwk("a", alg="PS256")]})["a"].algorithms == {"PS256"}
    without = rsa_jwk("a")
    del without["alg"], without["use"]
    assert keys_in({"keys": [without]})["a"].algorithms >= {"RS256", "PS512"}
    assert keys_in({"keys": [ec_jwk("b")]})["b"].algorithms == {"ES256"}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "key",
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "RS256"},
        rsa_jwk("a", use="enc"),
        rsa_jwk("a", key_ops=["encrypt"]),
        rsa_jwk("a", key_ops=7),
        rsa_jwk("a", alg="HS256"),
        rsa_jwk("a", alg="ES256"),
        rsa_jwk("a", alg=["RS256"]),
        rsa_jwk("a", kid=7),
        rsa_jwk("a", d="AQAB"),
        rsa_jwk("a", n="!!"),
        rsa_jwk("weak", 1024),
        ec_jwk("b", crv="P-999"),
        ec_jwk("b", crv=["P-256"]),
        ec_jwk("b", x="AA"),
    ],
)
def test_keys_that_cannot_be_trusted_are_left_out_and_the_log_shows_none_of_them(
    entry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert ids(entry, rsa_jwk("good")) == {"good"}
    assert "left out" in caplog.text
    assert "c2VjcmV0" not in caplog.text
    with pytest.raises(ValueError, match="no key that can be used"):
        keys_in({"keys": [entry]})


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    keys = keys_in({"keys": [rsa_jwk("a"), rsa_jwk("b", kid="a")]})
    assert keys["a"].key.public_numbers() == keys_in({"keys": [rsa_jwk("a")]})["a"].key.public_numbers()


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": []}, "keys", 7])
def test_what_is_no_key_set(document: Any) -> None:
    with pytest.raises(ValueError, match="key set"):
        keys_in(document)


def test_the_key_set_is_read_once_and_then_kept() -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock)
    assert key_set.readings == 0
    for _ in range(100):
        assert keys.key("k1") is not None
    assert key_set.readings == 1
    clock.advance(599)
    assert keys.key("k1") is not None
    assert key_set.readings == 1


def test_a_withdrawn_key_is_forgotten_when_the_key_set_is_read_anew() -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock, refresh_after=600)
    assert keys.key("k1") is not None
    key_set.document = {"keys": [rsa_jwk("k2")]}
    assert keys.key("k1") is not None
    clock.advance(600)
    assert keys.key("k1") is None
    assert keys.key("k2") is not None


def test_a_new_key_is_found_at_once() -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock)
    keys.key("k1")
    clock.advance(30)
    key_set.document = {"keys": [rsa_jwk("k1"), rsa_jwk("k2")]}
    assert keys.key("k2") is not None
    assert key_set.readings == 2


def test_invented_key_ids_do_not_make_us_hammer_the_issuer() -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock, retry_after=30)
    for second in range(300):
        assert keys.key(f"invented-{second}") is None
        clock.advance(1)
    assert key_set.readings == 10


def test_while_the_endpoint_is_down_keys_within_their_life_go_on_and_then_nobody_gets_in() -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock, refresh_after=600, lifetime=3_600, retry_after=30)
    keys.key("k1")
    key_set.error = FetchFailed("down")
    clock.advance(3_599)
    assert keys.key("k1") is not None
    clock.advance(1)
    for _ in range(50):
        with pytest.raises(AuthorizerUnavailable):
            keys.key("k1")
    assert key_set.readings == 2
    key_set.error = None
    clock.advance(30)
    assert keys.key("k1") is not None


def test_an_unknown_key_cannot_be_told_from_a_new_one_while_the_endpoint_is_down() -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock)
    keys.key("k1")
    clock.advance(31)
    key_set.error = FetchFailed("down")
    with pytest.raises(AuthorizerUnavailable):
        keys.key("k2")
    assert keys.key("k1") is not None


@pytest.mark.parametrize("broken", [{}, {"keys": []}, "text"])
def test_a_key_set_without_keys_does_not_replace_one_with_keys(broken: Any) -> None:
    key_set, clock = KeySet(), VirtualClock()
    keys = key_set.keys(clock)
    keys.key("k1")
    key_set.document = broken
    clock.advance(601)
    assert keys.key("k1") is not None


def test_a_key_set_that_was_never_read() -> None:
    key_set = KeySet()
    key_set.error = FetchFailed("down")
    with pytest.raises(AuthorizerUnavailable):
        key_set.keys().key("k1")


@pytest.mark.parametrize("times", [{"retry_after": 0}, {"refresh_after": 10}, {"lifetime": 60}])
def test_times_that_contradict_each_other(times: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        IssuerKeys(KeySet(), **times)  # type: ignore[arg-type]
