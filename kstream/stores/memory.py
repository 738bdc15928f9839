"""A ledger and dead letters in the memory of this process: for tests, and for a consumer that need not outlive it."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from kstream.clock import SystemClock
from kstream.core.ledger_keys import DEFAULT_TTL, ttl_seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import timedelta

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.ports import Clock, Scope

# Up to so many new positions are inserted one by one; sorting anew costs less for more.
_FEW = 16


class _Shelf:
    """What is done in one scope: bitmaps and expiry by sequence number, and the sequence numbers in order."""

    __slots__ = ("done", "order")

    def __init__(self) -> None:
        self.done: dict[int, tuple[int, float]] = {}
        self.order: list[int] = []

    def load(self, first: int, last: int, now: float) -> dict[int, int]:
        order = self.order
        if not order or order[-1] < first or order[0] > last:
            return {}
        found = {}
        for sequence in order[bisect_left(order, first) : bisect_right(order, last)]:
            bitmap, expires_at = self.done[sequence]
            if expires_at > now:
                found[sequence] = bitmap
        return found

    def save(self, done: Mapping[int, int], now: float, expires_at: float) -> None:
        new = []
        for sequence, bitmap in done.items():
            known = self.done.get(sequence)
            if known is None:
                new.append(sequence)
            elif known[1] > now:
                self.done[sequence] = (known[0] | bitmap, max(known[1], expires_at))
                continue
            self.done[sequence] = (bitmap, expires_at)
        if len(new) <= _FEW:
            for sequence in new:
                insort(self.order, sequence)
        else:
            self.order += new
            self.order.sort()

    def purge(self, now: float) -> None:
        self.done = {sequence: entry for sequence, entry in self.done.items() if entry[1] > now}
        self.order = sorted(self.done)


class MemoryLedger:
    """Remembers what is done for as long as this object lives, and at most ``ttl``.

    Thread-safe; not shared between processes. The runtime's redelivery within one process is then spared what is
    done; a crash forgets it, and everything since the checkpoint runs again.
    """

    def __init__(self, *, ttl: timedelta = DEFAULT_TTL, clock: Clock | None = None) -> None:
        self._ttl = ttl_seconds(ttl)
        self._clock = clock or SystemClock()
        self._shelves: dict[Scope, _Shelf] = {}
        self._keys: dict[tuple[str, str], dict[str, float]] = {}
        self._purge_at = self._clock.time() + self._ttl
        self._lock = threading.Lock()

    def load(self, scope: Scope, first: int, last: int) -> dict[int, int]:
        with self._lock:
            shelf = self._shelves.get(scope)
            return {} if shelf is None else shelf.load(first, last, self._clock.time())

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        if not done:
            return
        now = self._clock.time()
        with self._lock:
            if now >= self._purge_at:
                self._purge(now)
            self._shelves.setdefault(scope, _Shelf()).save(done, now, now + self._ttl)

    def load_keys(self, scope: Scope, keys: Collection[str]) -> set[str]:
        now = self._clock.time()
        with self._lock:
            known = self._keys.get(scope[:2], {})
            return {key for key in keys if known.get(key, now) > now}

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        now = self._clock.time()
        with self._lock:
            if now >= self._purge_at:
                self._purge(now)
            self._keys.setdefault(scope[:2], {}).update(dict.fromkeys(keys, now + self._ttl))

    def _purge(self, now: float) -> None:
        # Once every quarter of the time to live, so that memory holds at most 1.25 times what has not expired.
        self._purge_at = now + self._ttl / 4
        for shelf in self._shelves.values():
            shelf.purge(now)
        self._shelves = {scope: shelf for scope, shelf in self._shelves.items() if shelf.done}
        for place, known in self._keys.items():
            self._keys[place] = {key: expires_at for key, expires_at in known.items() if expires_at > now}


class MemoryDeadLetters:
    """Keeps dead letters in ``letters``, in the order they came, one of each record; gone with the process. Thread-safe."""

    def __init__(self) -> None:
        self._letters: dict[str, DeadLetter] = {}
        self._lock = threading.Lock()

    @property
    def letters(self) -> list[DeadLetter]:
        with self._lock:
            return list(self._letters.values())

    def put(self, letter: DeadLetter) -> None:
        letter.to_json()  # what no sink could keep must not look kept in a test
        with self._lock:
            self._letters.pop(letter.key, None)
            self._letters[letter.key] = letter
