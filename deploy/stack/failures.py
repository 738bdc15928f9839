"""What is said of a stack that is in a state to which it was not brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.stack.errors import QUOTA, TAKEN, HalfDeleted, QuotaReached, RolledBack, StackFailed
from deploy.stack.refusals import name_taken
from deploy.stack.standing import IDENTIFIERS
from deploy.stack.state import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.stack.errors import DeployError
    from deploy.stack.following import Event
    from deploy.stack.state import State


def never_was(state: State) -> bool:
    """Whether the stack's first creation failed, so that nothing that worked goes with it."""
    return state.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def require_ready(state: State) -> None:
    if state.phase is Phase.READY:
        return
    why = f" ({state.reason})" if state.reason else ""
    if never_was(state):
        raise StackFailed(
            f"the stack {state.name} is in {state.status}{why}: it was not created, or is half deleted, and CloudFormation "
            "can only delete it. --replace-failed does so, and creates it anew",
            "up --replace-failed",
        )
    raise StackFailed(
        f"the stack {state.name} is in {state.status}{why}: CloudFormation could not go back to what was there before. "
        "Remove what is in its way, then have it try again",
        f"aws cloudformation continue-update-rollback --stack-name {state.name}",
    )


def rolled_back(state: State, told: Sequence[Event], *, adopts: bool = False, again: str | None = None) -> DeployError:
    """The error for a change that did not come to its end: the first failures, since the others follow from them.

    ``adopts``: whether ``--adopt`` can be the remedy for a name that is taken. ``again``: the command that deleted.
    """
    failures = [event for event in told if event.failed and event.resource != state.name and _own(event)]
    said = "; ".join(f"{event.resource} ({event.kind}): {event.reason or event.status}" for event in failures[:3])
    message = f"{state.name} is in {state.status}: {said or state.reason or 'CloudFormation gives no reason'}"
    reasons = " ".join(event.reason for event in failures)
    if again is not None:
        gone = "What it has deleted is gone, and the rest is there: remove what is in the way, and it goes on"
        return HalfDeleted(f"{message}. {gone}", again)
    again = "up --replace-failed" if never_was(state) else "up"
    if TAKEN.search(reasons):
        taken = any(event.kind in IDENTIFIERS and TAKEN.search(event.reason) for event in failures)
        return name_taken(message, again, adopts=adopts and taken)
    if QUOTA.search(reasons):
        return QuotaReached(f"{message}. Delete what is not needed, or ask for more with Service Quotas", again)
    return RolledBack(f"{message}. What was there before is unchanged", again)


def _own(event: Event) -> bool:
    return "cancelled" not in event.reason.lower()
