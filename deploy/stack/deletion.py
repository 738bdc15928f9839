"""Takes a pipeline away, and leaves its data unless told by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.config.problems import listed, nearest
from deploy.stack import artifacts, holdings
from deploy.stack.deployment import rolled_back
from deploy.stack.errors import ChangeRefused, DataWouldBeLost, named
from deploy.stack.following import events, follow
from deploy.stack.state import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.stack.deployment import Deployment
    from deploy.stack.holdings import Held
    from deploy.stacks import Stack


_WITH_DATA = {"AWS::S3::BucketPolicy"}
"""Goes with what it belongs to."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What ``down`` did. ``left``: what stays with its data. ``stays``: what templates say shall stay, by name."""

    stacks: tuple[str, ...]
    deleted: tuple[str, ...]
    left: tuple[Held, ...]
    stays: tuple[str, ...]


def take_down(
    deployment: Deployment, stacks: Sequence[Stack], delete_data: Sequence[str], *, own_bucket: str | None
) -> Taken:
    """Deletes the stacks, the last first, then the data named in ``delete_data``, then ``own_bucket``, which holds packages
    and templates alone.

    Raises ``DataWouldBeLost`` before anything is deleted if what goes with a stack holds data and is not named.
    """
    account = deployment.account
    with named("what the pipeline holds"):
        found = holdings.held(account, stacks)
        require_named(found, delete_data)
    gone, stays = [], []
    for stack in reversed(stacks):
        with named(f"the stack {stack.name}"):
            if _delete(deployment, stack):
                gone.append(stack.name)
                data = {holding.logical_id for holding in stack.holds}
                stays += [
                    f"{stack.name} {name} ({body['Type']})"
                    for name, body in stack.template["Resources"].items()
                    if body.get("DeletionPolicy") == "Retain" and name not in data and body["Type"] not in _WITH_DATA
                ]
    deleted, left = [], []
    for one in found:
        with named(f"the {one.kind} {one.name}"):
            if one.kept and (one.name in delete_data or not one.holds):
                deployment.reporter.step(one.name, f"deleting the {one.kind}")
                holdings.delete(account, one)
                deleted.append(one.name)
            elif one.kept:
                left.append(one)
    if own_bucket is not None:
        with named(f"the bucket {own_bucket}"):
            if artifacts.exists(account, own_bucket):
                artifacts.remove(account, own_bucket)
                deleted.append(own_bucket)
    return Taken(tuple(gone), tuple(deleted), tuple(left), tuple(stays))


def require_named(found: Sequence[Held], delete_data: Sequence[str]) -> None:
    """Raises ``DataWouldBeLost`` for what goes with its stack and is not named, ``ChangeRefused`` for an unknown name."""
    names = {one.name for one in found}
    for name in delete_data:
        if name not in names:
            hint = nearest(name, names) or ";"
            raise ChangeRefused(f"there is no {name!r} to delete{hint} there is {listed(sorted(names))}", "down")
    lost = [one for one in found if not one.kept and one.holds and one.name not in delete_data]
    if lost:
        every = " ".join([*delete_data, *(one.name for one in lost)])
        raise DataWouldBeLost(
            f"these would be deleted with their stacks: {listed(lost)}. Nothing was done", f"down --delete-data {every}"
        )


def _delete(deployment: Deployment, stack: Stack) -> bool:
    state = deployment.settled(stack.name)
    if state.phase is Phase.ABSENT:
        return False
    deployment.reporter.step(stack.name, "deleting")
    before = frozenset(event.id for event in events(deployment.account, state.id))
    deployment.account.cloudformation.delete_stack(StackName=state.id)
    after, told = follow(deployment.account, state.id, deployment.reporter, deployment.patience, after=before)
    # What was only begun vanishes, and a deleted one answers to its id.
    if after.phase is not Phase.ABSENT:
        raise rolled_back(after, told)
    return True
