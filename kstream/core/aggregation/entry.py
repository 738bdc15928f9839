"""One field of an AggregatedRecord, in whatever layout: the general way to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from kstream.core.aggregation import wire
from kstream.core.aggregation.wire import WireError, read_size, read_tag, read_varint, skip

if TYPE_CHECKING:
    from kstream.core.aggregation.table import Tables

# AggregatedRecord
KEY_TABLE = 1 << 3 | wire.LENGTH_DELIMITED
HASH_KEY_TABLE = 2 << 3 | wire.LENGTH_DELIMITED
RECORDS = 3 << 3 | wire.LENGTH_DELIMITED
# Record
KEY_INDEX = 1 << 3 | wire.VARINT
HASH_KEY_INDEX = 2 << 3 | wire.VARINT
DATA = 3 << 3 | wire.LENGTH_DELIMITED
TAGS = 4 << 3 | wire.LENGTH_DELIMITED
# Tag
TAG_KEY = 1 << 3 | wire.LENGTH_DELIMITED
TAG_VALUE = 2 << 3 | wire.LENGTH_DELIMITED


# A Record message: the indexes of its partition key and explicit hash key, not yet checked; where its data start and
# stop; its tags. A plain tuple because it lives for a moment only, and may do so ten thousand times a batch.
Entry: TypeAlias = "tuple[int, int | None, int, int, list[tuple[bytes, bytes]] | None]"


def contradiction(key: int, hash_key: int | None, tables: Tables) -> str | None:
    """What an entry with these indexes names that the tables do not hold, if anything."""
    if key >= len(tables.keys):
        return f"names partition key {key}, but the aggregate holds {len(tables.keys)} (counted from 0)"
    if hash_key is not None and hash_key >= len(tables.hash_keys):
        return f"names explicit hash key {hash_key}, but the aggregate holds {len(tables.hash_keys)} (counted from 0)"
    return None


def read_field(raw: bytes, at: int, end: int, tables: Tables) -> tuple[int, Entry | None]:
    """Reads the field at ``at``: where it ends, and the entry if it is one. ``tables`` grow."""
    tag, at = read_tag(raw, at, end)
    if tag == RECORDS:
        start, stop = read_size(raw, at, end)
        return stop, _read_entry(raw, start, stop)
    if tag == KEY_TABLE:
        start, stop = read_size(raw, at, end)
        tables.keys.add(start, stop)
    elif tag == HASH_KEY_TABLE:
        start, stop = read_size(raw, at, end)
        tables.hash_keys.add(start, stop)
    else:
        stop = skip(raw, at, end, tag, wire.MAX_DEPTH)
    return stop, None


def _read_entry(raw: bytes, at: int, end: int) -> Entry:
    key = hash_key = tags = None
    data_start = data_stop = -1
    while at < end:
        tag, at = read_tag(raw, at, end)
        if tag == DATA:
            data_start, at = read_size(raw, at, end)
            data_stop = at
        elif tag == KEY_INDEX:
            key, at = read_varint(raw, at, end)
        elif tag == HASH_KEY_INDEX:
            hash_key, at = read_varint(raw, at, end)
        elif tag == TAGS:
            start, at = read_size(raw, at, end)
            if tags is None:
                tags = []
            tags.append(_read_tag_message(raw, start, at))
        else:
            at = skip(raw, at, end, tag, wire.MAX_DEPTH - 1)
    if key is None or data_start < 0:
        raise WireError("a record lacks its partition key index or its data")
    return key, hash_key, data_start, data_stop, tags


def _read_tag_message(raw: bytes, at: int, end: int) -> tuple[bytes, bytes]:
    name: bytes | None = None
    value = b""
    while at < end:
        tag, at = read_tag(raw, at, end)
        if tag == TAG_KEY:
            start, at = read_size(raw, at, end)
            name = raw[start:at]
        elif tag == TAG_VALUE:
            start, at = read_size(raw, at, end)
            value = raw[start:at]
        else:
            at = skip(raw, at, end, tag, wire.MAX_DEPTH - 2)
    if name is None:
        raise WireError("a tag lacks its key")
    return name, value
