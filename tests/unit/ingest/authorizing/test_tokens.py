"""Verifying tokens: every published way to forge or borrow one."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.key_set import ALGORITHMS
from kstream.ingest.authorizing.tokens import JwtVerifier, TokenRefused
from tests.support.authorizing import KeySet
from tests.support.issuer import (
    AUDIENCE,
    ISSUER,
    claims,
    confused_token,
    ec_jwk,
    ec_token,
    rsa_jwk,
    rsa_key,
    token,
    unsigned_token,
)


def verifier(*, key_set: KeySet | None = None, **options: Any) -> JwtVerifier:
    merged: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE} | options
    return JwtVerifier((key_set or KeySet()).keys(), **merged)


def refusal(offered: str, **options: Any) -> str:
    with pytest.raises(TokenRefused) as caught:
        verifier(**options).verify(offered)
    return str(caught.value)


def test_a_good_token_s_claims_come_back() -> None:
    assert verifier().verify(token())["sub"] == "shop"
    assert verifier(algorithms=["RS256", "ES256"]).verify(ec_token())["sub"] == "shop"
    assert verifier(audience=["other", AUDIENCE]).verify(token(aud=["x", AUDIENCE]))["sub"] == "shop"


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": NOW - 3_600}, "it has expired"),
        ({"exp": None}, "it lacks exp or iss"),
        ({"exp": "tomorrow"}, "it cannot be read as a JWT"),
        ({"exp": "9999999999"}, "it names a time that is no number"),
        ({"exp": True}, "it has expired"),
        ({"nbf": "1"}, "it names a time that is no number"),
        ({"iat": "1"}, "it names a time that is no number"),
        ({"iat": True}, "it names a time that is no number"),
        ({"exp": [1]}, "it cannot be read as a JWT"),
        ({"exp": float("inf")}, "it cannot be read as a JWT"),
        ({"nbf": NOW + 86_400}, "it is not valid yet"),
        ({"iat": NOW + 86_400}, "it is not valid yet"),
        ({"iss": None}, "it lacks exp or iss"),
        ({"iss": "https://issuer.test"}, "it is from another issuer"),
        ({"iss": "https://evil.test/"}, "it is from another issuer"),
        ({"aud": None}, "it is for another audience"),
        ({"aud": "ingest2"}, "it is for another audience"),
        ({"aud": []}, "it is for another audience"),
        ({"aud": ["ing", "est"]}, "it is for another audience"),
        ({"aud": {"ingest": 1}}, "it is for another audience"),
        ({"aud": None, "client_id": AUDIENCE}, "it is for another audience"),
    ],
)
def test_claims_that_do_not_fit(changed: dict[str, Any], reason: str) -> None:
    if changed.get("iss") is not None or "iss" not in changed:
        assert refusal(token(**changed)) == reason
    else:
        assert refusal(token(iss=None)) == reason


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    just_now = int(time.time()) - 5
    assert verifier(leeway=60).verify(token(exp=just_now))
    assert refusal(token(exp=just_now), leeway=0) == "it has expired"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_no_signature_at_all(alg: str) -> None:
    assert refusal(unsigned_token(alg)) == "its algorithm is not allowed"


def test_the_public_key_as_a_shared_secret() -> None:
    """Key confusion: anybody has the public key, so anybody could sign."""
    assert refusal(confused_token()) == "its algorithm is not allowed"


def test_another_key_under_a_known_kid() -> None:
    forged = jwt.encode(claims(), rsa_key("evil"), "RS256", {"kid": "k1"})
    assert refusal(forged) == "its signature does not fit"


def test_a_changed_payload() -> None:
    head, _, signature = token().split(".")
    other = token(sub="admin").split(".")[1]
    assert refusal(f"{head}.{other}.{signature}") == "its signature does not fit"


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    jwk = rsa_jwk("evil")
    for headers in ({"jwk": jwk}, {"jku": "https://evil.test/keys"}, {"x5u": "https://evil.test/keys"}):
        forged = jwt.encode(claims(), rsa_key("evil"), "RS256", {"kid": "k1", **headers})
        assert refusal(forged) == "its signature does not fit"


def test_an_unknown_kid_and_a_kid_that_is_no_text() -> None:
    assert refusal(token("unknown")) == "the issuer has no key of this kid"
    for kid in ("../../etc/passwd", "k1' OR '1'='1", ""):
        assert refusal(token(headers={"kid": kid})) == "the issuer has no key of this kid"
    head = {"alg": "RS256", "kid": ["k1"]}
    forged = token().split(".")
    forged[0] = unsigned_token().split(".")[0] and jwt.utils.base64url_encode(json.dumps(head).encode()).decode()
    assert refusal(".".join(forged))


def test_without_a_kid_the_issuer_s_only_key_is_meant() -> None:
    bare = jwt.encode(claims(), rsa_key("k1"), "RS256")
    assert verifier(key_set=KeySet(rsa_jwk("k1"))).verify(bare)
    assert refusal(bare) == "the issuer has no key of this kid"


def test_an_algorithm_must_be_allowed_and_must_be_the_key_s() -> None:
    assert refusal(ec_token()) == "its algorithm is not allowed"
    stronger = jwt.encode(claims(), rsa_key("k1"), "RS512", {"kid": "k1"})
    assert refusal(stronger, algorithms=["RS256", "RS512"]) == "its algorithm is not that of the key"
    assert (
        refusal(token(headers={"kid": "e1"}), algorithms=["RS256", "ES256"]) == "its algorithm is not that of the key"
    )
    free = KeySet(rsa_jwk("k1", alg=None) | {"alg": "RS512"})
    assert verifier(key_set=free, algorithms=["RS512"]).verify(stronger)


def test_a_token_that_is_refused_for_its_algorithm_does_not_make_us_read_the_key_set() -> None:
    key_set = KeySet()
    for offered in (unsigned_token(), confused_token(), ec_token(), "x", "a.b.c"):
        refusal(offered, key_set=key_set)
    assert key_set.readings == 0


def test_client_ids_in_place_of_an_audience() -> None:
    """Cognito's access tokens have no ``aud``. An ``aud`` for another service is not healed by a ``client_id``."""
    access = token(aud=None, client_id=AUDIENCE)
    assert verifier(audience_claim="client_id").verify(access)
    assert verifier(audience_claim="either").verify(access)
    assert verifier(audience_claim="either").verify(token())
    assert refusal(token(aud="other", client_id=AUDIENCE), audience_claim="either") == "it is for another audience"
    assert refusal(token(), audience_claim="client_id") == "it is for another audience"


def test_further_claims_may_be_required() -> None:
    assert verifier(required={"token_use": "access"}).verify(token(token_use="access"))
    for value in (None, "id", ["access"]):
        assert "token_use" in refusal(token(token_use=value), required={"token_use": "access"})


@pytest.mark.parametrize(
    "offered",
    ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "é.é.é", "\ud800", "Bearer x", "x" * 20_000, "e30" * 3_000],
)
def test_what_is_no_token(offered: str) -> None:
    assert refusal(offered)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.data())
def test_no_change_to_a_token_gets_in_or_raises_anything_else(data: st.DataObject) -> None:
    parts = token(exp=2_000_000_000, iat=1_700_000_000).split(".")
    which = data.draw(st.integers(0, 2))
    kind = data.draw(st.sampled_from(["json", "text", "flip"]))
    if kind == "json":
        value = data.draw(st.recursive(st.none() | st.text() | st.integers() | st.booleans(), st.lists, max_leaves=4))
        header = data.draw(st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ"]), st.just(value)))
        changed = jwt.utils.base64url_encode(json.dumps(header).encode()).decode()
    elif kind == "text":
        changed = data.draw(st.text(max_size=50))
    else:
        at = data.draw(st.integers(0, len(parts[which]) - 2))
        changed = parts[which][:at] + ("A" if parts[which][at] != "A" else "B") + parts[which][at + 1 :]
    parts[which] = changed
    with pytest.raises(TokenRefused) as caught:
        verifier().verify(".".join(parts))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS384", "HS512", "RS1", "*"])
def test_algorithms_that_anybody_could_sign_with_cannot_be_allowed(algorithm: str) -> None:
    for algorithms in ([algorithm], ["RS256", algorithm], algorithm):
        with pytest.raises(ConfigurationError, match="shared secret"):
            verifier(algorithms=algorithms)
    assert not [name for name in ALGORITHMS if name.startswith("HS") or name == "none"]


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"audience": ""},
        {"audience": []},
        {"audience": [""]},
        {"algorithms": []},
        {"leeway": -1},
        {"leeway": 301},
    ],
)
def test_a_verifier_that_would_check_nothing_cannot_be_built(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        verifier(**options)


def test_refusals_repeat_nothing_of_the_token() -> None:
    for offered in (token(aud="s3cr3t"), token(iss="s3cr3t"), unsigned_token("s3cr3t"), token("s3cr3t"), "s3cr3t"):
        assert "s3cr3t" not in refusal(offered)


def test_keys_of_the_elliptic_curve_need_no_alg() -> None:
    assert verifier(key_set=KeySet(ec_jwk("e1")), algorithms=["ES256"]).verify(ec_token())
