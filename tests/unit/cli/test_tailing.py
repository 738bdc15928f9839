"""Tailing reads all shards, parents first, and opens aggregates."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from kstream.cli.tailing import Tailing
from kstream.testing import enveloped
from kstream.testing.clock import VirtualClock
from tests.support.aggregates import seal
from tests.unit.runtimes.memory_stream import MemoryStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.mapping import StartingPosition
    from kstream.core.record import Record


def tail(stream: MemoryStream, start: StartingPosition = "TRIM_HORIZON", *, follow: bool = False) -> Iterator[Record]:
    return (seen.record for seen in Tailing(stream, "orders", start, stream.clock, follow=follow).records())


def test_not_following_it_ends_at_the_end_of_every_shard() -> None:
    stream = MemoryStream(VirtualClock())
    stream.add_shard("a")
    stream.add_shard("b")
    stream.put("a", b"1", b"2")
    stream.put("b", b"3")

    assert sorted(record.data for record in tail(stream)) == [b"1", b"2", b"3"]


def test_a_child_is_read_after_its_parents_end() -> None:
    stream = MemoryStream(VirtualClock())
    stream.add_shard("parent")
    stream.add_shard("child", "parent")
    stream.put("child", b"later")
    stream.put("parent", b"first", b"second")
    stream.close_shard("parent")

    assert [record.data for record in tail(stream)] == [b"first", b"second", b"later"]


def test_from_latest_only_what_comes_after_is_shown() -> None:
    clock = VirtualClock()
    stream = MemoryStream(clock)
    stream.add_shard("a")
    stream.put("a", b"before")
    records = tail(stream, "LATEST", follow=True)

    class Putting(VirtualClock):
        """Puts a record while the tail rests."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            stream.put("a", b"after")

    stream.clock = Putting()
    records = tail(stream, "LATEST", follow=True)

    assert next(iter(records)).data == b"after"


def test_an_aggregate_is_shown_as_its_records_and_a_broken_one_whole() -> None:
    stream = MemoryStream(VirtualClock())
    stream.add_shard("a")
    entry = b"\x08\x00\x1a\x02hi"
    good = b"\x0a\x03key" + b"\x1a" + bytes([len(entry)]) + entry
    bad = b"\x0a\x03key" + b"\x1a" + bytes([len(entry)]) + entry.replace(b"\x08\x00", b"\x08\x05")
    stream.put("a", seal(good), seal(bad))

    first, second = Tailing(stream, "orders", "TRIM_HORIZON", stream.clock, follow=False).records()

    assert (first.record.data, first.record.partition_key, first.malformed) == (b"hi", "key", None)
    assert second.record.data == seal(bad)
    assert second.malformed


def test_an_envelope_is_shown_as_what_is_in_it() -> None:
    stream = MemoryStream(VirtualClock())
    stream.add_shard("a")
    stream.put("a", enveloped("hi", {"traceparent": "00-1"}))

    (record,) = tail(stream)

    assert (record.data, dict(record.headers)) == (b"hi", {"traceparent": "00-1"})


def test_it_rests_between_reads() -> None:
    """A shard takes five reads a second, and they belong to its consumers."""
    clock = VirtualClock()
    stream = MemoryStream(clock)
    stream.add_shard("a")
    stream.put("a", b"1")
    records = tail(stream, follow=True)
    list(islice(records, 1))
    stream.put("a", b"2")
    next(records)

    assert clock.monotonic() >= 0.2
