"""The end of the demo: its report, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumers.flights.sums import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from consumers.flights.check import Check
    from consumers.flights.display import Snapshot
    from consumers.flights.sums import CarrierDay


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``sums`` as the consumer computed them. ``seconds`` from the first record put to the last one processed."""

    sums: Mapping[CarrierDay, Tally]
    expected: Mapping[CarrierDay, Tally]
    checks: tuple[Check, ...]
    end: Snapshot
    failures: int
    seconds: float

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)

    def to_json(self) -> str:
        end = self.end
        return json.dumps(
            {
                "ok": self.holds,
                "seconds": round(self.seconds, 2),
                "put": end.put,
                "processed": end.processed,
                "handlerFailures": self.failures,
                "retried": end.retried,
                "redelivered": end.redelivered,
                "deadLettered": end.dead_lettered,
                "restarts": end.restarts,
                "carriers": {carrier: tally._asdict() for carrier, tally in by_carrier(self.sums).items()},
                "total": total(self.sums)._asdict(),
                "expected": total(self.expected)._asdict(),
                "checks": [check._asdict() for check in self.checks],
            },
            indent=2,
        )

    def print(self, console: Console) -> None:
        from rich.markup import escape
        from rich.table import Table

        found, expected = by_carrier(self.sums), by_carrier(self.expected)
        table = Table("Carrier", title="Flights from New York City in 2013, as the consumer counted them")
        for column in ("Flights", "Departures", "Delay minutes"):
            table.add_column(column, justify="right")
        table.add_column("As the data set")
        for carrier in sorted(found.keys() | expected.keys()):
            _row(table.add_row, carrier, found.get(carrier, Tally()), expected.get(carrier, Tally()))
        table.add_section()
        _row(table.add_row, "all", total(self.sums), total(self.expected))
        console.print(table)
        for check in self.checks:
            line = f"{_mark(check.holds)} {escape(check.claim)} [dim]({escape(check.detail)})[/]"
            console.print(line, highlight=False, soft_wrap=True)
        rate = self.end.processed / self.seconds if self.seconds else 0
        console.print(f"{self.end.processed:,} records in {self.seconds:.1f} s, {rate:,.0f} a second", highlight=False)


def by_carrier(sums: Mapping[CarrierDay, Tally]) -> dict[str, Tally]:
    """Summed up over the days, the carriers in order."""
    carriers: dict[str, Tally] = {}
    for key in sorted(sums):
        carriers[key.carrier] = carriers.get(key.carrier, Tally()).plus(sums[key])
    return carriers


def total(sums: Mapping[CarrierDay, Tally]) -> Tally:
    """Summed up over everything."""
    result = Tally()
    for tally in sums.values():
        result = result.plus(tally)
    return result


def _row(add_row: Callable[..., None], name: str, found: Tally, expected: Tally) -> None:
    add_row(name, *(f"{number:,}" for number in found), _mark(found == expected))


def _mark(holds: bool) -> str:
    return "[green]✓[/]" if holds else "[red]✗[/]"
