"""CloudFormation with its rules of import, which no emulator has, in front of services that are real.

What is asked and answered has the shapes of botocore's own description of the service. A template's resources are not
made, but for their names: the tests that use it adopt what stands in an emulator. The rules are those of the CloudFormation
User Guide: "Import AWS resources into a CloudFormation stack", and "Stack failure options" for what a failure leaves.
"""

# ruff: noqa: N803 - the arguments are CloudFormation's own
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

IDENTIFIERS = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::Queue": "QueueUrl",
}
_ACCOUNT = "000000000000"
_MODEL = botocore.session.get_session().get_service_model("cloudformation")


@dataclass
class _Stack:
    name: str
    status: str = "REVIEW_IN_PROGRESS"
    template: dict[str, Any] = field(default_factory=dict)
    tags: list[Any] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    number: int = 1

    @property
    def id(self) -> str:
        return f"arn:aws:cloudformation:us-east-1:{_ACCOUNT}:stack/{self.name}/{self.number}"

    @property
    def resources(self) -> dict[str, Any]:
        return dict(self.template.get("Resources", {}))

    def tell(self, logical_id: str, kind: str, status: str, reason: str = "") -> None:
        told = {
            "EventId": str(len(self.events)), "StackId": self.id, "StackName": self.name, "Timestamp": 0,
            "LogicalResourceId": logical_id, "ResourceType": kind, "ResourceStatus": status,
        }  # fmt: skip
        self.events.append({**told, "ResourceStatusReason": reason} if reason else told)


class CloudFormation:
    """``exists`` says whether a resource of a type stands in the account under an identifier."""

    def __init__(self, exists: Callable[[str, str], bool]) -> None:
        self.stacks: dict[str, _Stack] = {}
        self.updated: dict[str, set[str]] = {}
        """By logical id: the properties that updates have changed."""
        self._exists = exists
        self._gone: dict[str, _Stack] = {}
        self._change_sets: dict[str, tuple[str, str, dict[str, Any], list[Any]]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = _MODEL.operation_model("".join(part.title() for part in name.split("_")))
        answer = getattr(type(self), f"_{name}")

        def call(**asked: Any) -> Any:
            report = validate_parameters(asked, operation.input_shape)
            assert report is None, report
            said = answer(self, **asked)
            if operation.output_shape is not None:
                validate_parameters(said, operation.output_shape)
            # boto3 makes a value of it.
            return {"TemplateBody": json.loads(said["TemplateBody"])} if name == "get_template" else said

        return call

    def get_paginator(self, name: str) -> _Pages:
        return _Pages(getattr(self, name))

    # -- change sets ---------------------------------------------------------------------------------------------------

    def _create_change_set(
        self,
        StackName: str,
        ChangeSetType: str,
        TemplateBody: str,
        ResourcesToImport: Sequence[Any] = (),
        **_: Any,
    ) -> Any:
        stack = self.stacks.setdefault(StackName, _Stack(StackName, number=len(self._gone) + 1))
        new, template = stack.status == "REVIEW_IN_PROGRESS", json.loads(TemplateBody)
        if not new and ChangeSetType == "CREATE":
            raise _refused("Stack exists")
        if ChangeSetType == "IMPORT":
            self._check_import(stack, template, ResourcesToImport)
        stack.tags = _.get("Tags", stack.tags)
        changes = [
            _change(name, body, stack.resources.get(name), ChangeSetType)
            for name, body in template["Resources"].items()
        ]
        found = [change for change in changes if change is not None]
        id_ = f"arn:aws:cloudformation:us-east-1:{_ACCOUNT}:changeSet/{len(self._change_sets)}/1"
        self._change_sets[id_] = (StackName, ChangeSetType, template, found)
        return {"Id": id_, "StackId": stack.id}

    def _check_import(self, stack: _Stack, template: dict[str, Any], asked: Sequence[Any]) -> None:
        added = {name: body for name, body in template["Resources"].items() if name not in stack.resources}
        if {one["LogicalResourceId"] for one in asked} != set(added):
            raise _refused("Resources to import and new resources of the template differ")
        if any(template["Resources"].get(name) != body for name, body in stack.resources.items()):
            raise _refused("You have modified resources in your template that are not being imported")
        if template.get("Outputs", {}) != stack.template.get("Outputs", {}):
            raise _refused("As part of the import operation, you cannot modify or add [Outputs]")
        for one in asked:
            kind, body = one["ResourceType"], added[one["LogicalResourceId"]]
            ((named, identifier),) = one["ResourceIdentifier"].items()
            assert (kind, named) in IDENTIFIERS.items(), f"{kind} is not found by {named}"
            if "DeletionPolicy" not in body:
                raise _refused("Resources to import must have a DeletionPolicy")
            if body["Properties"].get(named, identifier) != identifier:
                raise _refused(f"{named} in the template is not the identifier")
            if not self._exists(kind, identifier):
                raise _refused(f"{kind} with identifier {identifier} does not exist")
            for other in self.stacks.values():
                if any(_identity(kind, got) == identifier for got in other.resources.values() if got["Type"] == kind):
                    raise _refused(f"{identifier} already exists in stack {other.id}")

    def _describe_change_set(self, ChangeSetName: str) -> Any:
        found = self._change_sets[ChangeSetName][3]
        if not found:
            return {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
        return {"Status": "CREATE_COMPLETE", "Changes": [{"Type": "Resource", "ResourceChange": one} for one in found]}

    def _delete_change_set(self, ChangeSetName: str) -> Any:
        del self._change_sets[ChangeSetName]
        return {}

    def _execute_change_set(self, ChangeSetName: str, **_: Any) -> Any:
        name, kind, template, found = self._change_sets.pop(ChangeSetName)
        stack = self.stacks[name]
        new = not stack.resources
        for change in found:
            logical_id, body = change["LogicalResourceId"], template["Resources"][change["LogicalResourceId"]]
            identity = _identity(body["Type"], body)
            if change["Action"] == "Add" and identity and self._exists(body["Type"], identity):
                stack.tell(logical_id, body["Type"], "CREATE_FAILED", f"{identity} already exists")
                stack.status = "ROLLBACK_COMPLETE" if new else "UPDATE_ROLLBACK_COMPLETE"
                return {}
            if change["Action"] == "Modify":
                was, is_ = stack.resources[logical_id]["Properties"], body["Properties"]
                changed = {key for key in {*was, *is_} if was.get(key) != is_.get(key)}
                self.updated.setdefault(logical_id, set()).update(changed)
            stack.tell(logical_id, body["Type"], "IMPORT_COMPLETE" if kind == "IMPORT" else "UPDATE_COMPLETE")
        stack.template = template
        stack.status = "IMPORT_COMPLETE" if kind == "IMPORT" else "CREATE_COMPLETE" if new else "UPDATE_COMPLETE"
        return {}

    # -- stacks --------------------------------------------------------------------------------------------------------

    def _describe_stacks(self, StackName: str | None = None) -> Any:
        wanted = [stack for stack in self.stacks.values() if StackName in (None, stack.name, stack.id)]
        wanted += [stack for stack in self._gone.values() if StackName == stack.id]
        if StackName is not None and not wanted:
            raise _refused(f"Stack with id {StackName} does not exist", "DescribeStacks")
        return {
            "Stacks": [
                {
                    "StackName": one.name,
                    "StackId": one.id,
                    "StackStatus": one.status,
                    "CreationTime": 0,
                    "Tags": one.tags,
                }
                for one in wanted
            ]
        }

    def _describe_stack_events(self, StackName: str) -> Any:
        return {"StackEvents": self._found(StackName).events[::-1]}

    def _list_stack_resources(self, StackName: str) -> Any:
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name, "PhysicalResourceId": name, "ResourceType": body["Type"],
                    "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": 0,
                }
                for name, body in self.stacks[StackName].resources.items()
            ]
        }  # fmt: skip

    def _get_template(self, StackName: str, TemplateStage: str = "Original") -> Any:
        return {"TemplateBody": json.dumps(self.stacks[StackName].template)}

    def _delete_stack(self, StackName: str) -> Any:
        stack = self._found(StackName)
        stack.status, stack.template = "DELETE_COMPLETE", {}
        self._gone[stack.id] = self.stacks.pop(stack.name)
        return {}

    def _found(self, name: str) -> _Stack:
        """By its name, or by its id, also when it is gone."""
        (stack,) = (stack for stack in [*self.stacks.values(), *self._gone.values()] if name in (stack.name, stack.id))
        return stack


@dataclass
class _Pages:
    call: Callable[..., Any]

    def paginate(self, **asked: Any) -> Iterator[Any]:
        yield self.call(**asked)


def _change(name: str, body: dict[str, Any], was: dict[str, Any] | None, kind: str) -> dict[str, Any] | None:
    about = {"LogicalResourceId": name, "ResourceType": body["Type"]}
    if was is None:
        return {**about, "Action": "Import" if kind == "IMPORT" else "Add"}
    return None if was == body else {**about, "Action": "Modify", "Replacement": "False"}


def _identity(kind: str, body: dict[str, Any]) -> str | None:
    said = body["Properties"].get(IDENTIFIERS.get(kind, ""))
    if isinstance(said, dict) and "Fn::Sub" in said:
        said = said["Fn::Sub"].replace("${AWS::AccountId}", _ACCOUNT).replace("${AWS::Region}", "us-east-1")
    return said if isinstance(said, str) else None


def _refused(message: str, operation: str = "CreateChangeSet") -> ClientError:
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)
