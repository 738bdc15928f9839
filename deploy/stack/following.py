"""Waits for a stack, and tells what happens to it meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from deploy.stack.errors import DeadlinePassed
from deploy.stack.state import Phase, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from deploy.stack.account import Account
    from deploy.stack.state import State


@dataclass(frozen=True, slots=True)
class Event:
    """Something that CloudFormation did. ``status`` is its own word, like ``CREATE_COMPLETE``."""

    id: str
    stack: str
    resource: str
    kind: str
    status: str
    reason: str

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")


class Reporter(Protocol):
    """Is told what happens, while it happens."""

    def step(self, stack: str, what: str) -> None:
        """Something begins or is done with a whole stack."""

    def event(self, event: Event) -> None:
        """Something happened to one of its resources."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for one stack, and how often to look; in seconds."""

    limit: float = 3600.0
    pause: float = 2.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def follow(
    account: Account, stack: str, reporter: Reporter, patience: Patience, *, after: frozenset[str] = frozenset()
) -> tuple[State, list[Event]]:
    """Waits until nothing is under way any more; the state then, and all events but those of ``after``.

    ``stack`` is an id. Raises ``DeadlinePassed``.
    """
    until = patience.clock() + patience.limit
    seen = set(after)
    told: list[Event] = []
    while True:
        state = state_of(account, stack)  # before the events, so that the last ones are not missed
        for event in events(account, stack, until=seen):
            if event.id not in seen:
                seen.add(event.id)
                told.append(event)
                reporter.event(event)
        if state.phase is not Phase.BUSY:
            return state, told
        if patience.clock() >= until:
            raise DeadlinePassed(
                f"{state.name} is still {state.status} after {patience.limit:,.0f} s. CloudFormation goes on by itself; "
                "`up` and `down` wait for it when they are run again",
                "status",
            )
        patience.sleep(patience.pause)


def events(account: Account, stack: str, until: AbstractSet[str] = frozenset()) -> list[Event]:
    """All that CloudFormation tells of a stack, the oldest first. None if it is gone altogether.

    ``until``: ids of events that are known. CloudFormation tells the newest first, and nothing older is asked for.
    """
    from botocore.exceptions import ClientError

    found: list[Event] = []
    try:
        for page in account.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
            found += map(_event, page["StackEvents"])
            if any(event.id in until for event in found):
                break
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
    return found[::-1]


def _event(found: Mapping[str, Any]) -> Event:
    return Event(
        id=found["EventId"],
        stack=found["StackName"],
        resource=found["LogicalResourceId"],
        kind=found.get("ResourceType", ""),
        status=found["ResourceStatus"],
        reason=found.get("ResourceStatusReason") or "",
    )
