"""The entries of Lambda's events, looked at as what anybody may have sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REMEDY = "check the function's event source mapping: on_lambda reads events of Kinesis, DynamoDB Streams and SQS"


def source_of(entry: object) -> object:
    """What the entry says it comes from; None if it says nothing. SNS writes the name in capitals."""
    return entry.get("eventSource", entry.get("EventSource")) if isinstance(entry, dict) else None


def fields_in(mapping: dict[str, Any]) -> str:
    return ", ".join(sorted(map(str, mapping))) or "nothing"


def check_each(entries: Sequence[Any], source: str, check: Callable[[Entry], None]) -> None:
    """Raises ``EventError`` unless all entries are of this source, of one stream or queue, and as ``check`` asks."""
    for index, fields in enumerate(entries):
        where = f"Records[{index}]"
        if not isinstance(fields, dict):
            raise EventError(f"{where} is {type(fields).__name__}, not an object; {REMEDY}")
        if source_of(fields) != source:
            raise EventError(f"{where} comes from {source_of(fields)!r}, not {source!r}; {REMEDY}")
        entry = Entry(fields, where)
        arn = entry.text("eventSourceARN")
        if arn != entries[0]["eventSourceARN"]:
            raise EventError(
                f"the event mixes records of {entries[0]['eventSourceARN']} and {arn}; a delivery holds those of one"
            )
        check(entry)


class Entry:
    """An object of the event, and where it stands. Every method raises ``EventError`` naming the field that is wrong."""

    __slots__ = ("_fields", "_where")

    def __init__(self, fields: dict[str, Any], where: str) -> None:
        self._fields = fields
        self._where = where

    def inner(self, name: str) -> Entry:
        found = self._fields.get(name)
        if not isinstance(found, dict):
            raise EventError(f"{self._where} has no {name} object, but {fields_in(self._fields)}; {REMEDY}")
        return Entry(found, f"{self._where}.{name}")

    def text(self, name: str) -> str:
        found = self._fields.get(name)
        if not isinstance(found, str):
            raise self.wrong(name, "text")
        return found

    def name(self, name: str) -> str:
        if not (found := self.text(name)):
            raise self.wrong(name, "a name")
        return found

    def digits(self, name: str) -> str:
        found = self.text(name)
        if not (found.isascii() and found.isdecimal()):
            raise self.wrong(name, "a number")
        return found

    def seconds(self, name: str) -> None:
        if not isinstance(self._fields.get(name), int | float):
            raise self.wrong(name, "seconds")

    def wrong(self, name: str, wanted: str) -> EventError:
        return EventError(f"{self._where}.{name} is {self._fields.get(name)!r}, not {wanted}; {REMEDY}")
