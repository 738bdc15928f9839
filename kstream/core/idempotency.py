"""Producers' duplicates: the same fact put twice, under two sequence numbers, told by the handler's own key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kstream.core.errors import Reject
from kstream.core.handler import RecordHandler
from kstream.core.progress import PENDING, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kstream.core.progress import Progress


class KeyFailed(Exception):
    """``idempotency_key`` gave no key and did not say that there is none: the record must not be tried at all."""


class Duplicates:
    """The idempotency keys of one batch: which are done, and which are under way just now. Thread-safe."""

    def __init__(self, keys: dict[int, str], progress: Progress) -> None:
        self._keys = keys
        self._progress = progress
        self._done: set[str] = set()
        self._running: set[str] = set()
        self._lock = threading.Lock()

    @property
    def keys(self) -> Collection[str]:
        """Every key in the batch, once."""
        return set(self._keys.values())

    def know(self, keys: Iterable[str]) -> None:
        """These were done in an earlier delivery."""
        self._done.update(keys)

    def key(self, index: int) -> str | None:
        return self._keys.get(index)

    def admits(self, index: int) -> bool:
        """Whether to process it. If not, it is either skipped as done, or left because its twin is under way."""
        key = self._keys.get(index)
        if key is None:
            return True
        with self._lock:
            if key in self._done:
                self._progress.states[index] = SKIPPED
                return False
            if key in self._running:
                self._progress.leave(index)
                return False
            self._running.add(key)
            return True

    def done(self, index: int) -> str | None:
        """Record ``index`` took effect, and so its twins must not. Its key, if it has one."""
        key = self._keys.get(index)
        if key is not None:
            with self._lock:
                self._running.discard(key)
                self._done.add(key)
        return key

    def released(self, index: int) -> None:
        """Record ``index`` is under way no more and had no effect: a twin may be tried."""
        key = self._keys.get(index)
        if key is not None:
            with self._lock:
                self._running.discard(key)


def has_keys(handler: object) -> bool:
    """Whether this handler names keys at all."""
    return isinstance(handler, RecordHandler) and type(handler).idempotency_key is not RecordHandler.idempotency_key


def keys_of(
    handler: RecordHandler, progress: Progress, unseen: Collection[int]
) -> tuple[dict[int, str], dict[int, Exception]]:
    """The keys of a batch's pending records, and the records for which the handler could not tell one.

    It is not asked about the records in ``unseen``, which no handler may see.
    """
    keys: dict[int, str] = {}
    refused: dict[int, Exception] = {}
    for index, record in enumerate(progress.batch.records):
        if progress.states[index] != PENDING or index in unseen:
            continue
        try:
            key = _checked(handler.idempotency_key(record))
        except Reject as error:
            refused[index] = error
        except KeyFailed as error:
            refused[index] = error
        except Exception as error:  # noqa: BLE001 - user code; the record fails, untried
            failure = KeyFailed(f"idempotency_key raised {type(error).__name__}: {error}")
            failure.__cause__ = error
            refused[index] = failure
        else:
            if key is not None:
                keys[index] = key
    return keys, refused


def _checked(key: object) -> str | None:
    # An empty key is what comes of a field that is missing, and would make one fact of all records that miss it.
    if key is None or (isinstance(key, str) and key):
        return key
    raise KeyFailed(
        f"idempotency_key returned {key!r}, not text that tells facts apart: return a str, or None for a record without one"
    )
