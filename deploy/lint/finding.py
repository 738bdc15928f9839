"""What lint says: a rule, a finding, and what a rule is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deploy.config import Pipeline
    from deploy.stacks import Stack

PAGE = "docs/reference/lint-rules.md"

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: the configuration, and the templates that came of it."""

    pipeline: Pipeline
    stacks: Sequence[Stack]


@dataclass(frozen=True, slots=True)
class Remark:
    """A rule's own words. ``about`` is what it concerns: a consumer, a stream; ``path`` the setting to change."""

    about: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """``id`` is for ever; ``name`` is its heading in the documentation."""

    id: str
    name: str
    severity: Severity
    check: Callable[[Subject], Iterator[Remark]]

    @property
    def anchor(self) -> str:
        """Its place in the documentation."""
        return f"{PAGE}#{self.id.lower()}"


@dataclass(frozen=True, slots=True)
class Finding:
    """``accepted`` is the reason for which it stands; None if nobody gave one."""

    rule: Rule
    remark: Remark
    accepted: str | None = None

    def __str__(self) -> str:
        return f"{self.rule.id} {self.rule.severity}: {self.remark.path}: {self.remark.message}"
