"""What became of a simulated history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kstream.core.mapping import EventSourceMapping
    from kstream.core.record import Record
    from kstream.testing.simulator.faults import Faults
    from kstream.testing.simulator.promises import Promises
    from kstream.testing.simulator.trace import Trace
    from kstream.testing.simulator.truth import Truth, Violation

_LAST_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One history, told and judged.

    ``seed``, ``mapping``, ``faults``  what it was made of; the same three, with the same consumer, make it again.
    ``violations``     promises that were broken; empty if all is well.
    ``effects``        the records as the handler saw them, in the order in which their effects took hold.
    ``records``        user records in the stream, of which ``dead_lettered`` were parked, ``discarded`` were given up by
                       the mapping and named to its on-failure destination, and ``lost`` ended nowhere.
    ``run_twice``      effects beyond the first of a record.
    ``out_of_order``   effects that took hold before a record in front of them was settled.
    ``happened``       how often what happened, by name: deliveries, crashes, timeouts, duplicates and so on.
    ``left_out``       sentences: what of the consumer was not simulated as it is.
    ``cause``          the first exception of those that are themselves a violation, with its traceback.
    """

    seed: int
    mapping: EventSourceMapping
    faults: Faults
    violations: Sequence[Violation]
    effects: Sequence[Record] = field(repr=False)
    records: int
    dead_lettered: int
    discarded: int
    lost: int
    run_twice: int
    out_of_order: int
    happened: Mapping[str, int]
    left_out: Sequence[str] = ()
    recorded: Trace = field(repr=False)
    cause: BaseException | None = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        return not self.violations

    @property
    def trace(self) -> list[str]:
        """What happened, line by line: seconds since the start, indented by how many invocations were at work."""
        return self.recorded.lines()

    def raise_for_violations(self) -> None:
        """Raises ``AssertionError`` with the seed, what was broken, and the trace up to there, if anything was."""
        if self.ok:
            return
        upto = self.violations[0].line
        lines = self.trace[max(0, upto - _LAST_LINES) : upto]
        broken = "\n".join(f"  {violation}" for violation in self.violations)
        told = "\n".join(lines)
        raise AssertionError(
            f"seed {self.seed}: {len(self.violations)} violation(s)\n{broken}\n"
            f"under {self.mapping}\nand {self.faults}\nup to the first:\n{told}"
        ) from self.cause


def judged(
    truth: Truth,
    promises: Promises,
    *,
    seed: int,
    mapping: EventSourceMapping,
    faults: Faults,
    happened: Mapping[str, int],
    left_out: Sequence[str],
    trace: Trace,
) -> Report:
    """The report of a history that has come to its end, with what the consumer's ledger promises counted out."""
    items = list(truth.stream.items())
    run_twice = sum(item.effects - 1 for item in items if item.effects > 1)
    promises.check(truth, run_twice, happened)
    return Report(
        seed=seed,
        mapping=mapping,
        faults=faults,
        violations=tuple(truth.violations),
        effects=tuple(truth.effects),
        records=len(items),
        dead_lettered=sum(bool(item.parked) for item in items),
        discarded=sum(item.discarded and not item.effects and not item.parked for item in items),
        lost=len(truth.lost),
        run_twice=run_twice,
        out_of_order=truth.overtaken,
        happened=dict(happened),
        left_out=tuple(left_out),
        recorded=trace,
        cause=truth.cause,
    )
