"""Evaluating an IAM policy: may this method be invoked?

IAM user guide, "Policy evaluation logic": an explicit Deny wins over every Allow, and what no statement allows is
refused. "IAM JSON policy elements: Resource": ``*`` is any run of characters, ``?`` any one, slashes included; a ``*``
that ends one of the segments between colons may reach beyond it, any other wildcard not.

Conditions, principals and policy variables are not evaluated here. A policy with one of them is refused whole: to skip a
condition could let somebody in.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from kstream.ingest.authorizing.policy import INVOKE

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RESOURCE_CHARACTERS: Final = 512
"""Of a resource in an authorizer's policy (developer guide, "Output from an API Gateway Lambda authorizer")."""

_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_FIELDS: Final = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource"}


class PolicyError(Exception):
    """It is no policy, or not one that can be evaluated here."""


class Effect(Enum):
    """What a policy comes to."""

    ALLOW = "allow"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"


class Statement(NamedTuple):
    """``actions`` and ``resources`` are patterns; negated, it applies to what none of them matches."""

    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool

    def applies(self, action: str, resource: str) -> bool:
        # Actions ignore case, resources do not.
        acts = any(matches(pattern.lower(), action.lower()) for pattern in self.actions) is not self.not_actions
        return acts and any(matches(pattern, resource) for pattern in self.resources) is not self.not_resources


class Policy(NamedTuple):
    statements: tuple[Statement, ...]

    @classmethod
    def parse(cls, document: Any) -> Policy:
        """Raises ``PolicyError``, which names what is wrong with it."""
        if not isinstance(document, dict) or document.get("Version") not in _VERSIONS:
            raise PolicyError(f"the policy has no Version of {' or '.join(_VERSIONS)}")
        given = document.get("Statement")
        statements = [given] if isinstance(given, dict) else given
        if not isinstance(statements, list) or not statements:
            raise PolicyError("the policy has no Statement")
        return cls(tuple(_statement(statement) for statement in statements))

    def effect(self, resource: str, action: str = INVOKE) -> Effect:
        """``resource``: a method's ARN."""
        effects = {statement.effect for statement in self.statements if statement.applies(action, resource)}
        if "Deny" in effects:
            return Effect.EXPLICIT_DENY
        return Effect.ALLOW if effects else Effect.IMPLICIT_DENY


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches the whole text. Takes time in proportion to the product of their lengths."""
    signs = _signs(pattern)
    places = _reach(signs, {0})
    colons = 0
    for character in text:
        # The sixth segment of an ARN is its last, and may hold colons of its own.
        fence = character == ":" and colons < 5
        colons += character == ":"
        places = _reach(signs, _step(signs, places, character, fence=fence))
        if not places:
            return False
    return len(signs) in places


def _step(signs: list[tuple[str, bool]], places: set[int], character: str, *, fence: bool) -> set[int]:
    following: set[int] = set()
    for place in places:
        if place == len(signs):
            continue
        sign, reaches_beyond = signs[place]
        if sign == "*" and (reaches_beyond or not fence):
            following.add(place)
        elif sign == character or (sign == "?" and not fence):
            following.add(place + 1)
    return following


def _reach(signs: list[tuple[str, bool]], places: set[int]) -> set[int]:
    """``places`` and those that are reached from them by a ``*`` that stands for nothing."""
    reached = set(places)
    for place in places:
        here = place
        while here < len(signs) and signs[here][0] == "*":
            here += 1
            reached.add(here)
    return reached


def _signs(pattern: str) -> list[tuple[str, bool]]:
    """The pattern's characters; each with whether it is a ``*`` that may reach beyond its segment."""
    return [
        (character, character == "*" and (place + 1 == len(pattern) or pattern[place + 1] == ":"))
        for place, character in enumerate(pattern)
    ]


def _statement(statement: Any) -> Statement:
    if not isinstance(statement, dict):
        raise PolicyError("a statement of the policy is no object")
    unknown = statement.keys() - _FIELDS
    if unknown:
        raise PolicyError(f"a statement has {', '.join(sorted(map(str, unknown)))}, which is not evaluated here")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError("a statement's Effect is neither Allow nor Deny")
    actions, not_actions = _either(statement, "Action")
    resources, not_resources = _either(statement, "Resource")
    for resource in resources:
        if len(resource) > MAX_RESOURCE_CHARACTERS:
            raise PolicyError(f"a statement's Resource has over {MAX_RESOURCE_CHARACTERS} characters")
        if "${" in resource:
            raise PolicyError("a statement's Resource has a policy variable, which is not evaluated here")
    return Statement(effect, actions, not_actions, resources, not_resources)


def _either(statement: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], bool]:
    negated = f"Not{name}"
    if (name in statement) == (negated in statement):
        raise PolicyError(f"a statement has one of {name} and {negated}")
    given = statement[negated] if negated in statement else statement[name]
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) and one for one in patterns):
        raise PolicyError(f"a statement's {name} is neither text nor a list of it")
    return tuple(patterns), negated in statement
