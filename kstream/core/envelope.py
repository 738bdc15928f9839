"""The envelope: headers in front of a record's payload, for those who put records one by one.

    {"kstream":"record/1","headers":{"traceparent":"00-...-01"}}\\n<payload>

A line of JSON and then the payload, byte for byte. Kinesis has no place for headers; aggregates have (their tags), but
nobody can write one in a mapping template. The ingest API writes these for streams that ask for it. What begins like an
envelope and is not exactly one is a plain record. One level: a payload that is an envelope or an aggregate itself stays
as it is. Why it has this form: docs/decisions/0006-envelope.md.
"""

from __future__ import annotations

import json
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kstream.core.errors import UndecodableRecord
from kstream.core.record import NO_HEADERS, EventRecord, Record, decode_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGINNING: Final = b'{"kstream":"record/1","headers":{'
END: Final = b"}}\n"
# Where the JSON of the headers begins.
_HEADERS: Final = len(BEGINNING) - 1


class Envelope(NamedTuple):
    """What is in one."""

    headers: Mapping[str, str]
    payload: bytes


def seal(payload: bytes, headers: Mapping[str, str]) -> bytes:
    """The envelope of a payload. Raises ``ValueError`` for headers that are not text, or hold half a surrogate pair."""
    if not all(_is_text(name) and _is_text(value) for name, value in headers.items()):
        raise ValueError("a record's headers are text with text for names, all of it with a form in UTF-8")
    inner = json.dumps(dict(headers), separators=(",", ":"))[1:-1].encode()
    return b"".join((BEGINNING, inner, END, payload))


def open_envelope(data: bytes) -> Envelope | None:
    """What is in the envelope that ``data`` is; None if it is none. Raises nothing, whatever the bytes.

    Exactly one: its first line begins and ends letter for letter, and what stands between is an object of JSON that maps
    text to text, no name twice. Blanks may stand where JSON has them, because writers pad with them.
    """
    if not data.startswith(BEGINNING):
        return None
    stop = data.find(b"\n") + 1
    line = data[:stop]
    headers = _kept_headers(line) if stop <= _LONGEST_KEPT else _headers(line)
    return None if headers is None else Envelope(headers, data[stop:])


class EnvelopedRecord(EventRecord):
    """A record of Lambda's event that begins like an envelope. It is opened when its payload or headers are asked for."""

    __slots__ = ()

    @property
    def data(self) -> bytes:
        data = self._data
        return self._open() if data is None else data

    @property
    def headers(self) -> Mapping[str, str]:
        if self._data is None:
            try:
                self._open()
            except UndecodableRecord:
                return NO_HEADERS  # whoever asks for its data meets the error, and rejects it
        return self._headers

    def _open(self) -> bytes:
        data = decode_base64(self._entry["kinesis"]["data"])
        found = open_envelope(data)
        # Its data last: where it stands there, for other threads too, the headers do.
        self._headers = NO_HEADERS if found is None else found.headers
        self._data = data if found is None else found.payload
        return self._data


def opened(outer: Record) -> Record:
    """The user record in a Kinesis record that is no aggregate: itself, or what its envelope holds."""
    found = open_envelope(outer.data)
    if found is None:
        return outer
    return Record(
        found.payload,
        partition_key=outer.partition_key,
        sequence_number=outer.sequence_number,
        shard_id=outer.shard_id,
        stream_arn=outer.stream_arn,
        arrived_at=outer.arrived_at,
        headers=found.headers,
    )


def _headers(line: bytes) -> Mapping[str, str] | None:
    if not line.endswith(END):
        return None
    try:
        text = line[_HEADERS : 1 - len(END)].decode()
        headers, end = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError):
        return None
    if end != len(text):
        return None
    return MappingProxyType(headers) if headers else NO_HEADERS


# The records of one request have one line, and read-only headers can be shared.
_LONGEST_KEPT: Final = 2048
_kept_headers = lru_cache(maxsize=256)(_headers)


def _text_alone(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    headers = dict(pairs)
    if len(headers) < len(pairs) or not all(_is_text(name) and _is_text(value) for name, value in pairs):
        raise ValueError("not headers")
    return headers


def _is_text(value: object) -> bool:
    if type(value) is not str:
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


_scan = json.JSONDecoder(object_pairs_hook=_text_alone).scan_once  # type: ignore[attr-defined]
