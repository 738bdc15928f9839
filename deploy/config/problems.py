"""What is wrong with a configuration: all of it at once, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from kstream import ConfigurationError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """``path`` is the setting's, with dots: ``consumers.archive.memory_mb``; empty for the whole file."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def below(self, path: str) -> Problem:
        """The same, in a table at ``path``."""
        return Problem(inside(path, self.path), self.message)


class Problems(list[Problem]):
    """What is wrong. ``idle`` are settings that are given and change nothing: wrong only if they do so everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: list[Problem] = []


class InvalidConfiguration(ConfigurationError):
    """The configuration cannot be used. ``problems`` holds at least one."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


def nearest(wrong: str, allowed: Iterable[object]) -> str:
    """``"; did you mean 'x'?"``, or nothing if no name is near."""
    found = get_close_matches(wrong, [str(name) for name in allowed], n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def listed(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)


def inside(path: str, below: str) -> str:
    return ".".join(part for part in (path, below) if part)
