"""What happened in a simulated world, line by line."""

from __future__ import annotations


class Trace:
    """Lines are put together only when somebody reads them: most histories go well, and nobody does.

    ``depth``  how many invocations are at work: each further one is indented.
    """

    __slots__ = ("_entries", "depth", "now")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, str, tuple[object, ...]]] = []
        self.depth = 0
        self.now = 0.0

    def add(self, template: str, *values: object) -> None:
        """``values`` must not change any more."""
        self._entries.append((self.now, self.depth, template, values))

    def __len__(self) -> int:
        return len(self._entries)

    def lines(self) -> list[str]:
        return [f"{at:9.3f}  {'| ' * depth}{template.format(*values)}" for at, depth, template, values in self._entries]
