"""Authorizers' answers, kept for their time to live."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kstream.core.ports import Clock
    from kstream.ingest.enforcing.answers import AuthorizerAnswer


class KeptAnswers:
    """By the values of the identity sources, and by nothing else: not by method, path or stream. Thread-safe.

    ``seconds``: 0 keeps nothing. Beyond ``capacity`` the oldest goes.
    """

    def __init__(self, seconds: float, clock: Clock, capacity: int = 10_000) -> None:
        self._seconds = seconds
        self._clock = clock
        self._capacity = capacity
        self._answers: OrderedDict[tuple[str, ...], tuple[float, AuthorizerAnswer]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, identity: tuple[str, ...]) -> AuthorizerAnswer | None:
        with self._lock:
            kept = self._answers.get(identity)
            if kept is None:
                return None
            until, answer = kept
            if self._clock.monotonic() < until:
                return answer
            del self._answers[identity]
            return None

    def keep(self, identity: tuple[str, ...], answer: AuthorizerAnswer) -> None:
        if self._seconds <= 0:
            return
        with self._lock:
            self._answers.pop(identity, None)
            self._answers[identity] = (self._clock.monotonic() + self._seconds, answer)
            if len(self._answers) > self._capacity:
                self._answers.popitem(last=False)
