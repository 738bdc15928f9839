"""Producers' duplicates: the same fact put twice, under two sequence numbers, told by the handler's own key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kstream.core.errors import Reject
from kstream.core.handler import RecordHandler
from kstream.core.progress import PENDING, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from kstream.core.progress import Progress


class KeyFailed(Exception):
    """``idempotency_key`` gave no key and did not say that there is none: the record must not be tried at all."""


class Duplicates:
    """The idempotency keys of one batch: which are done, and which are under way just now. Thread-safe."""

    def __init__(self, keys: dict[int, str], progress: Progress) -> None:
        self._keys = keys
        self._progress = progress
        self._done: set[str] = set()
        self._running: dict[str, int] = {}
        self._waiting: dict[str, list[Callable[[], object]]] = {}
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

    def admits(self, index: int, ended: Callable[[], object] | None = None) -> bool | None:
        """Whether to process it. False: it is skipped, as done. None: a twin of it is under way, and nobody can say yet.

        ``ended``  called then, from any thread, once the twin is under way no more: ask again.
        """
        key = self._keys.get(index)
        if key is None:
            return True
        with self._lock:
            if key in self._done:
                self._progress.states[index] = SKIPPED
                return False
            if key in self._running:
                if ended is not None:
                    self._waiting.setdefault(key, []).append(ended)
                return None
            self._running[key] = index
            return True

    def done(self, index: int) -> None:
        """Record ``index`` took effect, and so its twins must not."""
        self._ended(index, done=True)

    def released(self, index: int) -> None:
        """Record ``index`` is under way no more, if it was, and had no effect: a twin may be tried."""
        self._ended(index, done=False)

    def _ended(self, index: int, *, done: bool) -> None:
        key = self._keys.get(index)
        if key is None:
            return
        with self._lock:
            if done:
                self._done.add(key)
            elif self._running.get(key) != index:
                return
            self._running.pop(key, None)
            waiting = self._waiting.pop(key, ())
        for tell in waiting:
            tell()


def has_keys(handler: object) -> bool:
    """Whether this handler, or this class of handlers, names keys at all."""
    kind = handler if isinstance(handler, type) else type(handler)
    return issubclass(kind, RecordHandler) and kind.idempotency_key is not RecordHandler.idempotency_key


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
