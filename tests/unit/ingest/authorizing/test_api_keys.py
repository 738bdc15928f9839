"""The authorizer for API keys of one's own."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest import ApiKeyAuthorizer, AuthorizationRequest, Deny, Grant, KeyHolder, hash_api_key, new_api_key
from tests.support.authorizing import request_event, token_event

# The same in every process: they are part of test ids, which all workers must agree on.
KEYS = {name: sha256(name.encode()).hexdigest()[:43] for name in ("shop", "till", "app")}
HOLDERS = [KeyHolder(name, hash_api_key(key), [f"{name}-stream"]) for name, key in KEYS.items()]


def decide(event: dict[str, Any], **options: Any) -> Grant | Deny:
    return ApiKeyAuthorizer(HOLDERS, **options).authorize(AuthorizationRequest.from_event(event))


@pytest.mark.parametrize("name", KEYS)
def test_each_key_opens_its_holder_s_streams(name: str) -> None:
    granted = Grant(name, [f"{name}-stream"])
    assert decide(request_event({"X-API-Key": KEYS[name]})) == granted
    assert decide(token_event(KEYS[name])) == granted
    assert decide(request_event({"x-shop-key": KEYS[name]}), header="X-Shop-Key") == granted


@pytest.mark.parametrize(
    "offered",
    ["", "x", KEYS["shop"][:-1], KEYS["shop"] + "x", HOLDERS[0].key_hash, HOLDERS[0].key_hash[7:], "\udc80é😀"],
)
def test_anything_else_is_nobody_s_key(offered: str) -> None:
    denied = decide(request_event({"x-api-key": offered}))
    assert isinstance(denied, Deny)
    assert denied.status == 401


def test_every_key_is_compared_in_constant_time_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def counting(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    for key in [*KEYS.values(), "nobody's"]:
        compared.clear()
        decide(request_event({"x-api-key": key}))
        assert [one for one, _ in compared] == [holder.key_hash for holder in HOLDERS]
        assert all(len(other) == len("sha256:") + 64 for _, other in compared)


def test_keys_are_long_random_and_kept_as_hashes() -> None:
    assert len({new_api_key() for _ in range(100)}) == 100
    assert len(new_api_key()) >= 40
    assert KEYS["shop"] not in repr(HOLDERS)
    with pytest.raises(ConfigurationError, match="at least 20"):
        hash_api_key("short")


@pytest.mark.parametrize("key_hash", ["", KEYS["shop"], "sha256:", "sha256:" + "G" * 64, "md5:" + "0" * 32])
def test_a_key_in_place_of_its_hash_is_refused_and_not_repeated(key_hash: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        KeyHolder("shop", key_hash, ["orders"])
    assert len(key_hash) < 20 or key_hash not in str(caught.value)


def test_holders_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        ApiKeyAuthorizer([])
    with pytest.raises(ConfigurationError, match="same key"):
        ApiKeyAuthorizer([HOLDERS[0], KeyHolder("other", HOLDERS[0].key_hash, ["x"])])
    with pytest.raises(ConfigurationError):
        KeyHolder("shop", HOLDERS[0].key_hash, ["*"])
