"""The consumer as the demo runs it: the same handler, with failures on purpose, and a chronicle of its batches.

It is run by ``kstream consume``; the demo names its directory in ``FLIGHTS_DEMO_DIR``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from consumers.flights import consumer as flights
from consumers.flights.chronicle import Chronicle
from consumers.flights.layout import DIRECTORY, Layout
from consumers.flights.mishaps import ATTEMPTS, Mishaps, Plan
from kstream import Consumer, DirectoryDeadLetters, Retry, SQLiteLedger, on_lambda

if TYPE_CHECKING:
    from kstream import Record, SQLTransaction


class UnreliableFlightDelays(flights.FlightDelays):
    """Fails now and then, when it has counted the flight already: that must be undone."""

    def __init__(self, path: Path, mishaps: Mishaps, chronicle: Chronicle) -> None:
        super().__init__(path)
        self._mishaps = mishaps
        self._chronicle = chronicle

    def process(self, record: Record, transaction: SQLTransaction) -> None:
        self._chronicle.saw(record)
        super().process(record, transaction)
        self._mishaps.befall(record)


def _consumer(where: Layout) -> Consumer:
    mishaps = Mishaps(Plan(**json.loads(where.plan.read_text())))
    chronicle = Chronicle(where.chronicle, mishaps)
    return Consumer(
        lambda: UnreliableFlightDelays(where.sums, mishaps, chronicle),
        name=flights.consumer.name,
        ordering=flights.consumer.ordering,
        # Pauses for a demo in a hurry; the default's are for dependencies that need time to recover.
        retry=Retry(attempts=ATTEMPTS, base=0.001, cap=0.01),
        ledger=SQLiteLedger(where.sums),
        dead_letters=DirectoryDeadLetters(where.dead_letters),
        telemetry=chronicle,
    )


lambda_handler = on_lambda(_consumer(Layout(Path(os.environ[DIRECTORY]))))
