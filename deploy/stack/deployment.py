"""Brings one stack to what its template says: ready, compared, executed, followed to the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploy.stack import adoption, changes
from deploy.stack.errors import (
    QUOTA,
    TAKEN,
    DataWouldBeLost,
    NameTaken,
    QuotaReached,
    RolledBack,
    StackFailed,
    named,
)
from deploy.stack.following import events, follow
from deploy.stack.refusals import name_taken
from deploy.stack.standing import IDENTIFIERS
from deploy.stack.state import PIPELINE_TAG, Phase, state_of
from deploy.stack.values import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.stack.account import Account
    from deploy.stack.changes import Change, ChangeSet
    from deploy.stack.errors import DeployError
    from deploy.stack.following import Event, Patience, Reporter
    from deploy.stack.state import State
    from deploy.stack.values import Artifacts
    from deploy.stacks import Stack


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is the same for all stacks of one ``up`` or ``plan``. ``pipeline`` is its prefix."""

    account: Account
    pipeline: str
    artifacts: Artifacts
    reporter: Reporter
    patience: Patience

    def planned(self, stack: Stack, *, adopt: bool = False) -> tuple[Change, ...]:
        """What ``up`` would change, by what the stacks before say now. Leaves nothing behind."""
        with named(f"the stack {stack.name}"):
            state = self.settled(stack.name)
            there = adoption.adoptable(self.account, stack, state) if adopt else []
            if state.phase in (Phase.ABSENT, Phase.BEGUN):
                return adoption.marked(changes.creation(stack), there)
            _require_ready(state)
            found = self._compare(stack, state)
            if found.id is not None:
                changes.discard(self.account, found.id)
            return adoption.marked(found.changes, there)

    def bring_up(
        self, stack: Stack, *, replace_failed: bool = False, accept_loss: bool = False, adopt: bool = False
    ) -> Literal["created", "updated", "unchanged"]:
        """Raises ``NameTaken``, ``StackFailed``, ``ChangeRefused``, ``DataWouldBeLost``, ``RolledBack``, ...

        ``adopt``: what the stack's template names and what is there already becomes part of the stack, with what it holds.
        """
        with named(f"the stack {stack.name}"):
            state = self.settled(stack.name)
            if state.phase is Phase.FAILED and replace_failed and _never_was(state):
                state = self._cleared(state)
            if adopt and state.phase is not Phase.FAILED:
                state = self._adopted(stack, state)
            new = state.phase in (Phase.ABSENT, Phase.BEGUN)
            if not new:
                _require_ready(state)
            found = self._compare(stack, state)
            if found.id is None:
                return "unchanged"
            lost = [change.logical_id for change in found.changes if change.loses_data]
            if lost and not accept_loss:
                changes.discard(self.account, found.id)
                raise DataWouldBeLost(
                    f"{stack.name}: {', '.join(lost)} would be removed or replaced, with the data in it",
                    "up --accept-loss",
                )
            self.reporter.step(stack.name, "creating" if new else "updating")
            before = frozenset(event.id for event in events(self.account, found.stack_id))
            # What a failed change has only just made holds no data: kept, it would be in the way of the next try.
            self.account.cloudformation.execute_change_set(ChangeSetName=found.id, RetainExceptOnCreate=True)
            self._followed(found.stack_id, before)
            return "created" if new else "updated"

    def settled(self, name: str) -> State:
        """The stack's state when nothing is under way. Raises ``NameTaken`` if it is not ours."""
        state = state_of(self.account, name)
        # A stack that is only begun has the tags of its change set, and not of its own yet.
        if state.there and state.tags.get(PIPELINE_TAG) != self.pipeline:
            raise NameTaken(
                f"there is a stack {name} that was not made by this pipeline (it has no tag {PIPELINE_TAG} = "
                f"{self.pipeline}): give the pipeline another name, or choose another account or region",
                "status",
            )
        if state.phase is not Phase.BUSY:
            return state
        self.reporter.step(name, f"is {state.status}: an earlier command or another one is at work; waiting")
        before = frozenset(event.id for event in events(self.account, state.id))
        return follow(self.account, state.id, self.reporter, self.patience, after=before)[0]

    def _compare(self, stack: Stack, state: State) -> ChangeSet:
        found = values(self.account, stack, self.artifacts)
        return changes.make(
            self.account,
            stack,
            state,
            found,
            pipeline=self.pipeline,
            bucket=self.artifacts.bucket,
            patience=self.patience,
        )

    def _adopted(self, stack: Stack, state: State) -> State:
        """The state once all that stands already is in the stack. Changes nothing of what it takes."""
        there = adoption.adoptable(self.account, stack, state)
        if not there:
            return state
        self.reporter.step(stack.name, f"adopting {', '.join(dict.fromkeys(one.name for one in there))}")
        found = adoption.make(
            self.account,
            stack,
            state,
            there,
            pipeline=self.pipeline,
            bucket=self.artifacts.bucket,
            patience=self.patience,
        )
        if found.id is None:
            return state
        before = frozenset(event.id for event in events(self.account, found.stack_id))
        self.account.cloudformation.execute_change_set(ChangeSetName=found.id)
        return self._followed(found.stack_id, before)

    def _followed(self, stack_id: str, before: frozenset[str]) -> State:
        state, told = follow(self.account, stack_id, self.reporter, self.patience, after=before)
        if state.phase is not Phase.READY or state.rolled_back:
            raise rolled_back(state, told, adopts=not self.account.emulated)
        return state

    def _cleared(self, state: State) -> State:
        self.reporter.step(state.name, f"is {state.status}: deleting what is left of it")
        self.account.cloudformation.delete_stack(StackName=state.id)
        after, told = follow(self.account, state.id, self.reporter, self.patience)
        if after.phase is not Phase.ABSENT:
            raise rolled_back(after, told)
        return after


def _never_was(state: State) -> bool:
    """Whether the stack's first creation failed, so that nothing that worked goes with it."""
    return state.status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def _require_ready(state: State) -> None:
    if state.phase is Phase.READY:
        return
    why = f" ({state.reason})" if state.reason else ""
    if _never_was(state):
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


def rolled_back(state: State, told: Sequence[Event], *, adopts: bool = False) -> DeployError:
    """The error for a change that did not come to its end: the first failures, since the others follow from them.

    ``adopts``: whether ``--adopt`` can be the remedy for a name that is taken.
    """
    failures = [event for event in told if event.failed and event.resource != state.name and _own(event)]
    said = "; ".join(f"{event.resource} ({event.kind}): {event.reason or event.status}" for event in failures[:3])
    message = f"{state.name} is in {state.status}: {said or state.reason or 'CloudFormation gives no reason'}"
    reasons = " ".join(event.reason for event in failures)
    again = "up --replace-failed" if _never_was(state) else "up"
    if TAKEN.search(reasons):
        taken = any(event.kind in IDENTIFIERS and TAKEN.search(event.reason) for event in failures)
        return name_taken(message, again, adopts=adopts and taken)
    if QUOTA.search(reasons):
        return QuotaReached(f"{message}. Delete what is not needed, or ask for more with Service Quotas", again)
    return RolledBack(f"{message}. What was there before is unchanged", again)


def _own(event: Event) -> bool:
    return "cancelled" not in event.reason.lower()
