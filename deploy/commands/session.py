"""What every command begins with: the pipeline, its stacks, and the account that they are in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.config import load
from deploy.package import function_package
from deploy.stack import artifacts
from deploy.stack.account import connect
from deploy.stack.deployment import Deployment
from deploy.stack.errors import named
from deploy.stack.following import Patience
from deploy.stack.state import stacks_of
from deploy.stack.values import Artifacts
from deploy.synthesis import stacks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from deploy.config import Pipeline
    from deploy.stack.account import Account
    from deploy.stack.following import Reporter
    from deploy.stack.state import State
    from deploy.stacks import Stack

_PAUSE_S = 2.0
_EMULATOR_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Session:
    """``root`` is the folder of the file."""

    pipeline: Pipeline
    stacks: tuple[Stack, ...]
    account: Account
    bucket: str
    root: Path
    wait_s: float

    @property
    def own_bucket(self) -> str | None:
        """The bucket of packages, unless it is one that somebody named."""
        return None if self.pipeline.artifact_bucket else self.bucket

    def deployment(self, reporter: Reporter, keys: Mapping[str, str]) -> Deployment:
        pause = _EMULATOR_PAUSE_S if self.account.emulated else _PAUSE_S
        patience = Patience(limit=self.wait_s, pause=pause)
        return Deployment(self.account, self.pipeline.prefix, Artifacts(self.bucket, keys), reporter, patience)

    def packaged(self, *, send: bool) -> dict[str, str]:
        """Makes the functions' packages; their keys in the bucket. ``send``: puts those there that are missing."""
        with tempfile.TemporaryDirectory(prefix="kstream-packages-") as folder:
            made = {
                name: function_package(self.pipeline, name, root=self.root, out=Path(folder))
                for name in self.pipeline.consumers
            }
            if send and made:
                with named(f"the bucket {self.bucket}"):
                    artifacts.make(self.account, self.bucket)
                    artifacts.upload(self.account, self.bucket, {one.key: one.path for one in made.values()})
        return {name: one.key for name, one in made.items()}

    def strangers(self) -> dict[str, State]:
        """Stacks of this pipeline that its file does not name any more."""
        with named("the stacks of the pipeline"):
            there = stacks_of(self.account, self.pipeline.prefix)
        return {name: state for name, state in there.items() if name not in {stack.name for stack in self.stacks}}


def begin(options: argparse.Namespace) -> Session:
    """Raises ``InvalidConfiguration`` before anybody is asked, then what ``connect`` raises."""
    pipeline = load(options.config, options.env)
    made = stacks(pipeline)
    account = connect(pipeline, endpoint_url=options.endpoint_url, region=options.region)
    bucket = artifacts.bucket_of(pipeline, account)
    return Session(pipeline, made, account, bucket, options.config.resolve().parent, options.wait * 60)
