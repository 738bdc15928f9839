"""What an emulator left out while it said that all is well. On AWS nothing is skipped, and nothing is listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.stack.state import physical_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.stack.account import Account
    from deploy.stacks import Stack

_PLACEHOLDER = "unknown"
"""The physical id that LocalStack gives to what it "deployed as a fallback", which is not at all."""

IGNORED = {"AWS::Kinesis::Stream": ("RetentionPeriodHours", "StreamEncryption")}
"""Settings that LocalStack 4.14.0 takes and does nothing with."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A resource that was not made, or, with a ``setting``, one setting of a resource that was."""

    stack: str
    logical_id: str
    kind: str
    setting: str = ""

    def __str__(self) -> str:
        return f"{self.stack} {self.logical_id}{f'.{self.setting}' if self.setting else ''} ({self.kind})"


def skipped(account: Account, stack: Stack) -> list[Skipped]:
    """Of a stack that is there."""
    if not account.emulated:
        return []
    return compared(stack, physical_ids(account, stack.name))


def compared(stack: Stack, made: Mapping[str, str | None]) -> list[Skipped]:
    """``made``: physical ids by logical id."""
    found: list[Skipped] = []
    for logical_id, resource in stack.template["Resources"].items():
        kind = resource["Type"]
        if made.get(logical_id) in (None, "", _PLACEHOLDER):
            found.append(Skipped(stack.name, logical_id, kind))
            continue
        found += [
            Skipped(stack.name, logical_id, kind, setting)
            for setting in IGNORED.get(kind, ())
            if setting in resource["Properties"]
        ]
    return found
