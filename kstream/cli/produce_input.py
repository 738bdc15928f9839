"""Lines of a file as records to put, each with its line number, so that a failure can be told by it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kstream.core.errors import ConfigurationError
from kstream.ingest.records import IngestRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Format = Literal["lines", "jsonl"]
MAX_REFUSED = 1_000


class NumberedRecord(IngestRecord):
    """A record that knows its line, from 1."""

    line: int


@dataclass(slots=True)
class Refusals:
    """Lines that are no records, with the reason; and how many lines were empty and passed over."""

    lines: list[tuple[int, str]] = field(default_factory=list)
    empty: int = 0


@dataclass(frozen=True, slots=True)
class LineReader:
    """How lines become records.

    ``format``         ``lines``: any bytes. ``jsonl``: JSON values, checked, and put as they are written.
    ``key_field``      a field of each JSON object that is its partition key; implies ``jsonl``. ``a.b`` goes deeper.
    ``partition_key``  one key for all.
    """

    format: Format = "lines"
    key_field: str | None = None
    partition_key: str | None = None

    def __post_init__(self) -> None:
        if self.key_field is not None and self.partition_key is not None:
            raise ConfigurationError("--key and --partition-key exclude each other: a field's value, or one for all")

    def records(self, lines: Iterable[bytes], refusals: Refusals) -> Iterator[NumberedRecord]:
        """The records; what is none goes into ``refusals``. Raises ``ConfigurationError`` after a thousand of these."""
        for number, line in enumerate(lines, start=1):
            data = line.rstrip(b"\r\n")
            if not data.strip():
                refusals.empty += 1
                continue
            try:
                key = self._key(data)
            except ValueError as error:
                refusals.lines.append((number, str(error)))
                if len(refusals.lines) > MAX_REFUSED:
                    raise ConfigurationError(
                        f"more than {MAX_REFUSED:,} lines are no records (the first, line {refusals.lines[0][0]}: "
                        f"{refusals.lines[0][1]}): look at --format and --key"
                    ) from None
                continue
            record = NumberedRecord(data, key)
            record.line = number
            yield record

    def _key(self, data: bytes) -> str | None:
        if self.key_field is None and self.format == "lines":
            return self.partition_key
        try:
            value = json.loads(data)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None
        return self.partition_key if self.key_field is None else _field(value, self.key_field)


def _field(value: Any, path: str) -> str:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            raise ValueError(f"there is no field {path!r}")
        value = value[name]
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError(f"the field {path!r} is neither text nor a number")
