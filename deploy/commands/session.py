"""What every command begins with: the pipeline, its stacks, and the account that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.commands.scratch import scratch
from deploy.config import load
from deploy.naming import stack_name
from deploy.package import packages
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
    from pathlib import Path

    from deploy.config import Pipeline
    from deploy.stack.account import Account
    from deploy.stack.following import Reporter
    from deploy.stack.state import State
    from deploy.stacks import Stack

_STOOD_ON = ("network", "stream")
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

    def deployment(self, reporter: Reporter, packaged: Artifacts | None = None) -> Deployment:
        pause = _EMULATOR_PAUSE_S if self.account.emulated else _PAUSE_S
        patience = Patience(limit=self.wait_s, pause=pause)
        found = packaged or Artifacts(self.bucket, {})
        return Deployment(self.account, self.pipeline.prefix, found, reporter, patience)

    def packaged(self, *, send: bool) -> Artifacts:
        """Makes the functions' packages and layers. ``send``: puts those into the bucket that are missing there."""
        if self.pipeline.artifact_bucket:
            with named(f"the bucket {self.bucket}"):
                artifacts.require(self.account, self.bucket)
        with scratch() as folder:
            made = {name: packages(self.pipeline, name, root=self.root, out=folder) for name in self.pipeline.consumers}
            every = [one for several in made.values() for one in several]
            if send and made:
                with named(f"the bucket {self.bucket}"):
                    artifacts.make(self.account, self.bucket, self.pipeline.prefix)
                    artifacts.upload(self.account, self.bucket, {one.key: one.path for one in every})
        return Artifacts(
            self.bucket,
            keys={name: one.key for name, several in made.items() for one in several if not one.layer},
            layers={name: one.key for name, several in made.items() for one in several if one.layer},
        )

    def strangers(self) -> tuple[State, ...]:
        """Stacks of this pipeline that its file does not name any more; those that others stand on come last."""
        with named("the stacks of the pipeline"):
            there = stacks_of(self.account, self.pipeline.prefix)
        mine = {stack.name for stack in self.stacks}
        return tuple(sorted((state for name, state in there.items() if name not in mine), key=self._order))

    def stood_on(self, state: State) -> bool:
        """Whether other stacks need it: it goes after them, and after those that do not need it any more are updated."""
        return state.name in {stack_name(self.pipeline, role) for role in _STOOD_ON}

    def _order(self, state: State) -> tuple[bool, str]:
        return self.stood_on(state), state.name


def begin(options: argparse.Namespace) -> Session:
    """Raises ``InvalidConfiguration`` before anybody is asked, then what ``connect`` raises."""
    pipeline = load(options.config, options.env)
    made = stacks(pipeline)
    account = connect(pipeline, endpoint_url=options.endpoint_url, region=options.region)
    bucket = artifacts.bucket_of(pipeline, account)
    return Session(pipeline, made, account, bucket, options.config.resolve().parent, options.wait * 60)
