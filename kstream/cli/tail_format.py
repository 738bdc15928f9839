"""A record as a line: for people, or as JSON for a script."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from kstream.cli.tailing import Seen

_LONGEST_SHOWN = 2_000


def as_json(seen: Seen) -> dict[str, Any]:
    """``data`` is the payload as text; ``dataBase64`` stands in its place if it is not UTF-8."""
    record = seen.record
    value: dict[str, Any] = {}
    try:
        value["data"] = record.data.decode()
    except UnicodeDecodeError:
        value["dataBase64"] = b64encode(record.data).decode("ascii")
    if record.headers:
        value["headers"] = dict(record.headers)
    if seen.malformed is not None:
        value["malformed"] = seen.malformed
    return {
        "arrivedAt": record.arrived_at.isoformat(timespec="milliseconds"),
        "shardId": record.shard_id,
        "sequenceNumber": record.sequence_number,
        "subSequenceNumber": record.sub_sequence_number,
        "partitionKey": record.partition_key,
        **value,
    }


def as_text(seen: Seen, *, shorten: bool) -> Text:
    """When, where, key, payload. ``shorten``: a long payload is cut, as fits a screen."""
    record = seen.record
    payload = _printable(record.data)
    if shorten and len(payload) > _LONGEST_SHOWN:
        payload = f"{payload[:_LONGEST_SHOWN]}... ({len(record.data):,} bytes)"
    text = Text()
    text.append(record.arrived_at.isoformat(timespec="milliseconds"), "dim")
    text.append(f"  {record.shard_id}", "dim cyan")
    text.append(f"  {record.sequence_number}:{record.sub_sequence_number}", "dim")
    text.append(f"  {_escaped(record.partition_key)}", "bold")
    text.append(f"  {payload}")
    if seen.malformed is not None:
        text.append(f"  malformed aggregate: {seen.malformed}", "red")
    return text


def _printable(data: bytes) -> str:
    try:
        return _escaped(data.decode())
    except UnicodeDecodeError:
        return f"base64:{b64encode(data).decode('ascii')}"


def _escaped(text: str) -> str:
    """One line, and nothing in it that could steer the terminal: what is put into a stream may come from anybody."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
