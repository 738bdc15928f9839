"""Items as people and scripts read them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from kstream.core.dead_letter import DeadLetter
from kstream.redrive.on_failure import OnFailureMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.cli.output import Output
    from kstream.core.record import Record
    from kstream.redrive.item import Item
    from kstream.redrive.named_records import Found

_COLUMNS = ("when", "consumer", "id", "position", "key", "reason", "error", "attempts", "size")
_LEFT_OUT = ("position", "attempts", "error")
_UNBROKEN = ("id", "size")
_GAP = 2
_ROW_BYTES = 16


def item_json(
    item: Item, source: str, state: str, *, found: Found | None = None, whole: bool = False
) -> dict[str, Any]:
    """``whole``: with the payload, or what is left of the records that a message names."""
    value: dict[str, Any] = {
        "source": source,
        "id": item.id,
        "key": item.key,
        "kind": "unreadable",
        "when": None if item.when is None else item.when.isoformat(),
        "consumer": item.consumer,
        "reason": item.reason,
        "size": item.size,
        "redrive": state or None,
    }
    match item.content:
        case DeadLetter() as letter:
            value |= {
                "kind": "dead-letter",
                "errorType": letter.error_type,
                "attempts": letter.attempts,
                "firstAttemptAt": letter.first_attempt_at.isoformat(),
                "streamArn": letter.record.stream_arn,
                **(_record_json(letter.record) if whole else _place_json(letter.record)),
            }
        case OnFailureMessage() as message:
            value |= {
                "kind": "on-failure",
                "errorType": message.function_error,
                "attempts": message.invocations,
                "functionArn": message.function_arn,
                "streamArn": message.stream_arn,
                "shardId": message.shard_id,
                "startSequenceNumber": message.first,
                "endSequenceNumber": message.last,
                "batchSize": message.batch_size,
            }
            if found is not None:
                value |= {"records": [_record_json(record) for record in found.batch.records], "gone": found.gone}
        case _:
            if whole:
                value["body"] = item.body
    return value


class ItemTable:
    """Rows on a terminal; in a pipe a line for each, its columns apart by tabs.

    A terminal that is too narrow for all is not shown what can best be left to ``show``; and an id is never broken, since
    it is there to be copied.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._rows: list[list[str]] | None = [] if output.terminal and not output.json else None

    def add(self, item: Item, state: str) -> None:
        cells = _cells(item, state)
        if self._rows is None:
            self._output.line(Text("\t".join(cells)))
        else:
            self._rows.append([cells[0].replace("T", " ").replace("+00:00", "Z"), *cells[1:]])

    def close(self) -> None:
        if not self._rows:
            return
        columns = list(zip(_COLUMNS, *self._rows, strict=True))
        for name in _LEFT_OUT:
            if sum(max(map(cell_len, column)) + _GAP for column in columns) <= self._output.console.width:
                break
            columns = [column for column in columns if column[0] != name]
        table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim")
        for name, *_ in columns:
            table.add_column(
                name,
                overflow="fold",
                min_width=len(name),
                no_wrap=name in _UNBROKEN,
                justify="right" if name in _COLUMNS[-2:] else "left",
            )
        for row in zip(*(cells for _, *cells in columns), strict=True):
            table.add_row(*map(Text, row))
        self._output.console.print(table)


def item_table(output: Output) -> ItemTable:
    return ItemTable(output)


def position_of(item: Item) -> str:
    """``shard:sequence:sub``, or of a message ``shard:first..last``; without a shard where a letter's record has none."""
    match item.content:
        case DeadLetter(record=record):
            shard = f"{record.shard_id}:" if record.shard_id else ""
            return f"{shard}{record.sequence_number}:{record.sub_sequence_number}"
        case OnFailureMessage() as message:
            return f"{message.shard_id}:{message.first}..{message.last}"
        case _:
            return item.ref


def letter_pairs(item: Item, letter: DeadLetter, state: str) -> Iterator[tuple[str, str]]:
    """All but the payload."""
    record = letter.record
    yield "Dead letter", item.key
    yield "Consumer", printable(letter.consumer)
    yield "Reason", printable(letter.reason)
    yield "Error", printable(letter.error_type)
    yield "Attempts", str(letter.attempts)
    yield "First attempt", letter.first_attempt_at.isoformat()
    yield "Last attempt", letter.last_attempt_at.isoformat()
    yield "Stream", printable(record.stream_arn)
    yield "Position", printable(position_of(item))
    yield "Partition key", printable(record.partition_key)
    if record.explicit_hash_key is not None:
        yield "Hash key", printable(record.explicit_hash_key)
    yield "Arrived", record.arrived_at.isoformat()
    for name, value in record.headers.items():
        yield "Header", printable(f"{name}: {value}")
    if state:
        yield "Redrive", state
    yield "Payload", f"{len(record.data):,} bytes"


def message_pairs(item: Item, message: OnFailureMessage, state: str) -> Iterator[tuple[str, str]]:
    """All but the records."""
    yield "On-failure", item.key
    yield "Function", printable(message.function_arn)
    yield "Condition", f"{printable(message.condition)}, after about {message.invocations} invocations"
    if message.status_code is not None:
        yield "Response", f"status {message.status_code}, error {printable(message.function_error or 'none')}"
    yield "Given up", message.timestamp.isoformat()
    yield "Stream", printable(message.stream_arn)
    yield "Position", printable(position_of(item))
    yield "Arrived", f"{message.first_arrived_at.isoformat()} to {message.last_arrived_at.isoformat()}"
    yield "Records", f"{message.batch_size:,}"
    if state:
        yield "Redrive", state


def payload_lines(data: bytes) -> Iterator[str]:
    """JSON laid out, text as it is, and anything else as a hex dump."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield from _hex_dump(data)
        return
    try:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        if any(not (letter.isprintable() or letter in "\n\r\t") for letter in text):
            yield from _hex_dump(data)
            return
    yield from (printable(line, keep="\t") for line in text.splitlines())


def printable(text: str, keep: str = "") -> str:
    """One line, and nothing in it that could steer a terminal: what is put into a stream may come from anybody."""
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )


def _hex_dump(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), _ROW_BYTES):
        row = data[start : start + _ROW_BYTES]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{start:08x}  {row.hex(' '):<{_ROW_BYTES * 3 - 1}}  {shown}"


def _cells(item: Item, state: str) -> list[str]:
    error, attempts, key, size = "-", "-", "-", f"{item.size:,} B"
    match item.content:
        case DeadLetter() as letter:
            error, attempts, key = letter.error_type, str(letter.attempts), letter.record.partition_key
        case OnFailureMessage() as message:
            error, attempts = message.function_error or "-", str(message.invocations)
            size = f"{message.batch_size:,} records"
    when = "-" if item.when is None else item.when.isoformat(timespec="seconds")
    reason = f"{item.reason} ({state})" if state else item.reason
    if item.consumer is None:
        reason = f"unreadable: {reason}"
    cells = (when, item.consumer or "-", item.id, position_of(item), key, reason, error, attempts, size)
    return [printable(cell) for cell in cells]


def _place_json(record: Record) -> dict[str, Any]:
    return {
        "shardId": record.shard_id,
        "sequenceNumber": record.sequence_number,
        "subSequenceNumber": record.sub_sequence_number,
        "partitionKey": record.partition_key,
    }


def _record_json(record: Record) -> dict[str, Any]:
    """``data`` is the payload as text; ``dataBase64`` stands in its place if it is not UTF-8. As in ``kstream tail``."""
    value = _place_json(record) | {
        "explicitHashKey": record.explicit_hash_key,
        "arrivedAt": record.arrived_at.isoformat(),
        "headers": dict(record.headers),
    }
    try:
        value["data"] = record.data.decode()
    except UnicodeDecodeError:
        value["dataBase64"] = b64encode(record.data).decode("ascii")
    return value
