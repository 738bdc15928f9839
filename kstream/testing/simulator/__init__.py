"""A deterministic simulation of Lambda's event source mapping and of the world around a consumer.

    from kstream.testing.simulator import Faults, simulate

    for seed in range(500):
        simulate(consumer, seed=seed).raise_for_violations()

It is not AWS: it drives the same state machine, ``kstream.core.delivery``, that the local runner does, and shows what a
consumer, its ledger and its dead letters make of everything that may come. What it does not show is told in
docs/guides/simulating.md.
"""

from kstream.testing.simulator.faults import Faults
from kstream.testing.simulator.report import Report
from kstream.testing.simulator.simulation import simulate
from kstream.testing.simulator.transactions import SimulatedTransactions
from kstream.testing.simulator.truth import Violation

__all__ = ["Faults", "Report", "SimulatedTransactions", "Violation", "simulate"]
