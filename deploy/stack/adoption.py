"""Takes over what stands already, with what it holds: CloudFormation's import, before the usual change.

An import changes nothing. It takes resources as they are into the stack, whose template therefore first says how they are;
the update that follows makes them what ``pipeline.toml`` says, and the rest with them.

The rules of an import are those of the CloudFormation User Guide, "Import AWS resources into a CloudFormation stack":
every resource has a DeletionPolicy and its identifier, nothing else changes, no output either, and a resource belongs to
one stack alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deploy.config.problems import listed
from deploy.stack import artifacts, changes
from deploy.stack.errors import CannotAdopt
from deploy.stack.standing import standing
from deploy.stack.state import PIPELINE_TAG, Phase, owned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.stack.account import Account
    from deploy.stack.changes import Change, ChangeSet
    from deploy.stack.following import Patience
    from deploy.stack.standing import Standing
    from deploy.stack.state import State
    from deploy.stacks import Stack

_KEEP = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def adoptable(account: Account, stack: Stack, state: State) -> list[Standing]:
    """What ``up --adopt`` would take into the stack. Raises ``CannotAdopt`` for what another one has to be made for."""
    found = standing(account, stack, owned(account, state))
    for one in found:
        _require_same_keys(one, stack.template["Resources"][one.logical_id]["Properties"])
    return found


def marked(planned: Sequence[Change], found: Sequence[Standing]) -> tuple[Change, ...]:
    """The changes of a plan, where those that make what is there already become its adoption."""
    there = {one.logical_id for one in found}
    return tuple(
        replace(change, action="adopt") if change.action == "create" and change.logical_id in there else change
        for change in planned
    )


def make(
    account: Account,
    stack: Stack,
    state: State,
    found: Sequence[Standing],
    *,
    pipeline: str,
    bucket: str,
    patience: Patience,
) -> ChangeSet:
    """The change set that imports ``found`` and does nothing else. Raises ``CannotAdopt``, ``ChangeRefused``."""
    from botocore.exceptions import ClientError

    template = importing(_present(account, state), found)
    try:
        return changes.send(
            account,
            replace(stack, template=template),
            patience,
            ChangeSetType="IMPORT",
            ResourcesToImport=[
                {
                    "ResourceType": one.kind,
                    "LogicalResourceId": one.logical_id,
                    "ResourceIdentifier": dict(one.identifier),
                }
                for one in found
            ],
            Capabilities=list(stack.capabilities),
            Parameters=[{"ParameterKey": name, "UsePreviousValue": True} for name in template.get("Parameters", ())],
            Tags=[{"Key": key, "Value": value} for key, value in {**stack.tags, PIPELINE_TAG: pipeline}.items()],
            **artifacts.template(account, bucket, replace(stack, template=template), pipeline),
        )
    except ClientError as error:
        if not account.emulated:
            raise
        names = listed(dict.fromkeys(one.name for one in found))
        raise CannotAdopt(
            f"{stack.name}: what stands in for AWS here has no import of CloudFormation's (LocalStack 4.14.0 has none), so "
            f"{names} cannot be taken over. `down --delete-data NAME` deletes what an earlier `down` kept; or give "
            "what is in the file another name",
            "plan",
        ) from error


def importing(present: Mapping[str, Any], found: Sequence[Standing]) -> dict[str, Any]:
    """The template of an import: what the stack has, word for word, and ``found`` as it is."""
    taken = {one.logical_id: {"Type": one.kind, **_KEEP, "Properties": dict(one.properties)} for one in found}
    return {**present, "Resources": {**present.get("Resources", {}), **taken}}


def _present(account: Account, state: State) -> Mapping[str, Any]:
    """The template that the stack has now."""
    if state.phase in (Phase.ABSENT, Phase.BEGUN):
        return {"AWSTemplateFormatVersion": "2010-09-09"}
    return changes.present(account, state.name)


def _require_same_keys(one: Standing, wanted: Mapping[str, Any]) -> None:
    """A table's keys are for ever: with others it would be another table, and this one's items be left behind."""
    if one.kind != "AWS::DynamoDB::Table":
        return
    is_, should = _keys(one.properties), _keys(wanted)
    if is_ != should:
        raise CannotAdopt(
            f"the table {one.name} has the keys {is_}, and pipeline.toml says {should}: keys cannot be changed. Say the "
            "table's own in pipeline.toml, or give the new one another physical_name",
            "plan",
        )


def _keys(properties: Mapping[str, Any]) -> str:
    kinds = {one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]}
    return listed(
        f"{key['AttributeName']} ({key['KeyType']}, {kinds[key['AttributeName']]})" for key in properties["KeySchema"]
    )
