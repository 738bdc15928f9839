"""The suite catches every design that is known to lose data, in histories through which the real one goes unharmed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.mapping import EventSourceMapping
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from kstream.testing.simulator import Faults, SimulatedTransactions, simulate
from kstream.testing.simulator.simulation import lambda_runtime
from kstream.testing.simulator.transactions import TableTransaction
from tests.simulation.flawed import runtime_of
from tests.simulation.histories import Counting, Plain

if TYPE_CHECKING:
    from kstream.testing.simulator import Report
    from kstream.testing.simulator.simulation import Runtime
    from tests.simulation.flawed import Flaw

SEEDS = range(200)

# What each brings about, and that it does so in how many of the histories at least.
CAUGHT: dict[Flaw, tuple[str, int]] = {
    "shard watermark": ("lost", 40),
    "user-key watermark": ("lost", 20),
    "range marker": ("lost", 10),
    "text comparison": ("lost", 5),
    "marks before the dead letter is written": ("lost", 10),
    "marks before the effect": ("lost", 20),
    "answers the highest that failed": ("lost", 20),
    "takes unfinished for done at the deadline": ("lost", 5),
    "goes on behind a failure": ("overtaken", 20),
    "orders by the user's key": ("overtaken", 10),
    "drops malformed aggregates": ("lost", 10),
    "answers what is not in the batch": ("identifier", 40),
}


def run(seed: int, runtime: Runtime) -> Report:
    """A history of lanes, aggregates and every fault, the same for whatever runs in it."""
    consumer = Consumer(
        Plain,
        ordering="partition_key",
        ledger=MemoryLedger(),
        dead_letters=MemoryDeadLetters(),
        retry=Retry(attempts=1),
    )
    faults = Faults(
        crash=0.01,
        duplicate=0.01,
        timeout=0.01,
        slow=0.35,
        transient=0.2,
        poison=0.1,
        ledger_reads=0.1,
        ledger_writes=0.1,
        dead_letters=0.4,
        aggregates=0.4,
        malformed=0.05,
        reshards=seed % 2,
    )
    mapping = EventSourceMapping(
        batch_size=(2, 5, 20)[seed % 3], parallelization_factor=(1, 2, 4, 10)[seed % 4], bisect_on_error=seed % 5 == 0
    )
    return simulate(consumer, seed=seed, faults=faults, mapping=mapping, runtime=runtime)


@pytest.mark.parametrize("flaw", CAUGHT)
def test_a_flaw_is_caught(flaw: Flaw) -> None:
    kind, at_least = CAUGHT[flaw]
    found = Counter(kind for seed in SEEDS for kind in {each.kind for each in run(seed, runtime_of(flaw)).violations})
    assert found[kind] >= at_least, found


@pytest.mark.parametrize("runtime", ["kstream's own", "the same plain processing without a flaw"])
def test_the_same_histories_are_clean_without_a_flaw(runtime: str) -> None:
    for seed in SEEDS:
        run(seed, lambda_runtime if runtime == "kstream's own" else runtime_of("none")).raise_for_violations()


WHOLE = (1 << 100) - 1
"""More user records than an aggregate has here."""


class WatermarkLedger(MemoryLedger):
    """Everything up to the highest position that was saved counts as done."""

    def load(self, scope: Any, first: int, last: int) -> dict[int, int]:
        known = super().load(scope, 0, 10**60)
        return dict.fromkeys(range(first, min(max(known), last) + 1), WHOLE) if known else {}


class RangeLedger(MemoryLedger):
    """What is saved counts as done from its first to its last position."""

    def save(self, scope: Any, done: Any) -> None:
        if done:
            super().save(scope, dict.fromkeys(range(min(done), max(done) + 1), WHOLE))


class ShardlessLedger(MemoryLedger):
    """Takes a position for the same in every shard."""

    def load(self, scope: Any, first: int, last: int) -> dict[int, int]:
        return super().load(scope._replace(shard_id=""), first, last)

    def save(self, scope: Any, done: Any) -> None:
        super().save(scope._replace(shard_id=""), done)


class WholeAggregateLedger(MemoryLedger):
    """Takes a Kinesis record for done with the first user record in it."""

    def save(self, scope: Any, done: Any) -> None:
        super().save(scope, dict.fromkeys(done, WHOLE))


class ForgetfulLedger(MemoryLedger):
    """Says that it has written, and has not."""

    def save(self, scope: Any, done: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("ledger", "kind"),
    [
        (WatermarkLedger, "lost"),
        (RangeLedger, "lost"),
        (ShardlessLedger, "lost"),
        (WholeAggregateLedger, "lost"),
        (ForgetfulLedger, "twice"),
    ],
)
def test_a_flawed_ledger_under_the_real_processor_is_caught(ledger: type[MemoryLedger], kind: str) -> None:
    found: Counter[str] = Counter()
    for seed in SEEDS:
        consumer = Consumer(Plain, ordering="partition_key", ledger=ledger(), dead_letters=MemoryDeadLetters())
        mapping = EventSourceMapping(batch_size=5, parallelization_factor=(1, 4)[seed % 2])
        faults = Faults(transient=0.1, persistent=0.2, aggregates=0.4, reshards=1)
        report = simulate(consumer, seed=seed, faults=faults, mapping=mapping, ledger=consumer.ledger)
        found.update({each.kind for each in report.violations})
    assert found[kind] >= 20, found


class EffectsAlone(SimulatedTransactions):
    """Its effects take hold, and its markers do not."""

    def begin(self, scope: Any) -> TableTransaction:
        return EffectsAloneTransaction(self, scope)


class EffectsAloneTransaction(TableTransaction):
    def _mark(self, position: Any, key: Any) -> None:
        pass


class Unchecked(SimulatedTransactions):
    """Neither looks whether a position is marked, nor has the commit refuse it."""

    def is_marked(self, scope: Any, position: Any, key: Any) -> bool:
        return False


@pytest.mark.parametrize("store", [EffectsAlone, Unchecked])
def test_a_transaction_that_does_not_hold_together_is_caught(store: type[SimulatedTransactions]) -> None:
    found: Counter[str] = Counter()
    for seed in SEEDS:
        consumer = Consumer(Counting, ordering="partition_key", ledger=store(), dead_letters=MemoryDeadLetters())
        report = simulate(consumer, seed=seed, faults=Faults(crash=0.02, duplicate=0.05, ledger_writes=0.1))
        found.update({each.kind for each in report.violations})
    assert found["twice"] >= 20, found
