"""Evaluating IAM policies, against a model by regular expressions and against AWS's own rules."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kstream.ingest.enforcing.evaluation import Effect, Policy, PolicyError, matches

STAGE = "arn:aws:execute-api:us-east-1:000000000000:local/local"
ORDERS = f"{STAGE}/POST/streams/orders/records"

TEXTS = st.text("ab:/", max_size=12)
PATTERNS = st.text("ab:/*?", max_size=10)


def model(pattern: str, text: str) -> bool:
    """The documentation as a regular expression: segments between the first five colons, wildcards inside them, and a
    last ``*`` of a segment that may reach beyond it. Colons of the sixth segment are plain characters."""
    fence = "\x00"
    fenced = text.replace(":", fence, 5)
    expression = ""
    for place, character in enumerate(pattern):
        last = place + 1 == len(pattern) or pattern[place + 1] == ":"
        match character:
            case "*":
                expression += ".*" if last else f"[^{fence}]*"
            case "?":
                expression += f"[^{fence}]"
            case ":":
                expression += f"[:{fence}]"
            case _:
                expression += re.escape(character)
    return re.fullmatch(expression, fenced, re.DOTALL) is not None


@settings(max_examples=1_000)
@given(PATTERNS, TEXTS)
@example("*", "")
@example("a*b", "a:b")
@example("a*:b", "a:a:b")
@example("*?*", "a")
def test_wildcards_match_as_documented(pattern: str, text: str) -> None:
    assert matches(pattern, text) == model(pattern, text)


@given(TEXTS)
def test_a_text_without_wildcards_matches_itself_alone(text: str) -> None:
    assert matches(text, text)
    assert not matches(text, text + "a")
    assert matches("*", text)


def test_many_wildcards_take_no_time() -> None:
    assert not matches("*a" * 200, "a" * 199 + "b")


STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.sampled_from(
            ["execute-api:Invoke", "execute-api:*", "*", "EXECUTE-API:invoke", "kinesis:PutRecord"]
        ),
        "Resource": st.lists(
            st.sampled_from(["*", ORDERS, f"{ORDERS}*", f"{STAGE}/*", f"{STAGE}/POST/streams/clicks/records", "a"]),
            min_size=1,
            max_size=3,
        ),
    }
)


@given(
    st.lists(STATEMENTS, min_size=1, max_size=5), st.sampled_from([ORDERS, f"{ORDERS}/batch", f"{STAGE}/GET/health"])
)
def test_an_explicit_deny_wins_and_silence_is_a_refusal(statements: list[dict[str, Any]], asked: str) -> None:
    def applies(statement: dict[str, Any]) -> bool:
        return model(statement["Action"].lower(), "execute-api:invoke") and any(
            model(resource, asked) for resource in statement["Resource"]
        )

    effects = [statement["Effect"] for statement in statements if applies(statement)]
    expected = Effect.EXPLICIT_DENY if "Deny" in effects else Effect.ALLOW if effects else Effect.IMPLICIT_DENY
    for order in (statements, statements[::-1]):
        assert Policy.parse({"Version": "2012-10-17", "Statement": order}).effect(asked) is expected


def evaluated(asked: str = ORDERS, **statement: Any) -> Effect:
    given = {"Effect": "Allow", "Action": "execute-api:Invoke", **statement}
    return Policy.parse({"Version": "2012-10-17", "Statement": given}).effect(asked)


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (f"{STAGE}/POST/streams/orders/*", True),
        (f"{STAGE}/*/streams/orders/records", True),
        (f"{STAGE}/POST/streams/order?/records", True),
        (f"{STAGE}/POST/streams/orders?/records", False),
        ("arn:aws:execute-api:*", True),
        ("arn:aws:execute-api:us-*-1:000000000000:local/*", True),
        ("arn:aws:execute-api:eu-*-1:000000000000:local/*", False),
        (f"{STAGE}/post/streams/orders/records", False),
        (f"{STAGE}/POST/streams/Orders/records", False),
        (f"{STAGE}/POST/streams/orders/records/batch", False),
        (f"{STAGE}/POST/streams/orders/records/", False),
        (STAGE, False),
    ],
)
def test_resources(resource: str, allowed: bool) -> None:
    assert (evaluated(Resource=resource) is Effect.ALLOW) == allowed


def test_negated_elements() -> None:
    assert evaluated(NotResource="arn:aws:s3:::x") is Effect.ALLOW
    assert evaluated(NotResource=[ORDERS]) is Effect.IMPLICIT_DENY
    policy = {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}
    assert Policy.parse({"Version": "2012-10-17", "Statement": [policy]}).effect(ORDERS) is Effect.ALLOW


@pytest.mark.parametrize(
    "document",
    [
        None,
        "policy",
        [],
        {},
        {"Version": "2012-10-17"},
        {"Version": "2012-10-17", "Statement": []},
        {"Version": "2012-10-17", "Statement": ["Allow"]},
        {"Version": "2099-01-01", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    ],
)
def test_what_is_no_policy_is_refused(document: Any) -> None:
    with pytest.raises(PolicyError):
        Policy.parse(document)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "allow", "Resource": "*"},
        {"Effect": None, "Resource": "*"},
        {"Resource": None},
        {"Resource": []},
        {"Resource": [""]},
        {"Resource": [7]},
        {},
        {"Resource": "*", "NotResource": "x"},
        {"Resource": "*", "NotAction": "x"},
        {"Resource": "x" * 513},
        {"Resource": "arn:aws:execute-api:${aws:PrincipalTag/region}:*"},
        {"Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
        {"Resource": "*", "Principal": "*"},
    ],
)
def test_a_statement_that_cannot_be_evaluated_is_never_just_skipped(statement: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        evaluated(**statement)
