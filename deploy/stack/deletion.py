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
    from collections.abc import Iterable, Sequence

    from deploy.stack.account import Account
    from deploy.stack.deployment import Deployment
    from deploy.stack.holdings import Held
    from deploy.stack.state import State
    from deploy.stacks import Stack


_WITH_DATA = {"AWS::S3::BucketPolicy"}
"""Goes with what it belongs to."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A stack that is to go. ``held``: what holds data; ``stays``: what else its template keeps, in words."""

    name: str
    held: tuple[Held, ...]
    stays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken away. ``left``: what stays with its data. ``stays``: what templates say shall stay, by name."""

    stacks: tuple[str, ...]
    deleted: tuple[str, ...]
    left: tuple[Held, ...]
    stays: tuple[str, ...]


def of_file(account: Account, stacks: Sequence[Stack]) -> list[Leaving]:
    """Stacks of the file, with what they hold, whether or not they are there: an earlier ``down`` may have left data."""
    return [Leaving(stack.name, tuple(holdings.held(account, [stack])), _staying(stack)) for stack in stacks]


def of_account(account: Account, states: Iterable[State]) -> list[Leaving]:
    """Stacks that no file names any more: what they hold is what CloudFormation says."""
    return [Leaving(state.name, tuple(holdings.held_by(account, state))) for state in states]


def take_down(
    deployment: Deployment, leaving: Sequence[Leaving], delete_data: Sequence[str], *, own_bucket: str | None = None
) -> Taken:
    """Deletes the stacks, the last first, then the data named in ``delete_data``, then ``own_bucket``, which holds packages
    and templates alone. Whoever calls has asked ``require_named`` before.
    """
    account = deployment.account
    gone: list[str] = []
    stays: list[str] = []
    for stack in reversed(leaving):
        with named(f"the stack {stack.name}"):
            if _delete(deployment, stack.name):
                gone.append(stack.name)
                stays += stack.stays
    deleted, left = [], []
    for one in (one for stack in leaving for one in stack.held):
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


def _staying(stack: Stack) -> tuple[str, ...]:
    data = {holding.logical_id for holding in stack.holds}
    return tuple(
        f"{stack.name} {name} ({body['Type']})"
        for name, body in stack.template["Resources"].items()
        if body.get("DeletionPolicy") == "Retain" and name not in data and body["Type"] not in _WITH_DATA
    )


def require_named(found: Sequence[Held], delete_data: Sequence[str], command: str = "down") -> None:
    """Raises ``DataWouldBeLost`` for what goes with its stack and is not named, ``ChangeRefused`` for an unknown name.

    ``command`` is what was called: the next one is the same, with the names.
    """
    names = {one.name for one in found}
    for name in delete_data:
        if name not in names:
            hint = nearest(name, names) or ";"
            known = f"there is {listed(sorted(names))}" if names else "nothing that holds data would go"
            raise ChangeRefused(f"there is no {name!r} to delete{hint} {known}", command)
    lost = [one for one in found if not one.kept and one.holds and one.name not in delete_data]
    if lost:
        every = " ".join([*delete_data, *(one.name for one in lost)])
        raise DataWouldBeLost(
            f"these would be deleted with their stacks: {listed(lost)}. Nothing was done",
            f"{command} --delete-data {every}",
        )


def _delete(deployment: Deployment, name: str) -> bool:
    state = deployment.settled(name)
    if state.phase is Phase.ABSENT:
        return False
    deployment.reporter.step(name, "deleting")
    before = frozenset(event.id for event in events(deployment.account, state.id))
    deployment.account.cloudformation.delete_stack(StackName=state.id)
    after, told = follow(deployment.account, state.id, deployment.reporter, deployment.patience, after=before)
    # What was only begun vanishes, and a deleted one answers to its id.
    if after.phase is not Phase.ABSENT:
        raise rolled_back(after, told)
    return True
