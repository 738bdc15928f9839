"""The poison records that the demo mixes in: each can never succeed, and each has one reason for it, known beforehand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumers.flights.dataset import Flight

Put = tuple["Flight | bytes", str]
"""What is put: a payload and its partition key."""

_KINDS = 4


class Poison(NamedTuple):
    """A payload unlike any other's, how the reason in its dead letter begins, and the partition key to put it with."""

    payload: bytes
    reason: str
    key: str


def poison_records(count: int) -> tuple[Poison, ...]:
    """``count`` of them, the kinds in turn."""
    return tuple(_poison(number) for number in range(count))


def _poison(number: int) -> Poison:
    key = f"poison-{number % 7}"
    flight: Flight = {
        "year": 2013, "month": 2, "day": 30, "dep_time": 517, "dep_delay": 2, "carrier": "ZZ", "flight": number,
        "tailnum": "N0NE", "origin": "EWR", "dest": "IAH", "distance": 1400,
    }  # fmt: skip
    match number % _KINDS:
        case 0:
            return Poison(f"flight {number} is not JSON".encode(), "the payload is not JSON", key)
        case 1:
            return Poison(b"\xff\xfe not even text: %d" % number, "the payload is not JSON", key)
        case 2:
            return Poison(_json(flight | {"carrier": None}), "the flight has no carrier", key)
        case _:
            return Poison(_json(flight | {"distance": -1400}), "the distance is negative", key)


def mixed_in(records: Iterator[Put], poison: Sequence[Poison], *, every: int) -> Iterator[Put]:
    """The records with one poison record before each ``every`` of them, and what is left of the poison at the end."""
    left = iter(poison)
    for number, record in enumerate(records):
        if number % every == 0 and (one := next(left, None)):
            yield one.payload, one.key
        yield record
    for one in left:
        yield one.payload, one.key


def _json(flight: Flight) -> bytes:
    return json.dumps(flight).encode()
