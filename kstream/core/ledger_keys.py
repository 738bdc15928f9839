"""What every ledger's store agrees on: scopes and sequence numbers as text, and how long a position is remembered."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from kstream.core.ports import Scope

DEFAULT_TTL = timedelta(days=8)
"""A day, a stream's usual retention, plus seven, the longest maximum record age of an event source mapping.

A stream that retains its records for longer needs more: retention plus maximum record age. So does a queue that keeps its
messages for longer.
"""


def scope_key(scope: Scope) -> str:
    """``consumer#stream#shard``. Two scopes never share it, whatever characters their names hold."""
    return "#".join(part.replace("%", "%25").replace("#", "%23") for part in scope)


def key_digest(key: str) -> bytes:
    """An idempotency key as 20 bytes: a key is any text, of any length, and stores bound what they index."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=20).digest()


def sequence_key(sequence: int) -> str:
    """Text that sorts as the number does: three digits of length, then the number. For numbers of up to 999 digits."""
    digits = str(sequence)
    return f"{len(digits):03d}{digits}"


def sequence_of(key: str) -> int:
    """The number that ``sequence_key`` was given."""
    return int(key[3:])


def ttl_seconds(ttl: timedelta) -> float:
    """The seconds of a time to live. Raises ``ConfigurationError`` unless it is a ``timedelta`` of more than none."""
    _check_timedelta(ttl)
    seconds = ttl.total_seconds()
    if seconds <= 0:
        raise ConfigurationError(
            f"a ledger's ttl must be longer than zero; it is {ttl}: give retention + maximum record age"
        )
    return seconds


def _check_timedelta(given: object) -> None:
    if not isinstance(given, timedelta):
        raise ConfigurationError(f"a ledger's ttl={given!r} is no timedelta: give one, such as timedelta(days=8)")
