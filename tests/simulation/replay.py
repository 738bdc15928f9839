"""Replays histories of the suite: ``python -m tests.simulation.replay NUMBER...`` prints each one's whole trace."""

from __future__ import annotations

import sys

from tests.simulation.histories import cell_of, history


def main() -> int:
    broken = 0
    for number in map(int, sys.argv[1:]):
        told = history(number)
        report = told.run()
        consumer = told.consumer
        lines = [f"history {number}: {cell_of(number)}", f"{told.mapping}", f"{told.faults}"]
        lines.append(f"{consumer.name}, ordering={consumer.ordering}, {consumer.retry}, {consumer.breaker}")
        lines += report.trace
        lines += [f"{violation}" for violation in report.violations] or ["every promise was kept"]
        sys.stdout.write("\n".join(lines) + "\n")
        broken += not report.ok
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
