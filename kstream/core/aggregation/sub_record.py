"""A user record that came inside an aggregate."""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from kstream.core.aggregation.table import text
from kstream.core.record import NO_HEADERS, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from kstream.core.aggregation.table import Tables


class SubRecord(Record):
    """One user record of an aggregate. Everything but its payload is looked up when asked for.

    Where it stands and when it arrived is told by the Kinesis record that carried it; ``sub_sequence_number`` is its
    index there. Text that is not UTF-8 (the KPL does not check) is read with ``\\xNN`` escapes, so that different keys
    stay different and can be stored anywhere.
    """

    # The payload and the index lie in Record's own slots.
    __slots__ = ("_key", "_outer", "_tables")

    _key: int
    _outer: Record
    _tables: Tables

    if TYPE_CHECKING:

        def __init__(self) -> None: ...

    else:
        # Whoever makes one fills its slots: a function of Python's here would double the cost.
        __init__ = object.__init__

    @classmethod
    def made(cls, tables: Tables, outer: Record, key: int, index: int, payload: bytes) -> SubRecord:
        """The record with sub-sequence number ``index`` and the partition key ``key`` of the table."""
        record = cls()
        record._tables = tables
        record._outer = outer
        record._key = key
        record._sub_sequence_number = index
        record._data = payload
        return record

    @classmethod
    def iterate(
        cls, tables: Tables, outer: Record, raw: bytes, keys: Iterable[int], starts: Iterable[int], stops: Iterable[int]
    ) -> Iterator[SubRecord]:
        """The records whose payloads start and stop there in ``raw``, each with the index of its partition key."""
        index = 0
        for key, start, stop in zip(keys, starts, stops, strict=True):
            record = cls()
            record._tables = tables
            record._outer = outer
            record._key = key
            record._sub_sequence_number = index
            record._data = raw[start:stop]
            yield record
            index += 1  # noqa: SIM113 - enumerate costs a tuple more

    # Without the check of Record's, and not a Python function: this is what every handler reads.
    data = property(attrgetter("_data"))

    @property
    def partition_key(self) -> str:
        return self._tables.keys[self._key]

    @property
    def outer_key(self) -> str:
        return self._outer.partition_key

    @property
    def explicit_hash_key(self) -> str | None:
        tables = self._tables
        index = tables.hash_key_of.get(self._sub_sequence_number)
        return None if index is None else tables.hash_keys[index]

    @property
    def sequence_number(self) -> str:
        return self._outer.sequence_number

    @property
    def shard_id(self) -> str:
        return self._outer.shard_id

    @property
    def stream_arn(self) -> str:
        return self._outer.stream_arn

    @property
    def arrived_at(self) -> datetime:
        return self._outer.arrived_at

    @property
    def headers(self) -> Mapping[str, str]:
        """The record's tags; of two with the same name the last."""
        tags_of = self._tables.tags_of
        tags = tags_of.get(self._sub_sequence_number)
        if tags is None:
            return NO_HEADERS
        if isinstance(tags, list):
            tags = MappingProxyType({text(name): text(value) for name, value in tags})
            tags_of[self._sub_sequence_number] = tags
        return tags
