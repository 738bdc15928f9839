"""The entries of Lambda's events, looked at as what anybody may have sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from kstream.core.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.core.record import Record

R = TypeVar("R", bound="Record")

REMEDY = "check the function's event source mapping: on_lambda reads events of Kinesis, DynamoDB Streams and SQS"


def source_of(entry: object) -> object:
    """What the entry says it comes from; None if it says nothing. SNS writes the name in capitals."""
    return entry.get("eventSource", entry.get("EventSource")) if isinstance(entry, dict) else None


def fields_in(mapping: dict[str, Any]) -> str:
    return ", ".join(sorted(map(str, mapping))) or "nothing"


def read_each(entries: Sequence[Any], source: str, read: Callable[[Entry], R]) -> list[R]:
    """What ``read`` makes of each entry. Raises ``EventError`` unless all are of this source, of one stream or queue."""
    return [read(_entry(entries, index, source)) for index in range(len(entries))]


def _entry(entries: Sequence[Any], index: int, source: str) -> Entry:
    fields, where = entries[index], f"Records[{index}]"
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
    return entry


class Entry:
    """An object of the event, and where it stands. Every method raises ``EventError`` naming the field that is wrong."""

    __slots__ = ("_where", "fields")

    def __init__(self, fields: dict[str, Any], where: str) -> None:
        self.fields = fields
        self._where = where

    def inner(self, name: str) -> Entry:
        if name not in self.fields:
            raise EventError(f"{self._where} has no {name} object, but {fields_in(self.fields)}; {REMEDY}")
        found = self.fields[name]
        if not isinstance(found, dict):
            raise self._wrong(name, "an object")
        return Entry(found, f"{self._where}.{name}")

    def text(self, name: str) -> str:
        found = self.fields.get(name)
        if not isinstance(found, str):
            raise self._wrong(name, "text")
        return found

    def name(self, name: str) -> str:
        if not (found := self.text(name)):
            raise self._wrong(name, "a name")
        return found

    def digits(self, name: str, *, most: int) -> str:
        found = self.text(name)
        if not (found.isascii() and found.isdecimal()):
            raise self._wrong(name, "a number")
        if len(found) > most:
            raise self._wrong(name, f"a number of at most {most} digits")
        return found

    def object_text(self, name: str) -> str:
        """The object as JSON, always spelled the same."""
        fields = self.inner(name).fields
        try:
            return to_json(fields, sort_keys=True)
        except (TypeError, ValueError, RecursionError):
            raise self._wrong(name, "JSON") from None

    def seconds(self, name: str) -> datetime:
        """A moment, told in seconds."""
        found = self.fields.get(name)
        if not isinstance(found, int | float):
            raise self._wrong(name, "seconds")
        return self._moment(name, found, "seconds")

    def milliseconds(self, name: str) -> datetime:
        """A moment, told in milliseconds, as text."""
        return self._moment(name, int(self.digits(name, most=20)) / 1000, "milliseconds")

    def _moment(self, name: str, seconds: float, unit: str) -> datetime:
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            raise self._wrong(name, f"{unit} of any year that there is") from None

    def _wrong(self, name: str, wanted: str) -> EventError:
        return EventError(f"{self._where}.{name} is {self.fields.get(name)!r:.80}, not {wanted}; {REMEDY}")


def to_json(value: object, *, sort_keys: bool = False) -> str:
    # In ASCII: then it has its bytes, whatever characters an event holds.
    return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys)
