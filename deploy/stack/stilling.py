"""Stops a consumer's polling for as long as it takes to look once more at what would go with its stack."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.stack.changes import present
from deploy.stack.polling import MAPPING, OFF, ON, settled, switch
from deploy.stack.state import physical_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.stack.account import Account
    from deploy.stack.deployment import Deployment
    from deploy.stack.state import State


@contextmanager
def stilled(deployment: Deployment, state: State) -> Iterator[Sequence[str]]:
    """Inside, Lambda hands the stack's function nothing, so that its queues and its ledger are what they will be at the end.
    Yields the mappings that were on.

    Whatever ends the block with an error, an interruption too, has polling switched on again where it was on.
    """
    account, patience = deployment.account, deployment.patience
    on: list[str] = []
    try:
        for mapping in _mappings(account, state):
            if settled(account, mapping, patience) == ON:
                deployment.reporter.step(state.name, "stopping its polling, to look at what it holds")
                on.append(mapping)
                switch(account, mapping, on=False)
                settled(account, mapping, patience)
        yield on
    except BaseException:
        switch_on(deployment, on)
        raise


def switch_on(deployment: Deployment, mappings: Sequence[str]) -> None:
    for mapping in mappings:
        if settled(deployment.account, mapping, deployment.patience) == OFF:
            switch(deployment.account, mapping, on=True)


def _mappings(account: Account, state: State) -> list[str]:
    template = present(account, state.name)
    return [
        physical_id
        for logical_id, physical_id in physical_ids(account, state.name).items()
        if physical_id and template["Resources"].get(logical_id, {}).get("Type") == MAPPING
    ]
