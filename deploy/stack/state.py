"""What CloudFormation knows of a stack, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.stack.account import Account

PIPELINE_TAG = "kstream-pipeline"
"""A tag of every stack that we make: the pipeline's prefix. A stack of our name without it is somebody else's."""

_NOT_ITS_OWN = {"CREATE_FAILED", "IMPORT_FAILED", "DELETE_COMPLETE", "DELETE_SKIPPED"}
_ROLLED_BACK = {"ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}


class Phase(Enum):
    ABSENT = "not there"
    BEGUN = "begun"
    """A change set was made for a first creation and not executed: the stack has no resources."""
    BUSY = "busy"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class State:
    """``id`` is the stack's ARN, which stays good after it is deleted; ``status`` CloudFormation's own word, or empty."""

    name: str
    id: str = ""
    status: str = ""
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        if self.status in ("", "DELETE_COMPLETE"):
            return Phase.ABSENT
        if self.status == "REVIEW_IN_PROGRESS":
            return Phase.BEGUN
        if self.status.endswith("_IN_PROGRESS"):
            return Phase.BUSY
        return Phase.FAILED if self.status == "ROLLBACK_COMPLETE" or self.status.endswith("_FAILED") else Phase.READY

    @property
    def rolled_back(self) -> bool:
        return self.status in _ROLLED_BACK

    @property
    def there(self) -> bool:
        """Whether it may have resources."""
        return self.phase not in (Phase.ABSENT, Phase.BEGUN)


def state_of(account: Account, name: str) -> State:
    """``name``, or the id of a stack that may be deleted."""
    from botocore.exceptions import ClientError

    try:
        (found,) = account.cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return State(name)
        raise
    return _state(found)


def stacks_of(account: Account, pipeline: str) -> dict[str, State]:
    """Every stack with the pipeline's tag, by name."""
    pages = account.cloudformation.get_paginator("describe_stacks").paginate()
    states = (_state(found) for page in pages for found in page["Stacks"])
    return {
        state.name: state
        for state in states
        if state.tags.get(PIPELINE_TAG) == pipeline and state.phase is not Phase.ABSENT  # LocalStack lists deleted ones
    }


def physical_ids(account: Account, name: str) -> dict[str, str | None]:
    """What the stack has, by logical id: neither what it could not make, nor what it has let go."""
    pages = account.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        one["LogicalResourceId"]: one.get("PhysicalResourceId")
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceStatus"] not in _NOT_ITS_OWN
    }


def owned(account: Account, state: State) -> frozenset[str]:
    """The logical ids of what the stack has."""
    return frozenset(physical_ids(account, state.name)) if state.there else frozenset()


def _state(found: Mapping[str, Any]) -> State:
    return State(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())},
        parameters=frozenset(parameter["ParameterKey"] for parameter in found.get("Parameters", ())),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", ())},
    )
