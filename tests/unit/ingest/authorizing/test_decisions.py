"""Grants and denials, and the policies that say them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.arn import MethodArn
from kstream.ingest.authorizing.decisions import ALL_STREAMS, Deny, Grant
from kstream.ingest.authorizing.policy import MAX_ANSWER_BYTES, AnswerTooLarge, answer, denial
from kstream.ingest.contract import STREAM_NAME
from kstream.ingest.enforcing.evaluation import Effect, Policy
from tests.support.authorizing import ARN, STAGE, resources

NAMES = st.text("abcABC019_.-", min_size=1, max_size=20).filter(STREAM_NAME.fullmatch)
ORDERS = MethodArn.parse(ARN)


def test_a_grant_names_every_stream_and_not_only_the_one_asked_for() -> None:
    """API Gateway keeps the policy for the caller: with the asked method alone, the next stream would get a 403."""
    effect, named = resources(answer(Grant("shop", ["orders", "clicks"]), ORDERS))
    assert effect == "Allow"
    assert named == [f"{STAGE}/POST/streams/clicks/records*", f"{STAGE}/POST/streams/orders/records*"]


def test_a_grant_s_context_and_usage_key_go_along() -> None:
    given = answer(Grant("shop", ["orders"], {"tier": "gold", "n": 1, "x": 0.5, "ok": True}, "usage-key"), ORDERS)
    assert given["principalId"] == "shop"
    assert given["context"] == {"tier": "gold", "n": 1, "x": 0.5, "ok": True}
    assert given["usageIdentifierKey"] == "usage-key"
    bare = answer(Grant("shop", ["orders"]), ORDERS)
    assert set(bare) == {"principalId", "policyDocument"}


@pytest.mark.parametrize("decision", [Deny("no"), Grant("shop", [])])
def test_a_denial_is_for_the_whole_stage(decision: Any) -> None:
    assert resources(answer(decision, ORDERS)) == ("Deny", [f"{STAGE}/*"])
    assert resources(denial("unknown", None)) == ("Deny", ["*"])


@given(st.sets(NAMES, max_size=8), st.one_of(NAMES, st.none()), st.sampled_from(["", "/batch"]))
def test_a_policy_lets_into_exactly_the_granted_streams(granted: set[str], asked: str | None, operation: str) -> None:
    policy = Policy.parse(answer(Grant("p", granted), ORDERS)["policyDocument"])
    for name in {*granted, asked} - {None}:
        allowed = policy.effect(f"{STAGE}/POST/streams/{name}/records{operation}") is Effect.ALLOW
        assert allowed == (name in granted)
    for path in ("GET/health", "POST/streams", "GET/streams/x/records", "DELETE/streams/x/records"):
        assert policy.effect(f"{STAGE}/{path}") is not Effect.ALLOW


def test_all_streams_are_all_of_this_stage_and_no_other_operation() -> None:
    policy = Policy.parse(answer(Grant("p", ALL_STREAMS), ORDERS)["policyDocument"])
    assert policy.effect(f"{STAGE}/POST/streams/anything/records/batch") is Effect.ALLOW
    assert policy.effect(f"{STAGE}/GET/streams/anything/records") is Effect.IMPLICIT_DENY
    assert policy.effect(f"{STAGE.replace('prod', 'test')}/POST/streams/x/records") is Effect.IMPLICIT_DENY


def test_a_list_that_api_gateway_would_not_take_is_an_error_and_never_cut_short() -> None:
    fits = 80
    assert len(json.dumps(answer(Grant("p", [f"stream-{n:03}" for n in range(fits)]), ORDERS))) <= MAX_ANSWER_BYTES
    with pytest.raises(AnswerTooLarge, match="ALL_STREAMS"):
        answer(Grant("p", [f"stream-{n:03}" for n in range(200)]), ORDERS)
    with pytest.raises(AnswerTooLarge):
        answer(Grant("p", ["orders"], {"note": "x" * MAX_ANSWER_BYTES}), ORDERS)


@pytest.mark.parametrize(
    "streams",
    [
        "orders",
        ["*"],
        ["."],
        [".."],
        ["orders*"],
        ["or?ers"],
        ["a/b"],
        ["${aws:username}"],
        [""],
        [None],
        [7],
        7,
        None,
        ["orders\n"],
    ],
)
def test_names_that_are_none_or_are_wildcards_cannot_be_granted(streams: Any) -> None:
    with pytest.raises(ConfigurationError):
        Grant("shop", streams)


@pytest.mark.parametrize("value", [None, [], {}, b"x", float("nan"), float("inf"), object()])
def test_context_takes_text_numbers_and_booleans_only(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"context|text, numbers"):
        Grant("shop", ["orders"], {"key": value})


@pytest.mark.parametrize(
    "arguments",
    [{"principal": ""}, {"principal": None}, {"context": {7: "x"}}, {"context": {"": "x"}}, {"usage_key": ""}],
)
def test_other_things_that_api_gateway_would_refuse(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Grant(**{"principal": "shop", "streams": ["orders"], **arguments})


def test_a_grant_s_repr_hides_its_usage_key_and_its_streams_are_frozen() -> None:
    grant = Grant("shop", ["orders", "orders"], usage_key="s3cr3t")
    assert "s3cr3t" not in repr(grant)
    assert grant.streams == frozenset({"orders"})
    assert grant.covers("orders")
    assert not grant.covers("clicks")
    assert Grant("shop", ALL_STREAMS).covers("clicks")
