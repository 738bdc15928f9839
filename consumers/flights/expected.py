"""The sums straight from the table: no record, no stream and no handler in between, so that they can judge all three."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from consumers.flights.dataset import ARCHIVE, table
from consumers.flights.sums import CarrierDay, Tally

if TYPE_CHECKING:
    from pathlib import Path


def expected_sums(limit: int | None = None, archive: Path = ARCHIVE) -> dict[CarrierDay, Tally]:
    """Over all flights, or the first ``limit``."""
    found: dict[CarrierDay, list[int]] = {}
    with table(archive) as rows:
        columns = next(rows)
        year, month, day, time, delay, carrier = map(
            columns.index, ("year", "month", "day", "dep_time", "dep_delay", "carrier")
        )
        for row in islice(rows, limit):
            key = CarrierDay(row[carrier], f"{row[year]}-{row[month]:0>2}-{row[day]:0>2}")
            tally = found.setdefault(key, [0, 0, 0])
            tally[0] += 1
            if row[time] != "NA":
                tally[1] += 1
                tally[2] += max(0, int(row[delay]))
    return {key: Tally(*numbers) for key, numbers in found.items()}
