"""What may be put, and how it is written into a request. No I/O.

A record is encoded once, into its fragment of the batch's JSON; a retry sends the same fragment again. Data travels in
base64 always: it is exact for any bytes, and quicker to read back than a JSON string full of escapes.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any, NamedTuple

from kstream.ingest.contract import PARTITION_KEY
from kstream.ingest.errors import BadRequest, TooLarge

Payload = bytes | bytearray | memoryview | str | Mapping[str, Any]
"""Bytes as they are; text in UTF-8; a mapping as compact JSON in UTF-8."""


class IngestRecord(NamedTuple):
    """A record to put. Without a ``partition_key`` the API chooses one, and the record has no order among others."""

    data: Payload
    partition_key: str | None = None


Puttable = Payload | tuple[Payload, str | None]
"""A payload alone, or with its partition key: ``IngestRecord``, or a plain pair."""


class Item(NamedTuple):
    """A record on its way. ``ordinal`` is its place among the records given, ``fragment`` its JSON in a batch."""

    ordinal: int
    record: Puttable
    key: str | None
    fragment: bytes


def payload_and_key(record: Puttable, max_record_bytes: int) -> tuple[bytes, str | None]:
    """The record's bytes and key, as they will be put.

    Raises ``BadRequest`` or ``TooLarge`` for what the API would refuse, ``TypeError`` for what is no record at all.
    """
    payload: Payload
    key: str | None
    if isinstance(record, tuple):
        if len(record) != 2:
            raise TypeError(f"a record given as a tuple is (data, partition_key); this one has {len(record)} elements")
        payload, key = record
    else:
        payload, key = record, None
    data = payload if type(payload) is bytes else _encoded(payload)
    size = len(data)
    if key is not None:
        if not isinstance(key, str):
            raise TypeError(f"a partition key is text, not {type(key).__name__}")
        if not PARTITION_KEY.fullmatch(key):
            rule = "1 to 256 characters, without quotes, backslashes and control characters"
            raise BadRequest(f"the partition key {key[:80]!a} cannot be put: it is text of {rule}")
        size += len(key.encode())
    if size > max_record_bytes:
        raise TooLarge(f"the record has {size:,} bytes with its key; the API takes {max_record_bytes:,}")
    return data, key


def item(ordinal: int, record: Puttable, max_record_bytes: int) -> Item:
    """The record, encoded for a batch. Raises as ``payload_and_key`` does."""
    data, key = payload_and_key(record, max_record_bytes)
    encoded = b2a_base64(data, newline=False)
    if key is None:
        return Item(ordinal, record, None, b'{"dataBase64":"%b"}' % encoded)
    return Item(ordinal, record, key, b'{"dataBase64":"%b","partitionKey":%b}' % (encoded, json.dumps(key).encode()))


def _encoded(payload: Payload) -> bytes:
    try:
        if isinstance(payload, str):
            return payload.encode()
        if isinstance(payload, Mapping):
            return json.dumps(dict(payload), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise BadRequest(f"the record has no JSON form in UTF-8: {error}") from error
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    raise TypeError(f"a record is bytes, text, a mapping, or such a one with its key; not {type(payload).__name__}")
