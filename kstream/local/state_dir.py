"""The state directory: where the pipeline of this machine keeps what must outlive it. One layout, in one place.

.kstream/
├── ledger.sqlite            of consumers that name no ledger
├── checkpoints.sqlite       how far each consumer has come in each shard
├── dead-letters/NAME/       of consumers that name no sink
├── on-failure/NAME.jsonl    what the event source mapping gave up
├── emulator/                the embedded Kinesis, its records included
├── consumers/NAME.lock      held while a consumer of that name runs
├── redrive.sqlite           what ``kstream dead-letters`` has redriven
├── redrive.lock             held while it redrives
├── dev.lock                 held while a ``kstream dev`` runs
└── dev.json                 its addresses, for the other commands
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class StateDir:
    """The paths in a state directory. Makes nothing: whoever writes does."""

    path: Path

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.sqlite"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints.sqlite"

    @property
    def emulator(self) -> Path:
        return self.path / "emulator"

    @property
    def dev_lock(self) -> Path:
        return self.path / "dev.lock"

    @property
    def dev_file(self) -> Path:
        return self.path / "dev.json"

    def dead_letters(self, consumer: str) -> Path:
        return self.path / "dead-letters" / _file_name(consumer)

    def consumer_lock(self, consumer: str) -> Path:
        return self.path / "consumers" / f"{_file_name(consumer)}.lock"

    def on_failure(self, consumer: str) -> Path:
        return self.path / "on-failure" / f"{_file_name(consumer)}.jsonl"


def _file_name(consumer: str) -> str:
    """A consumer's name as a file's: it may be any text, and must not lead out of the directory."""
    return _UNSAFE.sub("-", consumer).lstrip(".") or "consumer"
