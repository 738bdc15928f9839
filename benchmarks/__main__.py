"""``python -m benchmarks [--quick] [NAME...]``: every benchmark, or the named ones. Exit code 1 if a bound does not hold."""

from __future__ import annotations

import argparse
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from benchmarks.measuring import measure

if TYPE_CHECKING:
    from benchmarks.result import Bound, Result

NAMES = (
    "import_cost",
    "plain_batch",
    "telemetry",
    "aggregated_batch",
    "codec",
    "memory",
    "async_keys",
    "ingest_gateway",
    "put_all",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs, not to quote")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    print(f"Python {platform.python_version()} on {platform.machine()}\n")
    held = True
    # Each in a process of its own: the heap and the imports that one leaves change what the next would measure.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in arguments.names or NAMES:
            result = processes.submit(measure, name, quick=arguments.quick).result()
            _show(result)
            held = held and all(bound.holds for bound in result.bounds)
    return 0 if held else 1


def _show(result: Result) -> None:
    """As Markdown, so that it can be kept as it is."""
    print(f"### {result.title}\n")
    print(f"| {' | '.join(result.columns)} |")
    print(f"|{'---|' * len(result.columns)}")
    for row in result.rows:
        print(f"| {' | '.join(row)} |")
    print()
    for bound in result.bounds:
        print(
            f"- {bound.promise}: {bound.measured:.2f} ({_limit(bound)}) {'holds' if bound.holds else 'DOES NOT HOLD'}"
        )
    print(flush=True)


def _limit(bound: Bound) -> str:
    return f"at most {bound.at_most:g}" if bound.at_most is not None else f"at least {bound.at_least:g}"


if __name__ == "__main__":
    sys.exit(main())
