"""The writing side: user records into one Kinesis record, byte for byte as the KPL writes them."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kstream.core.aggregation.entry import (
    DATA,
    HASH_KEY_INDEX,
    HASH_KEY_TABLE,
    KEY_INDEX,
    KEY_TABLE,
    RECORDS,
    TAG_KEY,
    TAG_VALUE,
    TAGS,
)
from kstream.core.aggregation.reading import DIGEST_SIZE, MAGIC
from kstream.core.aggregation.wire import varint
from kstream.core.envelope import BEGINNING
from kstream.core.record import NO_HEADERS, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The outer partition key of every aggregate. It routes nothing, because an explicit hash key goes with it.
OUTER_KEY = "a"
# What begins so alone would be read as something else.
_WRAPPINGS = (MAGIC, BEGINNING)


class UserRecord(NamedTuple):
    """What there is to aggregate. A plain tuple in this order does as well, from two members on.

    ``explicit_hash_key``  a decimal string from 0 to 2**128 - 1, or None: the partition key's MD5 decides.
    """

    data: bytes
    partition_key: str
    explicit_hash_key: str | None = None
    headers: Mapping[str, str] = NO_HEADERS


class OuterRecord(NamedTuple):
    """A Kinesis record as ``PutRecord`` takes it: ``PartitionKey``, ``ExplicitHashKey`` (None: leave it out), ``Data``."""

    partition_key: str
    explicit_hash_key: str | None
    data: bytes


class Aggregator:
    """Collects user records into one aggregate of at most ``limit`` bytes. Not for use by several threads at once.

    ``size`` is exact: it is the length of the data that ``take()`` would return as an aggregate. Kinesis counts the
    outer partition key, one byte, on top.
    """

    __slots__ = ("_alone", "_count", "_entries", "_hash_keys", "_keys", "_outer_hash_key", "_tables", "limit", "size")

    def __init__(self, limit: int = 51_200) -> None:
        # The default is the KPL's AggregationMaxSize.
        self.limit = limit
        self._reset()

    def _reset(self) -> None:
        self.size = len(MAGIC) + DIGEST_SIZE
        self._count = 0
        self._alone: UserRecord | None = None
        self._outer_hash_key = ""
        self._keys: dict[str, int] = {}
        self._hash_keys: dict[str, int] = {}
        self._tables = (bytearray(), bytearray())
        self._entries = bytearray()

    def __len__(self) -> int:
        return self._count

    def add(
        self,
        data: bytes,
        partition_key: str,
        explicit_hash_key: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> bool:
        """Takes the record in, and tells whether it did. If not, it would exceed the limit, and nothing has changed:
        ``take()`` what is there and add it again. What an empty aggregator refuses does not fit into any.

        Raises ``ValueError`` for keys that Kinesis would not take.
        """
        if not 1 <= len(partition_key) <= 256:
            raise ValueError(f"a partition key holds 1 to 256 characters, not {len(partition_key)}")
        key = self._keys.get(partition_key)
        key_entry = _field(KEY_TABLE, partition_key.encode()) if key is None else b""
        entry = _number(KEY_INDEX, len(self._keys) if key is None else key)
        hash_key_entry = b""
        if explicit_hash_key is not None:
            _check_hash_key(explicit_hash_key)
            hash_key = self._hash_keys.get(explicit_hash_key)
            hash_key_entry = _field(HASH_KEY_TABLE, explicit_hash_key.encode()) if hash_key is None else b""
            entry += _number(HASH_KEY_INDEX, len(self._hash_keys) if hash_key is None else hash_key)
        entry = _field(RECORDS, entry + _field(DATA, data) + _tags(headers))
        growth = len(key_entry) + len(hash_key_entry) + len(entry)
        if self.size + growth > self.limit:
            return False

        if not self._count:
            self._outer_hash_key = hash_key_of(partition_key) if explicit_hash_key is None else explicit_hash_key
            self._alone = UserRecord(data, partition_key, explicit_hash_key, headers)
        else:
            self._alone = None
        if key_entry:
            self._keys[partition_key] = len(self._keys)
        if hash_key_entry and explicit_hash_key is not None:
            self._hash_keys[explicit_hash_key] = len(self._hash_keys)
        self._tables[0].extend(key_entry)
        self._tables[1].extend(hash_key_entry)
        self._entries += entry
        self.size += growth
        self._count += 1
        return True

    def take(self, *, alone_as_it_is: bool = True) -> OuterRecord | None:
        """The Kinesis record of what was added, and an empty aggregator; None if nothing was.

        ``alone_as_it_is``: a record that stayed alone goes out unwrapped under its own keys, as the KPL sends it, unless
        that would lose something: its headers, or its plainness, where it begins like an aggregate or an envelope.
        """
        if not self._count:
            return None
        alone = self._alone
        if alone_as_it_is and alone is not None and not alone.headers and not alone.data.startswith(_WRAPPINGS):
            outer = OuterRecord(alone.partition_key, alone.explicit_hash_key, alone.data)
        else:
            message = b"".join((*self._tables, self._entries))
            digest = md5(message, usedforsecurity=False).digest()
            outer = OuterRecord(OUTER_KEY, self._outer_hash_key, MAGIC + message + digest)
        self._reset()
        return outer


# A ``UserRecord`` or a plain tuple that begins like one.
_Writable: TypeAlias = (
    "Record | tuple[bytes, str] | tuple[bytes, str, str | None] | tuple[bytes, str, str | None, Mapping[str, str]]"
)


def aggregate(records: Iterable[_Writable]) -> bytes:
    """The data of one Kinesis record that holds these user records, in order; also of a single one.

    Takes ``Record``, ``UserRecord`` or tuples like it. Sets no limit of size: ``Aggregator`` does. Put it under any
    partition key and the explicit hash key of the shard it shall go to.

    Raises ``ValueError`` for no records at all, and for keys that Kinesis would not take.
    """
    aggregator = Aggregator(limit=1 << 62)
    for record in records:
        if isinstance(record, Record):
            aggregator.add(record.data, record.partition_key, record.explicit_hash_key, record.headers)
        else:
            aggregator.add(*record)
    outer = aggregator.take(alone_as_it_is=False)
    if outer is None:
        raise ValueError("there is nothing to aggregate: give at least one record")
    return outer.data


def hash_key_of(partition_key: str) -> str:
    """Where Kinesis places a partition key: the MD5 of its UTF-8 as a number of 128 bits, in decimal."""
    return str(int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest()))


def _check_hash_key(text: str) -> None:
    decimal = text.isascii() and text.isdecimal() and len(text) < 40 and (text[0] != "0" or text == "0")
    if not decimal or int(text) >> 128:
        raise ValueError(f"an explicit hash key is a decimal number from 0 to 2**128 - 1, not {text!r}")


def _number(tag: int, value: int) -> bytes:
    return varint(tag) + varint(value)


def _field(tag: int, value: bytes) -> bytes:
    return b"".join((varint(tag), varint(len(value)), value))


def _tags(headers: Mapping[str, str]) -> bytes:
    return b"".join(
        _field(TAGS, _field(TAG_KEY, name.encode()) + _field(TAG_VALUE, value.encode()))
        for name, value in headers.items()
    )
