"""``make demo``: a real data set through the whole pipeline on this machine, and the proof that its sums are right.

    python -m consumers.flights.demo [--limit N] [--json] [--keep]

Exit codes: 0, all checks hold; 1, one does not, and it is said which; 2, the demo could not run; 130, interrupted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from consumers.flights import sums
from consumers.flights.check import (
    Check,
    check_dead_letters,
    check_mishaps,
    check_put,
    check_sums,
)
from consumers.flights.consumer_process import ConsumerFailed
from consumers.flights.dataset import ARCHIVE
from consumers.flights.display import display_on
from consumers.flights.expected import expected_sums
from consumers.flights.layout import HOME, fresh
from consumers.flights.pipeline import run_pipeline
from consumers.flights.poison import poison_records
from consumers.flights.summary import Report, total
from kstream import DirectoryDeadLetters
from kstream.core.errors import KstreamError
from kstream.ingest.errors import IngestError
from kstream.local.stop_signals import StopSignals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.flights.display import Display
    from consumers.flights.layout import Layout

_POISON = 40


def main(arguments: Sequence[str] | None = None) -> int:
    from rich.console import Console

    options = _options(arguments)
    # A pipe has no width of its own, and nobody should read a table that was squeezed into 80 columns.
    console = Console(stderr=options.json, width=None if sys.stdout.isatty() else 120)
    try:
        with StopSignals(), fresh(options.home) as where:
            with display_on(console) as display:
                report = run(where, display, limit=options.limit, archive=options.archive)
            if options.json:
                print(report.to_json())  # noqa: T201
            else:
                report.print(console)
            if options.keep or not report.holds:
                console.print(f"The run's files are in {where.path}, until the next one", highlight=False, markup=False)
            else:
                shutil.rmtree(where.path)
    except KeyboardInterrupt:
        console.print("Interrupted: everything is stopped")
        return 130
    except (KstreamError, IngestError, ConsumerFailed) as error:
        console.print(f"The demo could not run: {error}", style="red", markup=False, highlight=False)
        return 2
    return 0 if report.holds else 1


def run(where: Layout, display: Display, *, limit: int | None = None, archive: Path = ARCHIVE) -> Report:
    """The whole demo over the first ``limit`` flights, or over all."""
    expected = expected_sums(limit, archive)
    flights = total(expected).flights
    poison = poison_records(_POISON)
    display.say(f"{flights:,} flights to count, and {len(poison)} poison records among them")
    end = run_pipeline(where, display, poison, flights=flights, limit=limit, archive=archive)
    found = sums.read(where.sums)
    letters = [stored.letter() for stored in DirectoryDeadLetters(where.dead_letters).letters()]
    now = end.snapshot
    checks = (
        check_put(now.put, flights + len(poison), end.not_put),
        *check_sums(expected, found),
        check_dead_letters(poison, letters),
        check_mishaps(failures=end.failures, redeliveries=now.redelivered, restarts=now.restarts),
        Check("nothing else went wrong", not end.troubles, "; ".join(end.troubles[:3]) or "nothing"),
    )
    return Report(sums=found, expected=expected, checks=checks, end=now, failures=end.failures, seconds=end.seconds)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m consumers.flights.demo",
        description="Puts the flights of New York City in 2013 through the whole pipeline on this machine, lets the "
        "consumer fail and die on the way, and checks its sums against the data set's.",
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N flights, not all 336,776")
    parser.add_argument("--json", action="store_true", help="the summary as JSON on standard output")
    parser.add_argument("--keep", action="store_true", help="keep the run's files: sums, dead letters, logs")
    parser.add_argument("--home", type=Path, default=HOME, metavar="DIR", help=f"where runs keep their files ({HOME})")
    parser.add_argument("--archive", type=Path, default=ARCHIVE, metavar="FILE", help="the data set's archive")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} flights cannot be put; give 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
