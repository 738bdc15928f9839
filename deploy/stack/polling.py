"""Whether Lambda polls as the templates say.

CloudFormation does not look: a mapping that was switched by hand, or by a ``down`` that was killed while it looked, it takes
to be as it left it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.stack.errors import DeadlinePassed
from deploy.stack.state import physical_ids

if TYPE_CHECKING:
    from deploy.stack.account import Account
    from deploy.stack.following import Patience, Reporter
    from deploy.stack.state import State
    from deploy.stacks import Stack

MAPPING = "AWS::Lambda::EventSourceMapping"
ON, OFF = "Enabled", "Disabled"


@dataclass(frozen=True, slots=True)
class Polled:
    """A mapping: its logical ``name``, its ``state`` in Lambda's own word, and whether the file has it ``on``."""

    name: str
    state: str
    on: bool

    @property
    def differs(self) -> bool:
        return self.state == _other(self.on)

    def __str__(self) -> str:
        return f"{self.name} is {self.state.lower()}, and the file says enabled = {str(self.on).lower()}"


def wanted(stack: Stack) -> dict[str, bool]:
    """By logical id of each mapping in the template, whether it is to be on."""
    return {
        name: body["Properties"]["Enabled"]
        for name, body in stack.template["Resources"].items()
        if body["Type"] == MAPPING
    }


def told(account: Account, stack: Stack, state: State) -> list[Polled]:
    """The mappings of a stack as they are at this moment; none of what is not there."""
    ids = _ids(account, stack, state)
    return [Polled(name, state_of_mapping(account, ids[name]), on) for name, on in wanted(stack).items() if name in ids]


def switched(account: Account, stack: Stack, state: State, patience: Patience) -> dict[str, str]:
    """The ids of the mappings that are not as the template says, by logical id. Waits for what is under way."""
    to_be, ids = wanted(stack), _ids(account, stack, state)
    return {
        name: mapping for name, mapping in ids.items() if settled(account, mapping, patience) == _other(to_be[name])
    }


def put_right(account: Account, stack: Stack, state: State, patience: Patience, reporter: Reporter) -> bool:
    """Has every mapping of the stack be as the template says; whether one was not."""
    to_be = wanted(stack)
    others = switched(account, stack, state, patience)
    for name, mapping in others.items():
        reporter.step(stack.name, f"switching its polling {'on' if to_be[name] else 'off'}, as the file says")
        switch(account, mapping, on=to_be[name])
        settled(account, mapping, patience)
    return bool(others)


def switch(account: Account, mapping: str, *, on: bool) -> None:
    account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=on)


def state_of_mapping(account: Account, mapping: str) -> str:
    """Lambda's own word, like ``Enabled``; empty if it is not there."""
    from botocore.exceptions import ClientError

    try:
        return str(account.client("lambda").get_event_source_mapping(UUID=mapping)["State"])
    except ClientError as error:
        if error.response["Error"].get("Code") != "ResourceNotFoundException":
            raise
        return ""


def settled(account: Account, mapping: str, patience: Patience) -> str:
    """``Enabled`` or ``Disabled``, once it is one of them; empty if it is not there. Lambda refuses changes in between."""
    until = patience.clock() + patience.limit
    while True:
        found = state_of_mapping(account, mapping)
        if found in (ON, OFF, ""):
            return found
        if patience.clock() >= until:
            raise DeadlinePassed(f"the mapping {mapping} is still {found} after {patience.limit:,.0f} s", "status")
        patience.sleep(patience.pause)


def _ids(account: Account, stack: Stack, state: State) -> dict[str, str]:
    """By logical id, of the mappings that the stack has. Asks nobody about a stack without any."""
    to_be = wanted(stack)
    found = physical_ids(account, state.name) if to_be and state.there else {}
    return {name: mapping for name in to_be if (mapping := found.get(name))}


def _other(on: bool) -> str:
    return OFF if on else ON
