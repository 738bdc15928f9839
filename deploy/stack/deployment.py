"""Brings one stack to what its template says: ready, compared, executed, followed to the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploy.stack import adoption, changes, holdings, polling
from deploy.stack.changes import Change
from deploy.stack.errors import DataWouldBeLost, NameTaken, named
from deploy.stack.failures import never_was, require_ready, rolled_back
from deploy.stack.following import events, follow
from deploy.stack.leaving import data_would_be_lost, lost_with_stacks
from deploy.stack.state import PIPELINE_TAG, Phase, state_of
from deploy.stack.values import values
from deploy.stack.widening import widened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.stack.account import Account
    from deploy.stack.changes import ChangeSet
    from deploy.stack.following import Patience, Reporter
    from deploy.stack.holdings import Held
    from deploy.stack.standing import Standing
    from deploy.stack.state import State
    from deploy.stack.values import Artifacts
    from deploy.stacks import Stack


@dataclass(frozen=True, slots=True)
class Brought:
    """What ``bring_up`` has done. ``left``: what held data, is not part of the stack any more, and is there still."""

    what: Literal["created", "updated", "unchanged"]
    left: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is the same for all stacks of one ``up`` or ``plan``. ``pipeline`` is its prefix."""

    account: Account
    pipeline: str
    artifacts: Artifacts
    reporter: Reporter
    patience: Patience

    def planned(self, stack: Stack, *, adopt: bool = False) -> tuple[Change, ...]:
        """What ``up`` would change, by what the stacks before say now. Leaves nothing behind."""
        with named(f"the stack {stack.name}"):
            state = self.settled(stack.name)
            there = adoption.adoptable(self.account, stack, state) if adopt else []
            if state.phase in (Phase.ABSENT, Phase.BEGUN):
                return adoption.marked(changes.creation(stack), there)
            require_ready(state)
            found = self._compare(stack, state)
            if found.id is not None:
                changes.discard(self.account, found.id)
            return adoption.marked((*found.changes, *self._switched(stack, state, found.changes)), there)

    def bring_up(
        self, stack: Stack, *, replace_failed: bool = False, accept_loss: bool = False, adopt: bool = False
    ) -> Brought:
        """Raises ``NameTaken``, ``StackFailed``, ``ChangeRefused``, ``DataWouldBeLost``, ``RolledBack``, ...

        ``adopt``: what the stack's template names and what is there already becomes part of the stack, with what it holds.
        """
        with named(f"the stack {stack.name}"):
            state = self.settled(stack.name)
            if state.phase is Phase.FAILED and replace_failed and never_was(state):
                state = self._cleared(state)
            if adopt and state.phase is not Phase.FAILED:
                state = self._adopted(stack, state)
            new = state.phase in (Phase.ABSENT, Phase.BEGUN)
            if not new:
                require_ready(state)
            found = self._compare(stack, state)
            if found.id is None:
                self._mark(state)
                return Brought("updated" if self._polls_again(stack, state) else "unchanged")
            lost = [change.logical_id for change in found.changes if change.loses_data]
            if lost and not accept_loss:
                changes.discard(self.account, found.id)
                raise DataWouldBeLost(
                    f"{stack.name}: {', '.join(lost)} would be removed or replaced, with the data in it",
                    "up --accept-loss",
                )
            self.reporter.step(stack.name, "creating" if new else "updating")
            before = frozenset(event.id for event in events(self.account, found.stack_id))
            # What a failed change has only just made holds no data: kept, it would be in the way of the next try.
            self.account.cloudformation.execute_change_set(ChangeSetName=found.id, RetainExceptOnCreate=True)
            done = self._followed(found.stack_id, before)
            self._mark(done)
            self._polls_again(stack, done)
            return Brought("created" if new else "updated", tuple(self._left(found.changes)))

    def widened(self, stack: Stack) -> Stack | None:
        """The stack with what it has now and is to lose; None if it is to lose nothing."""
        with named(f"the stack {stack.name}"):
            state = self.settled(stack.name)
            return widened(stack, changes.present(self.account, state.name)) if state.phase is Phase.READY else None

    def require_adoptable(self, stacks: Sequence[Stack]) -> None:
        """Raises ``CannotAdopt`` before anything is made. An emulator is asked, since it may have no import at all."""
        for stack in stacks:
            with named(f"the stack {stack.name}"):
                state = self.settled(stack.name)
                there = adoption.adoptable(self.account, stack, state)
                if there and self.account.emulated:
                    found = self._import(stack, state, there)
                    if found.id is not None:
                        changes.discard(self.account, found.id)

    def _mark(self, state: State) -> None:
        if self.account.emulated:
            holdings.mark_kept(self.account, self.pipeline, state)

    def _switched(self, stack: Stack, state: State, planned: Sequence[Change]) -> Iterator[Change]:
        """What is to be changed though CloudFormation sees no change: polling that somebody else has switched."""
        known = {change.logical_id for change in planned}
        for name, mapping in polling.switched(self.account, stack, state, self.patience).items():
            if name not in known:
                yield Change("modify", name, polling.MAPPING, because=("Enabled",), name=mapping)

    def _polls_again(self, stack: Stack, state: State) -> bool:
        return polling.put_right(self.account, stack, state, self.patience, self.reporter)

    def _left(self, done: Sequence[Change]) -> Iterator[Held]:
        for change in done:
            if change.leaves_data and change.name:
                kind = changes.HOLD_DATA[change.kind]
                found = holdings.look(self.account, self.pipeline, kind, change.name.rpartition("/")[2], kept=True)
                if found is not None:
                    yield found

    def settled(self, name: str) -> State:
        """The stack's state when nothing is under way. Raises ``NameTaken`` if it is not ours."""
        state = state_of(self.account, name)
        # A stack that is only begun has the tags of its change set, and not of its own yet.
        if state.there and state.tags.get(PIPELINE_TAG) != self.pipeline:
            raise NameTaken(
                f"there is a stack {name} that was not made by this pipeline (it has no tag {PIPELINE_TAG} = "
                f"{self.pipeline}): give the pipeline another name, or choose another account or region",
                "status",
            )
        if state.phase is not Phase.BUSY:
            return state
        self.reporter.step(name, f"is {state.status}: an earlier command or another one is at work; waiting")
        before = frozenset(event.id for event in events(self.account, state.id))
        return follow(self.account, state.id, self.reporter, self.patience, after=before)[0]

    def _compare(self, stack: Stack, state: State) -> ChangeSet:
        # What the template takes and the stack does not give keeps its value: see ``widened``.
        found = dict.fromkeys(stack.template.get("Parameters", ())) | values(self.account, stack, self.artifacts)
        return changes.make(
            self.account,
            stack,
            state,
            found,
            pipeline=self.pipeline,
            bucket=self.artifacts.bucket,
            patience=self.patience,
        )

    def _adopted(self, stack: Stack, state: State) -> State:
        """The state once all that stands already is in the stack. Changes nothing of what it takes."""
        there = adoption.adoptable(self.account, stack, state)
        if not there:
            return state
        self.reporter.step(stack.name, f"adopting {', '.join(dict.fromkeys(one.name for one in there))}")
        found = self._import(stack, state, there)
        if found.id is None:
            return state
        before = frozenset(event.id for event in events(self.account, found.stack_id))
        self.account.cloudformation.execute_change_set(ChangeSetName=found.id)
        return self._followed(found.stack_id, before)

    def _import(self, stack: Stack, state: State, there: Sequence[Standing]) -> ChangeSet:
        return adoption.make(
            self.account,
            stack,
            state,
            there,
            pipeline=self.pipeline,
            bucket=self.artifacts.bucket,
            patience=self.patience,
        )

    def _followed(self, stack_id: str, before: frozenset[str]) -> State:
        state, told = follow(self.account, stack_id, self.reporter, self.patience, after=before)
        if state.phase is not Phase.READY or state.rolled_back:
            raise rolled_back(state, told, adopts=not self.account.emulated)
        return state

    def _cleared(self, state: State) -> State:
        """Deletes a stack that was never created, or is half deleted. Raises ``DataWouldBeLost``."""
        lost = lost_with_stacks(holdings.held_by(self.account, self.pipeline, state), ())
        if lost:
            raise data_would_be_lost(lost, (), "down", f"{state.name} is as it was")
        self.reporter.step(state.name, f"is {state.status}: deleting what is left of it")
        self.account.cloudformation.delete_stack(StackName=state.id)
        after, told = follow(self.account, state.id, self.reporter, self.patience)
        if after.phase is not Phase.ABSENT:
            raise rolled_back(after, told, again="up --replace-failed")
        return after
