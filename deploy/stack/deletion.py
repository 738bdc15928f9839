"""Takes a pipeline away, and leaves its data unless told by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from deploy.stack import holdings
from deploy.stack.errors import named
from deploy.stack.failures import rolled_back
from deploy.stack.following import events, follow
from deploy.stack.leaving import data_would_be_lost, lost_with_stacks
from deploy.stack.state import Phase
from deploy.stack.stilling import stilled, switch_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.stack.deployment import Deployment
    from deploy.stack.holdings import Held
    from deploy.stack.leaving import Leaving
    from deploy.stack.state import State


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken away. ``left``: what stays with its data. ``stays``: what templates say shall stay, by name.
    ``not_ours``: what is there under a name of the pipeline, and does not say that it is the pipeline's."""

    stacks: tuple[str, ...]
    deleted: tuple[str, ...]
    left: tuple[Held, ...]
    stays: tuple[str, ...]
    not_ours: tuple[Held, ...] = ()


def take_down(
    deployment: Deployment,
    leaving: Sequence[Leaving],
    delete_data: Sequence[str],
    *,
    command: Literal["down", "up"] = "down",
    own_bucket: str | None = None,
) -> Taken:
    """Deletes the stacks, the last first, then the data named in ``delete_data``, and ``own_bucket``, which holds packages
    and templates alone. ``down`` deletes too what is empty; ``up`` nothing that nobody has named.

    Whoever calls has asked ``require_named`` before. Everything is looked at again right before it would go, since
    functions and producers worked meanwhile.
    """
    gone: list[str] = []
    stays: list[str] = []
    for stack in reversed(leaving):
        with named(f"the stack {stack.name}"):
            if _delete(deployment, stack, delete_data, command):
                gone.append(stack.name)
                stays += stack.stays
    kept = [one for stack in leaving for one in stack.held if one.kept]
    if own_bucket is not None:
        kept.append(holdings.Held(own_bucket, "bucket", kept=True, holds=""))
    deleted: list[str] = []
    left: list[Held] = []
    not_ours: list[Held] = []
    for one in kept:
        with named(f"the {one.kind} {one.name}"):
            now = holdings.look(deployment.account, deployment.pipeline, one.kind, one.name, kept=True)
            if now is None:
                continue
            may_go = one.name in (*delete_data, own_bucket) or (command == "down" and not now.holds)
            if not now.ours:
                not_ours.append(now)
            elif not may_go:
                left.append(now)
            elif _deleted(deployment, now):
                deleted.append(now.name)
            else:
                left.append(replace(now, holds="objects"))
    return Taken(tuple(gone), tuple(deleted), tuple(left), tuple(stays), tuple(not_ours))


def _deleted(deployment: Deployment, one: Held) -> bool:
    deployment.reporter.step(one.name, f"deleting the {one.kind}")
    return holdings.delete(deployment.account, one)


def _delete(deployment: Deployment, stack: Leaving, delete_data: Sequence[str], command: str) -> bool:
    state = deployment.settled(stack.name)
    if state.phase is Phase.ABSENT:
        return False
    before = frozenset(event.id for event in events(deployment.account, state.id))
    if any(not one.kept and one.name not in delete_data for one in stack.held):
        with stilled(deployment, state) as polled:
            _require_still_named(deployment, state, delete_data, command)
            if deployment.account.emulated:
                # LocalStack 4.14.0 keeps for ever a mapping that is off when it is deleted, in the way of the next `up`.
                switch_on(deployment, polled)
            _ask_for_deletion(deployment, state)
    else:
        _ask_for_deletion(deployment, state)
    after, told = follow(deployment.account, state.id, deployment.reporter, deployment.patience, after=before)
    # What was only begun vanishes, and a deleted one answers to its id.
    if after.phase is not Phase.ABSENT:
        raise rolled_back(
            after, told, again=f"{command} --delete-data {' '.join(delete_data)}" if delete_data else command
        )
    return True


def _ask_for_deletion(deployment: Deployment, state: State) -> None:
    deployment.reporter.step(state.name, "deleting")
    deployment.account.cloudformation.delete_stack(StackName=state.id)


def _require_still_named(deployment: Deployment, state: State, delete_data: Sequence[str], command: str) -> None:
    found = holdings.held_by(deployment.account, deployment.pipeline, state)
    lost = lost_with_stacks(found, delete_data)
    if lost:
        done = f"They held nothing when `{command}` began. {state.name} is as it was; what came after it is gone"
        raise data_would_be_lost(lost, delete_data, command, done)
