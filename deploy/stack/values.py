"""The values of a stack's parameters, found where ``deploy.stacks`` says that they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.stack.errors import ChangeRefused
from deploy.stack.state import state_of
from deploy.stacks import ArtifactOf, OutputOf, PrefixListOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.stack.account import Account
    from deploy.stack.state import State
    from deploy.stacks import Parameter, Stack


@dataclass(frozen=True, slots=True)
class Artifacts:
    """``keys``: of each consumer's package in the bucket. ``layers``: likewise, of those that have one."""

    bucket: str
    keys: Mapping[str, str]
    layers: Mapping[str, str] = field(default_factory=dict)


def values(account: Account, stack: Stack, artifacts: Artifacts) -> dict[str, str | None]:
    """Each parameter's value; None for the output of a stack that is not there yet, or has not that output yet."""
    states: dict[str, State] = {}
    found: dict[str, str | None] = {}
    for name, parameter in stack.parameters.items():
        if isinstance(parameter, OutputOf):
            if parameter.stack not in states:
                states[parameter.stack] = state_of(account, parameter.stack)
            found[name] = states[parameter.stack].outputs.get(parameter.output)
        else:
            found[name] = _value(account, parameter, artifacts)
    return found


def _value(account: Account, parameter: Parameter, artifacts: Artifacts) -> str:
    if isinstance(parameter, PrefixListOf):
        return _prefix_list(account, f"com.amazonaws.{account.region}.{parameter.service}")
    if isinstance(parameter, ArtifactOf):
        if parameter.part == "bucket":
            return artifacts.bucket
        return (artifacts.layers if parameter.part == "layer" else artifacts.keys)[parameter.consumer]
    assert isinstance(parameter, str)
    return parameter


def _prefix_list(account: Account, name: str) -> str:
    wanted = [{"Name": "prefix-list-name", "Values": [name]}]
    lists = account.client("ec2").describe_managed_prefix_lists(Filters=wanted)["PrefixLists"]
    if not lists:
        raise ChangeRefused(f"{account.region} has no prefix list {name}: is the region's name right?", "status")
    return str(lists[0]["PrefixListId"])
