"""Stops a consumer's polling for as long as it takes to look once more at what would go with its stack."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.stack.changes import present
from deploy.stack.errors import DeadlinePassed
from deploy.stack.state import physical_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.stack.account import Account
    from deploy.stack.deployment import Deployment
    from deploy.stack.following import Patience
    from deploy.stack.state import State

_MAPPING = "AWS::Lambda::EventSourceMapping"


@contextmanager
def stilled(deployment: Deployment, state: State) -> Iterator[None]:
    """Inside, Lambda hands the stack's function nothing, so that its queues and its ledger are what they will be at the end.

    Whatever ends the block with an error, an interruption too, has polling switched on again where it was on.
    """
    account, patience = deployment.account, deployment.patience
    on: list[str] = []
    try:
        for mapping in _mappings(account, state):
            if _settled(account, mapping, patience) == "Enabled":
                deployment.reporter.step(state.name, "stopping its polling, to look at what it holds")
                on.append(mapping)
                account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
                _settled(account, mapping, patience)
        yield
    except BaseException:
        for mapping in on:
            if _settled(account, mapping, patience) == "Disabled":
                account.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
        raise


def _mappings(account: Account, state: State) -> list[str]:
    template = present(account, state.name)
    return [
        physical_id
        for logical_id, physical_id in physical_ids(account, state.name).items()
        if physical_id and template["Resources"].get(logical_id, {}).get("Type") == _MAPPING
    ]


def _settled(account: Account, mapping: str, patience: Patience) -> str:
    """``Enabled`` or ``Disabled``, once it is one of them; empty if it is not there. Lambda refuses changes in between."""
    from botocore.exceptions import ClientError

    until = patience.clock() + patience.limit
    while True:
        try:
            found = str(account.client("lambda").get_event_source_mapping(UUID=mapping)["State"])
        except ClientError as error:
            if error.response["Error"].get("Code") != "ResourceNotFoundException":
                raise
            return ""
        if found in ("Enabled", "Disabled"):
            return found
        if patience.clock() >= until:
            raise DeadlinePassed(f"the mapping {mapping} is still {found} after {patience.limit:,.0f} s", "status")
        patience.sleep(patience.pause)
