"""A network does not shrink under those who stand in it: first it grows, then they move, then it shrinks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.stacks import Stack


def widened(stack: Stack, present: Mapping[str, Any]) -> Stack | None:
    """The stack with what it has now and is to lose, as it is; None if it is to lose nothing.

    ``present``: the template that it has now. What both have is as the new template says. What is to go may have parameters
    that the new one has not, and a role. It can be asked again at any time: of a stack that is widened already, and of
    one that is not.
    """
    going = {name: body for name, body in present["Resources"].items() if name not in stack.template["Resources"]}
    if not going:
        return None
    both: dict[str, Any] = {"Resources": {**stack.template["Resources"], **going}}
    if parameters := {**present.get("Parameters", {}), **stack.template.get("Parameters", {})}:
        both["Parameters"] = parameters
    return replace(stack, template={**stack.template, **both}, capabilities=("CAPABILITY_IAM",))
