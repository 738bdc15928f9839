"""Anything at all, as values that JSON has: bounded, and whatever it is without an error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kstream.telemetry.texts import cut, text_of

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_VALUES = 1_000
"""In one field of a line, however they are nested."""
DEEPEST = 6
_LONGEST_INTEGER = 1 << 63  # beyond it readers of JSON lose digits, and Python may refuse to write them


class PlainValues:
    """Makes one field's value plain. Not thread-safe.

    ``longest``  characters of a text; of a longer one the beginning and the end are kept.
    ``cut``      whether anything was left out.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.cut = False
        self._left = MOST_VALUES

    def of(self, value: object, depth: int = 0) -> object:
        """The value, or what can be said of it. A text, a number, a boolean, None, or a list or dictionary of these."""
        self._left -= 1
        try:
            return self._of(value, depth)
        except Exception as error:  # noqa: BLE001 - a user's object, which may do anything when it is read
            return f"<{type(value).__name__} that cannot be read: {type(error).__name__}>"

    def text(self, value: object) -> str:
        """The value's text, cut to the longest that is allowed."""
        whole = text_of(value)
        if len(whole) <= self.longest:
            return whole
        self.cut = True
        return cut(whole, self.longest)

    def _of(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            number = int.__int__(value)  # of a subclass's own making, only its text could be had
            return number if -_LONGEST_INTEGER < number < _LONGEST_INTEGER else self.text(number)
        if isinstance(value, float):
            real = float.__float__(value)
            return real if math.isfinite(real) else str(real)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._of_many(value, depth + 1)
        return self.text(value)

    def _of_many(self, value: Mapping[Any, Any] | Collection[Any], depth: int) -> object:
        if depth > DEEPEST:
            self.cut = True
            return f"<{type(value).__name__}>"
        if isinstance(value, Mapping):
            members = {}
            for key, member in value.items():
                if self._is_full():
                    break
                members[self.text(key)] = self.of(member, depth)
            return members
        items = []
        for item in value:
            if self._is_full():
                break
            items.append(self.of(item, depth))
        return items

    def _is_full(self) -> bool:
        if self._left > 0:
            return False
        self.cut = True
        return True
