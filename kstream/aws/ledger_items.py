"""How a ledger's positions lie in DynamoDB: which items a save makes, and which keys a load asks for. No I/O.

An *item* holds many positions of one save. Its keys::

    scope     S  partition key: consumer#stream#shard
    position  S  sort key: the LAST sequence number in it, as sortable text, then "." and a digest of the content
    first     S  the first sequence number in it, as sortable text
    done      B  the positions and their bitmaps, see ``_pack``
    expires_at N  seconds since the epoch; the table's TTL attribute

**Finding.** A load for [a, b] must find every item that overlaps [a, b], however batches were cut since: a batch comes
back whole, from its middle on, or bisected, so an item may begin before a, end behind b, or span both. An item overlaps
if its last >= a and its first <= b. The first half is the sort key's condition, the second a filter, so one Query
does it.

**Bounding.** On its own, "last >= a" would read everything ahead in the shard: little at the tip of a stream, but
after a rewind to its horizon every item there is, for each batch. So no item spans more than ``REACH``: a save that
does is cut. Then whatever overlaps [a, b] has its last in [a, b + REACH], and the Query has an end.

**Never losing.** Items are only ever added. Two saves that differ have different digests, so neither overwrites the
other, and a load unites what it finds: a union without a condition, a lock or a read before the write. The same save
again writes the same item again.
"""

from __future__ import annotations

import math
import zlib
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

from kstream.core.errors import LedgerError
from kstream.core.ledger_keys import sequence_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REACH = 1 << 96
"""The widest span of an item. Kinesis's numbers count in steps of 2**80 (below them stand the time and the shard): some
35 steps a second where nothing happens (the two records of AWS's sample event, a minute apart, differ by 2,121), and
one or more for a record. So 65,536 steps are half an hour of a quiet shard, or a minute of a full one: most batches
fit one item, and a load reads at most that much ahead. Any number is correct; it weighs requests against each
other."""

LARGEST = 350_000
"""Bytes of ``done`` in one item: DynamoDB allows 400 KB for an item with its keys and names."""

_FORMAT = b"\x01"
_HEAD = 69  # bytes before the steps; 64 of them for the first number, which has at most 129 digits


class Item(NamedTuple):
    position: str
    first: str
    done: bytes


def key_range(first: int, last: int) -> tuple[str, str]:
    """The sort keys between which every item that overlaps [first, last] lies, both included."""
    # "/" follows ".", which follows the number in a sort key; a digit would follow both, but numbers of one length
    # never start with each other.
    return sequence_key(first), sequence_key(last + REACH) + "/"


def items(done: Mapping[int, int]) -> Iterator[Item]:
    """The items that together hold ``done``: one, if it spans at most ``REACH`` and fits."""
    run: list[tuple[int, int]] = []
    for entry in sorted(done.items()):
        if run and entry[0] - run[0][0] > REACH:
            yield from _fitting(run)
            run = []
        run.append(entry)
    if run:
        yield from _fitting(run)


def unpack(blob: bytes) -> dict[int, int]:
    """The positions in an item's ``done``. Raises ``LedgerError`` for anything that ``items`` did not make."""
    if blob[:1] != _FORMAT:
        raise LedgerError(
            f"an item is of format {blob[:1].hex() or 'none'}; this kstream reads {_FORMAT.hex()}: upgrade it"
        )
    try:
        return _unpack(zlib.decompress(blob[1:]))
    except (zlib.error, IndexError, ValueError) as error:
        raise LedgerError(f"an item does not hold positions ({error}): something else wrote into the table") from error


def expiry(now: float, ttl: float) -> int:
    """When what is saved now expires: whole seconds, since DynamoDB's TTL reads no others."""
    return math.ceil(now + ttl)


def _fitting(run: Sequence[tuple[int, int]]) -> Iterator[Item]:
    body = _pack(run)
    blob = _FORMAT + zlib.compress(body)
    if len(blob) <= LARGEST:
        # Of the body, because another zlib may compress it to other bytes.
        digest = blake2b(body, digest_size=12).hexdigest()
        yield Item(f"{sequence_key(run[-1][0])}.{digest}", sequence_key(run[0][0]), blob)
    elif len(run) == 1:
        raise LedgerError(
            f"the bitmap of sequence number {run[0][0]} takes {len(blob):,} bytes, and an item holds {LARGEST:,}; "
            "its record has too many user records for DynamoDBLedger"
        )
    else:
        middle = len(run) // 2
        yield from _fitting(run[:middle])
        yield from _fitting(run[middle:])


def _pack(run: Sequence[tuple[int, int]]) -> bytes:
    """Count, width, first number; then the steps between the numbers; then the bitmaps' lengths and the bitmaps.

    All integers are little-endian. The steps lie in planes (all lowest bytes, then all second ones, ...): Kinesis's
    numbers differ in a few bytes, so most planes are zeros, and compress away.
    """
    first = run[0][0]
    steps = [after - before for (before, _), (after, _) in pairwise(run)]
    width = (max(steps, default=0).bit_length() + 7) // 8
    rows = b"".join(step.to_bytes(width, "little") for step in steps)
    bitmaps = [bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "little") for _, bitmap in run]
    return b"".join(
        (
            len(run).to_bytes(4, "little"),
            width.to_bytes(1, "little"),
            first.to_bytes(_HEAD - 5, "little"),
            *(rows[plane::width] for plane in range(width)),
            *(len(bitmap).to_bytes(4, "little") for bitmap in bitmaps),
            *bitmaps,
        )
    )


def _unpack(body: bytes) -> dict[int, int]:
    count, width = int.from_bytes(body[:4], "little"), body[4]
    numbers = [int.from_bytes(body[5:_HEAD], "little")]
    at = _HEAD
    if width:
        rows = bytearray((count - 1) * width)
        for plane in range(width):
            rows[plane::width] = body[at : at + count - 1]
            at += count - 1
        steps = (int.from_bytes(rows[start : start + width], "little") for start in range(0, len(rows), width))
        numbers = list(accumulate(steps, initial=numbers[0]))
    lengths = [int.from_bytes(body[n : n + 4], "little") for n in range(at, at + 4 * count, 4)]
    found, start = {}, at + 4 * count
    for number, length in zip(numbers, lengths, strict=True):
        found[number] = int.from_bytes(body[start : start + length], "little")
        start += length
    if start != len(body):
        raise ValueError("its lengths do not agree")
    return found


def within(found: Mapping[int, int], first: int, last: int) -> Mapping[int, int]:
    """What of ``found`` lies in [first, last]."""
    return {number: bitmap for number, bitmap in found.items() if first <= number <= last}
