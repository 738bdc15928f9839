"""What is known about a setting besides its type: its meaning and its limits, for reading and for the JSON Schema."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Complaint = tuple[str, str]
"""Where below a table something is wrong (``""`` for the table itself), and what, with the remedy."""

_KEY = "setting"


@dataclass(frozen=True, slots=True)
class Shape:
    """What text may look like: a whole match of ``pattern``, and the same in words, without which nobody could mend it."""

    pattern: str
    words: str

    def fits(self, text: str) -> bool:
        return re.fullmatch(self.pattern, text) is not None

    def up_to(self, most: int) -> Shape:
        """Of at most so many characters."""
        return Shape(rf"(?=.{{1,{most}}}$){self.pattern}", f"{self.words}; up to {most} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``low`` and ``high`` bound a number, or the number of entries of a list or table. ``pattern`` is that of the text,
    or of each entry; ``example`` shows what it wants. ``names`` is that of a table's keys."""

    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str | int, ...] = ()
    pattern: Shape | None = None
    example: str | None = None
    names: Shape | None = None


def setting(default: Any = dataclasses.MISSING, /, *, factory: Callable[[], Any] | None = None, **known: Any) -> Any:
    """A dataclass field that is read from the configuration. Without a default it must be there."""
    if isinstance(default, (dict, list)):
        raise TypeError("give a factory for a default that can change")
    about: dict[str, Any] = {_KEY: Setting(**known)}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=about)
    return dataclasses.field(default=default, metadata=about)


def settings_of(cls: type) -> dict[str, tuple[dataclasses.Field[Any], Setting]]:
    """The settings of a configuration class, in their order."""
    fields = dataclasses.fields(cls)
    return {field.name: (field, field.metadata[_KEY]) for field in fields if _KEY in field.metadata}


class Table:
    """Base of the configuration's classes."""

    __slots__ = ()

    def complaints(self) -> Iterator[Complaint]:
        """What is wrong, and no single setting can tell."""
        yield from ()

    def idle(self) -> Iterator[Complaint]:
        """Settings that change nothing here, given or not, each with the reason. Given ones are refused."""
        yield from ()
