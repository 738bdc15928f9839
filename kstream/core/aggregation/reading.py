"""The reading side: what the bytes of one Kinesis record are."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import md5
from struct import Struct
from typing import TYPE_CHECKING

from kstream.core.aggregation.entry import DATA, HASH_KEY_TABLE, KEY_INDEX, KEY_TABLE, RECORDS, Entry, read_field, read_table
from kstream.core.aggregation.sub_record import Envelope, SubRecord
from kstream.core.aggregation.wire import WireError

if TYPE_CHECKING:
    from kstream.core.record import Record

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_SIZE = 16

# How the base64 of an aggregate begins: the whole characters that the magic number fills. Not a proof, but what does
# not begin so is plain, and need not be decoded to know it.
AGGREGATE_PREFIX = "84maw"


@dataclass(frozen=True, slots=True)
class Malformed:
    """An aggregate by its digest that contradicts itself; ``reason`` names the entry and what is wrong with it.

    It is never read in part: which of its records were meant cannot be known.
    """

    reason: str


class Aggregate:
    """The user records of one aggregate; possibly none."""

    __slots__ = ("_envelope", "_records")

    def __init__(self, envelope: Envelope, records: list[SubRecord]) -> None:
        self._envelope = envelope
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def records(self, outer: Record) -> list[SubRecord]:
        """Its records in order, as carried by ``outer``, of whatever kind that is. An aggregate has one such record."""
        self._envelope.outer = outer
        return self._records


def parse(raw: bytes) -> Aggregate | Malformed | None:
    """What the data of one Kinesis record is, after base64. None: a plain record.

    Plain is whatever has no magic number, no matching digest, or no protobuf message of the format in between (the
    message lacks a required field, say), also one of no bytes at all: so read it the KCL and protobuf itself. Fields
    of other numbers or wire types are skipped, of repeated scalars the last counts. One level: a record inside may be
    an aggregate itself, and stays as it is. Raises nothing, whatever the bytes.
    """
    end = len(raw) - DIGEST_SIZE
    if end <= len(MAGIC) or not raw.startswith(MAGIC):
        return None
    if md5(memoryview(raw)[len(MAGIC) : end], usedforsecurity=False).digest() != raw[end:]:
        return None
    try:
        return _parse_message(raw, end)
    except WireError:
        return None


# --- The usual layout, eight bytes at a time ---------------------------------------------------------------------------
#
# What the KPL writes for a record without explicit hash key and tags is, for sizes of two bytes and keys of one,
#
#     1A s1 s2 08 | key 1A d1 d2 | data        s: size of the entry; d: size of the data = s - 5
#
# Read as two little-endian words, the first tells s, and s tells all of the second but the key. So the second word less
# the expected one *is* the key; anything else than a key in the table means another layout. For sizes of one byte:
#
#     1A s 08 key | 1A d ....                  d = s - 4
#
# All else (other layouts, the tables, unknown fields) goes the general way. It reads the same from the same bytes.

_two_words = Struct("<II").unpack_from  # never beyond the end: the digest is longer

# First word -> (second word with key 0, size of the data). Filled as sizes occur; the limit bounds it to half a megabyte,
# and longer data do not feel what the general way costs.
_layouts: dict[int, tuple[int, int]] = {}
_LARGEST_LAYOUT = 2048


def _learn(head: int) -> None:
    low, high = head >> 8 & 0xFF, head >> 16 & 0xFF
    if head & 0xFF0000FF != KEY_INDEX << 24 | RECORDS or low < 0x80 or not 0 < high < 0x80:
        return
    size = (low & 0x7F | high << 7) - 5
    if 0x80 <= size <= _LARGEST_LAYOUT:
        _layouts[head] = (DATA << 8 | (size & 0x7F | 0x80) << 16 | size >> 7 << 24, size)


def _parse_message(raw: bytes, end: int) -> Aggregate | Malformed | None:
    envelope = Envelope()
    keys = envelope.keys
    records: list[SubRecord] = []
    add = records.append
    new = object.__new__
    layout_of = _layouts.get
    suspects: list[tuple[int, Entry]] = []
    count = 0
    at = read_table(raw, len(MAGIC), end, KEY_TABLE, keys)
    at = read_table(raw, at, end, HASH_KEY_TABLE, envelope.hash_keys)
    known_keys = min(len(keys), 0x80)  # those that take one byte as an index
    while at < end:
        head, tail = _two_words(raw, at)
        layout = layout_of(head)
        if layout is not None:
            key = tail - layout[0]
            start = at + 8
            stop = start + layout[1]
        elif head & 0xFF80FF == 0x08001A:
            key = head >> 24
            start = at + 6
            stop = at + 2 + (head >> 8 & 0x7F)
            if tail & 0xFFFF != (stop - start) << 8 | 0x1A:
                key = -1
        else:
            key = -1
        if 0 <= key < known_keys:
            # Without __init__, which would cost more than all of this.
            record = new(SubRecord)
            record._envelope = envelope
            record._key = key
            record._sub_sequence_number = count
            record._data = raw[start:stop]
            add(record)
            count += 1
            at = stop
            continue
        at, entry = read_field(raw, at, end, envelope)
        if entry is None:
            known_keys = min(len(keys), 0x80)
            continue
        _learn(head)
        if entry.contradiction(envelope):
            suspects.append((count, entry))  # to be judged at the end: the tables may still grow
        add(_sub_record(entry, envelope, count))
        count += 1
    if at != end:
        return None
    for index, entry in suspects:
        contradiction = entry.contradiction(envelope)
        if contradiction:
            return Malformed(f"entry {index} of the aggregate {contradiction}")
    return Aggregate(envelope, records)


def _sub_record(entry: Entry, envelope: Envelope, index: int) -> SubRecord:
    record = object.__new__(SubRecord)
    record._envelope = envelope
    record._key = entry.key
    record._sub_sequence_number = index
    record._data = entry.data
    if entry.hash_key is not None:
        envelope.hash_key_of[index] = entry.hash_key
    if entry.tags is not None:
        envelope.tags_of[index] = entry.tags
    return record
