"""What would go if stacks went, and whether anybody has said that it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.config.problems import listed, nearest
from deploy.naming import OWNER_TAG
from deploy.stack import holdings
from deploy.stack.errors import ChangeRefused, DataWouldBeLost

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.stack.deployment import Deployment
    from deploy.stack.holdings import Held
    from deploy.stack.state import State
    from deploy.stacks import Stack

_WITH_DATA = {"AWS::S3::BucketPolicy"}
"""Goes with what it belongs to."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A stack that is to go. ``held``: what holds data; ``stays``: what else its template keeps, in words; ``names``: what
    its template calls all that holds data, there or not."""

    name: str
    held: tuple[Held, ...]
    stays: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


def of_file(deployment: Deployment, stacks: Sequence[Stack]) -> list[Leaving]:
    """Stacks of the file, with what they have, and what of theirs an earlier ``down`` may have left. Waits for what is under
    way; raises ``NameTaken`` before anything is done."""
    return [_of_file(deployment, stack) for stack in stacks]


def _of_file(deployment: Deployment, stack: Stack) -> Leaving:
    account, pipeline = deployment.account, deployment.pipeline
    has = list(holdings.held_by(account, pipeline, deployment.settled(stack.name)))
    known = {(one.kind, one.name) for one in has}
    left = [one for one in holdings.left_by(account, pipeline, stack) if (one.kind, one.name) not in known]
    names = frozenset(holdings.name_of(account, holding) for holding in stack.holds)
    return Leaving(stack.name, (*has, *left), _staying(stack), names)


def of_account(deployment: Deployment, states: Iterable[State]) -> list[Leaving]:
    """Stacks that no file names any more: what they hold is what CloudFormation says."""
    return [
        Leaving(state.name, tuple(holdings.held_by(deployment.account, deployment.pipeline, state))) for state in states
    ]


def _staying(stack: Stack) -> tuple[str, ...]:
    data = {holding.logical_id for holding in stack.holds}
    return tuple(
        f"{stack.name} {name} ({body['Type']})"
        for name, body in stack.template["Resources"].items()
        if body.get("DeletionPolicy") == "Retain" and name not in data and body["Type"] not in _WITH_DATA
    )


def require_named(leaving: Sequence[Leaving], delete_data: Sequence[str], command: str = "down") -> None:
    """Raises ``DataWouldBeLost`` for what goes with its stack and is not named, ``ChangeRefused`` for an unknown name, or
    that of something that is not this pipeline's. A name of the file whose thing is gone is none of these: an earlier
    ``down`` with the same names may have been interrupted.

    ``command`` is what was called: the next one is the same, with the names.
    """
    found = [one for stack in leaving for one in stack.held]
    names = {one.name for one in found if one.ours}
    gone = frozenset[str]().union(*(stack.names for stack in leaving))
    strange = {one.name for one in found} - names
    for name in delete_data:
        if name in strange:
            raise ChangeRefused(
                f"{name} is there, and nothing shows that it is this pipeline's: {unmarked()}. Nothing was done",
                command,
            )
        if name not in names | gone:
            hint = nearest(name, names) or ";"
            known = f"there is {listed(sorted(names))}" if names else "nothing that holds data would go"
            raise ChangeRefused(f"there is no {name!r} to delete{hint} {known}", command)
    lost = lost_with_stacks(found, delete_data)
    if lost:
        raise data_would_be_lost(lost, delete_data, command, "Nothing was done")


def lost_with_stacks(found: Iterable[Held], delete_data: Sequence[str]) -> list[Held]:
    """What holds something, goes with its stack, and was not named."""
    return [one for one in found if not one.kept and one.holds and one.name not in delete_data]


def data_would_be_lost(lost: Sequence[Held], named: Sequence[str], command: str, done: str) -> DataWouldBeLost:
    every = " ".join(dict.fromkeys([*named, *(one.name for one in lost)]))
    return DataWouldBeLost(
        f"these would be deleted with their stacks: {listed(lost)}. {done}", f"{command} --delete-data {every}"
    )


def unmarked() -> str:
    """Why something is left alone, in words."""
    return f"its tag {OWNER_TAG} is missing or another's"
