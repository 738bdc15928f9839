"""Whether somebody has changed by hand what a stack made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.stack.errors import DeadlinePassed
from deploy.stack.state import Phase

if TYPE_CHECKING:
    from deploy.stack.account import Account
    from deploy.stack.following import Patience
    from deploy.stack.state import State

# What LocalStack answers to a call that it does not know.
_UNKNOWN_CALL = {"InternalFailure", "NotImplemented", "501"}


def drift(account: Account, state: State, patience: Patience) -> str:
    """In words: ``none``, the resources that differ, ``not told`` by an emulator; empty where there is no stack to ask."""
    from botocore.exceptions import ClientError

    if state.phase is not Phase.READY:
        return ""
    cloudformation = account.cloudformation
    try:
        detection = cloudformation.detect_stack_drift(StackName=state.name)["StackDriftDetectionId"]
    except ClientError as error:
        if account.emulated and error.response["Error"].get("Code") in _UNKNOWN_CALL:
            return "not told"
        raise
    until = patience.clock() + patience.limit
    while True:
        found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            break
        if patience.clock() >= until:
            raise DeadlinePassed(f"{state.name}: drift is still looked for after {patience.limit:,.0f} s", "status")
        patience.sleep(patience.pause)
    if found["DetectionStatus"] == "DETECTION_FAILED":
        return f"not found out: {found.get('DetectionStatusReason', '')}".rstrip(": ")
    if not found.get("DriftedStackResourceCount"):
        return "none"
    differing = cloudformation.describe_stack_resource_drifts(
        StackName=state.name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
    )["StackResourceDrifts"]
    return ", ".join(f"{one['LogicalResourceId']} {one['StackResourceDriftStatus'].lower()}" for one in differing)
