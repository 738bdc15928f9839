"""The reading side: what the bytes of one Kinesis record are."""

from __future__ import annotations

from array import array
from hashlib import md5
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from kstream.core.aggregation.entry import (
    DATA,
    HASH_KEY_INDEX,
    HASH_KEY_TABLE,
    KEY_INDEX,
    KEY_TABLE,
    RECORDS,
    contradiction,
    read_field,
)
from kstream.core.aggregation.sub_record import SubRecord
from kstream.core.aggregation.table import Tables
from kstream.core.aggregation.wire import WireError, read_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.record import Record

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_SIZE = 16


class Malformed(NamedTuple):
    """An aggregate by its digest that contradicts itself; ``reason`` names the entry and what is wrong with it.

    It is never read in part: which of its records were meant cannot be known.
    """

    reason: str


class Aggregate:
    """The user records of one aggregate; possibly none. ``len()`` tells how many.

    It holds the bytes, the tables, and where the payloads lie: twelve bytes a record above the bytes themselves. The
    records are made when asked for, so that thousands need not exist at once.
    """

    __slots__ = ("_keys", "_raw", "_starts", "_stops", "_tables")

    def __init__(self, raw: bytes, tables: Tables, keys: array[int], starts: array[int], stops: array[int]) -> None:
        self._raw = raw
        self._tables = tables
        self._keys = keys
        self._starts = starts
        self._stops = stops

    def __len__(self) -> int:
        return len(self._keys)

    def record(self, outer: Record, index: int) -> SubRecord:
        """The one with sub-sequence number ``index``."""
        payload = self._raw[self._starts[index] : self._stops[index]]
        return SubRecord.made(self._tables, outer, self._keys[index], index, payload)

    def records(self, outer: Record) -> list[SubRecord]:
        """Its records in order, as carried by ``outer``, of whatever kind that is."""
        return list(self.iterate(outer))

    def iterate(self, outer: Record) -> Iterator[SubRecord]:
        """The same, one at a time, so that each can be freed when it is done with; a list of all costs a fifth more."""
        return SubRecord.iterate(self._tables, outer, self._raw, self._keys, self._starts, self._stops)


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
        return _Message(raw).read(end)
    except WireError:
        return None


# What the KPL writes for a record without explicit hash key and tags is, for sizes of two bytes and keys of one,
#
#     1A s1 s2 08 | key 1A d1 d2 | data        s: size of the entry; d: size of the data = s - 5
#
# Read as two little-endian words, the first tells s, and s tells all of the second but the key. So the second word less
# the expected one *is* the key; what is not a key in the table then is another layout. For sizes of one byte:
#
#     1A s 08 key | 1A d ....                  d = s - 4
#
# All else (other layouts, the tables, unknown fields) goes the general way, which reads the same from the same bytes.

_two_words = Struct("<II").unpack_from  # never beyond the end: the digest is longer

# First word -> (second word with key 0, size of the data). Filled as sizes occur; the limit bounds it to half a
# megabyte, and larger payloads do not feel what the general way costs.
_layouts: dict[int, tuple[int, int]] = {}
_LARGEST_LAYOUT = 2048
# For any other first word: what leaves no key, whatever the second.
_UNKNOWN = (1 << 32, 0)


def _learn(head: int) -> None:
    low, high = head >> 8 & 0xFF, head >> 16 & 0xFF
    if head & 0xFF0000FF != KEY_INDEX << 24 | RECORDS or low < 0x80 or not 0 < high < 0x80:
        return
    size = (low & 0x7F | high << 7) - 5
    if 0x80 <= size <= _LARGEST_LAYOUT:
        _layouts[head] = (DATA << 8 | (size & 0x7F | 0x80) << 16 | size >> 7 << 24, size)


class _Message:
    """An AggregatedRecord while it is read."""

    __slots__ = ("keys", "known_hash_keys", "known_keys", "raw", "starts", "stops", "suspects", "tables")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.tables = Tables(raw)
        # Of each entry the index of its key, and where its payload lies. Arrays, for their four bytes a number.
        self.keys = array("I")
        self.starts = array("I")
        self.stops = array("I")
        # Entries whose indexes the tables do not hold: to be judged at the end, because the tables may still grow.
        self.suspects: list[tuple[int, int, int | None]] = []
        # How many indexes of one byte are good.
        self.known_keys = self.known_hash_keys = 0

    def read(self, end: int) -> Aggregate | Malformed:
        raw = self.raw
        at = self._read_tables(end)
        add_key, add_start, add_stop = self.keys.append, self.starts.append, self.stops.append
        layout_of = _layouts.get
        known_keys = self.known_keys
        while at < end:
            head, tail = _two_words(raw, at)
            expected, size = layout_of(head, _UNKNOWN)
            key = tail - expected
            if 0 <= key < known_keys:
                start = at + 8
                at = start + size
            elif (
                head & 0xFF80FF == KEY_INDEX << 16 | RECORDS
                and tail & 0xFFFF == (head >> 8 & 0x7F) - 4 << 8 | DATA
                and head >> 24 < known_keys
            ):
                key = head >> 24
                start = at + 6
                at += 2 + (head >> 8 & 0x7F)
            elif size and tail & 0xFF00FF00 == DATA << 24 | HASH_KEY_INDEX << 8:
                at = self._read_hash_keyed(at, end, tail, size)
                continue
            else:
                if not size:
                    _learn(head)
                at = self._read_field(at, end)
                known_keys = self.known_keys
                continue
            add_key(key)
            add_start(start)
            add_stop(at)
        if at != end:
            raise WireError("the last entry reaches beyond the message")
        for index, key, hash_key in self.suspects:
            reason = contradiction(key, hash_key, self.tables)
            if reason:
                return Malformed(f"entry {index} of the aggregate {reason}")
            self.keys[index] = key
        return Aggregate(raw, self.tables, self.keys, self.starts, self.stops)

    def _read_tables(self, end: int) -> int:
        at = self.tables.keys.read_run(len(MAGIC), end, KEY_TABLE)
        at = self.tables.hash_keys.read_run(at, end, HASH_KEY_TABLE)
        self._count_known()
        return at

    def _count_known(self) -> None:
        self.known_keys = min(len(self.tables.keys), 0x80)
        self.known_hash_keys = min(len(self.tables.hash_keys), 0x80)

    def _read_hash_keyed(self, at: int, end: int, tail: int, size: int) -> int:
        """As above with an explicit hash key between: ``1A s1 s2 08 | key 10 hash-key 1A | d1 d2``, s = d + 7."""
        key, hash_key = tail & 0xFF, tail >> 16 & 0xFF
        if key >= self.known_keys or hash_key >= self.known_hash_keys:
            return self._read_field(at, end)
        start, stop = read_size(self.raw, at + 8, end)
        if stop != at + 8 + size:
            return self._read_field(at, end)
        self.tables.hash_key_of[len(self.keys)] = hash_key
        self.keys.append(key)
        self.starts.append(start)
        self.stops.append(stop)
        return stop

    def _read_field(self, at: int, end: int) -> int:
        at, entry = read_field(self.raw, at, end, self.tables)
        if entry is None:
            self._count_known()
            return at
        key, hash_key, start, stop, tags = entry
        index = len(self.keys)
        if hash_key is not None:
            self.tables.hash_key_of[index] = hash_key
        if tags is not None:
            self.tables.tags_of[index] = tags
        if contradiction(key, hash_key, self.tables):
            self.suspects.append((index, key, hash_key))
            key = 0  # until it is judged: as it stands it need not even fit
        self.keys.append(key)
        self.starts.append(start)
        self.stops.append(stop)
        return at
