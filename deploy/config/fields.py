"""What is known about a setting besides its type: its meaning and its limits, for reading and for the JSON Schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Complaint = tuple[str, str]
"""Where below a table something is wrong (``""`` for the table itself), and what, with the remedy."""

_KEY = "setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """``low`` and ``high`` bound a number, or the number of entries of a list or table. ``pattern`` is a whole match,
    of the text or of each entry; ``example`` shows what it wants. ``names`` is the pattern of a table's keys."""

    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str | int, ...] = ()
    pattern: str | None = None
    example: str | None = None
    names: str | None = None


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
    """Base of the configuration's classes. ``complaints`` says what no single setting can tell."""

    __slots__ = ()

    def complaints(self) -> Iterator[Complaint]:
        yield from ()
