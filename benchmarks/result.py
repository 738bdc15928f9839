"""What a benchmark found: rows for a table, and bounds that hold or do not."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bound:
    """Something that was promised, and the number measured for it."""

    promise: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        return (self.at_most is None or self.measured <= self.at_most) and (
            self.at_least is None or self.measured >= self.at_least
        )


@dataclass(frozen=True)
class Result:
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    bounds: list[Bound] = field(default_factory=list)
