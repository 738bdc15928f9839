"""What would change, by CloudFormation's own judgement: its change sets, read into values."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from deploy.stack import artifacts
from deploy.stack.errors import ChangeRefused, DeadlinePassed
from deploy.stack.refusals import refused
from deploy.stack.state import PIPELINE_TAG, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploy.stack.account import Account
    from deploy.stack.following import Patience
    from deploy.stack.state import State
    from deploy.stacks import Stack

Action = Literal["create", "adopt", "modify", "replace", "remove"]

HOLD_DATA = {
    "AWS::Kinesis::Stream": "stream",
    "AWS::S3::Bucket": "bucket",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "queue",
}
# CloudFormation says so by a failed change set, and in words that differ by what was asked.
_NOTHING = re.compile(r"didn't contain changes|No updates are to be performed", re.IGNORECASE)
_WORDS: dict[str, Action] = {"Add": "create", "Modify": "modify", "Remove": "remove", "Import": "adopt"}


@dataclass(frozen=True, slots=True)
class Change:
    """One resource. ``because``: the settings that change. ``certain`` is False where only doing it will show whether the
    resource is replaced. ``loses_data``: what it holds goes with it. ``leaves_data``: what it holds stays, under nobody's
    care, and, where it is replaced, a new empty one takes its place. ``name``: what AWS calls it, if it is there."""

    action: Action
    logical_id: str
    kind: str
    because: tuple[str, ...] = ()
    certain: bool = True
    loses_data: bool = False
    leaves_data: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """``id`` is None if there is nothing to change."""

    id: str | None
    stack_id: str
    changes: tuple[Change, ...]


def creation(stack: Stack) -> tuple[Change, ...]:
    """The changes of a stack that is not there: everything is made."""
    return tuple(Change("create", name, body["Type"]) for name, body in stack.template["Resources"].items())


def make(
    account: Account,
    stack: Stack,
    state: State,
    parameters: Mapping[str, str | None],
    *,
    pipeline: str,
    bucket: str,
    patience: Patience,
) -> ChangeSet:
    """Has CloudFormation compare. Raises ``ChangeRefused``. What has no value keeps the one that it has."""
    if unknown := sorted(set(parameters) - _known(parameters, state)):
        raise ChangeRefused(
            f"{stack.name}: {', '.join(unknown)} comes from a stack before, which does not say it yet", "up"
        )
    return send(
        account,
        stack,
        patience,
        ChangeSetType="UPDATE" if state.phase is Phase.READY else "CREATE",
        Capabilities=list(stack.capabilities),
        Parameters=[
            {"ParameterKey": name, "UsePreviousValue": True}
            if value is None
            else {"ParameterKey": name, "ParameterValue": value}
            for name, value in parameters.items()
        ],
        Tags=[{"Key": key, "Value": value} for key, value in {**stack.tags, PIPELINE_TAG: pipeline}.items()],
        **artifacts.template(account, bucket, stack, pipeline),
    )


def send(account: Account, stack: Stack, patience: Patience, **asked: Any) -> ChangeSet:
    """Has CloudFormation compare what is ``asked`` with what is there. Raises ``ChangeRefused``."""
    made = account.cloudformation.create_change_set(
        StackName=stack.name, ChangeSetName=f"kstream-{uuid.uuid4().hex}", **asked
    )
    found = _finished(account, made["Id"], stack.name, patience)
    if found["Status"] == "FAILED":
        reason = found.get("StatusReason") or "CloudFormation gives no reason"
        nothing = _NOTHING.search(reason) is not None
        error = None if nothing else refused(account, stack.name, made["Id"], reason)
        discard(account, made["Id"])
        if error is not None:
            raise error
        return ChangeSet(None, made["StackId"], ())
    return ChangeSet(made["Id"], made["StackId"], tuple(_changes(account, made["Id"], stack)))


def discard(account: Account, change_set: str) -> None:
    account.cloudformation.delete_change_set(ChangeSetName=change_set)


def _known(parameters: Mapping[str, str | None], state: State) -> set[str]:
    return {name for name, value in parameters.items() if value is not None or name in state.parameters}


def _finished(account: Account, change_set: str, stack: str, patience: Patience) -> Mapping[str, Any]:
    until = patience.clock() + patience.limit
    while True:
        found: Mapping[str, Any] = account.cloudformation.describe_change_set(ChangeSetName=change_set)
        if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return found
        if patience.clock() >= until:
            raise DeadlinePassed(f"{stack}: CloudFormation still compares after {patience.limit:,.0f} s", "plan")
        patience.sleep(min(patience.pause, 1.0))


def _changes(account: Account, change_set: str, stack: Stack) -> Iterator[Change]:
    pages = account.cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
    found = [one["ResourceChange"] for page in pages for one in page["Changes"] if "ResourceChange" in one]
    unsaid = any(one["Action"] == "Remove" and "PolicyAction" not in one for one in found)
    has = present(account, stack.name)["Resources"] if unsaid and account.emulated else {}
    for one in found:
        yield read(one, stack, has)


def present(account: Account, name: str) -> Mapping[str, Any]:
    """The template that the stack has now."""
    found: Mapping[str, Any] = account.cloudformation.get_template(StackName=name, TemplateStage="Original")[
        "TemplateBody"
    ]
    return found


def read(found: Mapping[str, Any], stack: Stack, has: Mapping[str, Any]) -> Change:
    """One ``ResourceChange`` of CloudFormation's. ``has``: the resources that the stack has now, of an emulator's."""
    logical_id, kind = found["LogicalResourceId"], found["ResourceType"]
    replacement = found.get("Replacement", "False")
    action = _WORDS.get(found["Action"], "modify")
    if action == "modify" and replacement != "False":
        action = "replace"
    goes = action in ("replace", "remove") and kind in HOLD_DATA
    kept = goes and _kept(found, action, stack.template["Resources"].get(logical_id, {}), has.get(logical_id, {}))
    targets = (detail.get("Target", {}) for detail in found.get("Details", ()))
    because = {target.get("Name") or target.get("Attribute"): None for target in targets}
    return Change(
        action=action,
        logical_id=logical_id,
        kind=kind,
        because=tuple(name for name in because if name),
        certain=replacement != "Conditional",
        loses_data=goes and not kept,
        leaves_data=kept,
        name=found.get("PhysicalResourceId", ""),
    )


def _kept(found: Mapping[str, Any], action: Action, wanted: Mapping[str, Any], has: Mapping[str, Any]) -> bool:
    """By what CloudFormation says. An emulator does not: then what is replaced follows the new template, and what is removed
    the one that still has it."""
    said = found.get("PolicyAction")
    if said is not None:
        return "Retain" in said
    if action == "replace":
        return bool(wanted.get("UpdateReplacePolicy") == "Retain")
    return bool(has.get("DeletionPolicy") == "Retain")
