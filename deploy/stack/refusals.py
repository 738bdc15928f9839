"""Why CloudFormation has not made a change set: in its own words, which it keeps in another place since it looks first.

Since November 2025 it validates while it makes a change set ("early validation"): names that are taken, properties that do
not fit, buckets that would have to be empty. The change set's own reason then only says where to ask: ``DescribeEvents``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.stack.errors import QUOTA, TAKEN, ChangeRefused, NameTaken, QuotaReached
from deploy.stack.standing import IDENTIFIERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.stack.account import Account
    from deploy.stack.errors import DeployError

_EARLY = "AWS::EarlyValidation::"
_NAMES = "NAME_CONFLICT_VALIDATION"


def refused(account: Account, stack: str, change_set: str, reason: str) -> DeployError:
    """The error for a change set that failed with ``reason``. ``change_set``: its id, before it is deleted."""
    if _EARLY not in reason:
        if QUOTA.search(reason):
            return QuotaReached(f"{stack}: {reason}", "aws service-quotas list-services")
        return ChangeRefused(f"{stack}: {reason}", "lint")
    found = account.cloudformation.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})
    failed = [event for event in found["OperationEvents"] if event.get("ValidationStatusReason")]
    said = "; ".join(dict.fromkeys(map(_said, failed))) or reason
    taken = [event for event in failed if event.get("ValidationName") == _NAMES or TAKEN.search(_said(event))]
    if not taken:
        return ChangeRefused(f"{stack}: {said}", "lint")
    adopts = any(event.get("ResourceType") in IDENTIFIERS for event in taken) and not account.emulated
    return name_taken(f"{stack}: {said}", "up", adopts=adopts)


def name_taken(message: str, again: str, *, adopts: bool) -> NameTaken:
    """``adopts``: whether ``--adopt`` can be the remedy. ``again`` is the command that failed."""
    if adopts:
        return NameTaken(
            f"{message}. Something of that name is there already. If an earlier `down` kept it, or you made it before, "
            "--adopt takes it over with what it holds. Else give physical_name another value, or the pipeline another name",
            f"{again} --adopt",
        )
    return NameTaken(
        f"{message}. Something of that name is there already. If it is what an earlier `down` kept, `down --delete-data "
        "NAME` deletes it; else give physical_name another value, or the pipeline another name",
        again,
    )


def _said(event: Mapping[str, Any]) -> str:
    return f"{event.get('LogicalResourceId', '')} ({event.get('ResourceType', '')}): {event['ValidationStatusReason']}"
