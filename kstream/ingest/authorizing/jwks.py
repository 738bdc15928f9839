"""An issuer's keys, kept for a while.

Three times matter, in seconds. ``refresh_after``: older keys are read anew when next needed, so that a key which the
issuer withdrew is forgotten. ``lifetime``: should reading fail meanwhile, the keys at hand go on being used, but not
beyond this; then nobody gets in. ``retry_after``: at most one reading in this time, whether for a key id that nobody
knows or because the endpoint is down; else anybody could make us hammer the issuer with invented key ids.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.fetching import FetchFailed
from kstream.ingest.authorizing.function import AuthorizerUnavailable
from kstream.ingest.authorizing.key_set import keys_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.ports import Clock
    from kstream.ingest.authorizing.key_set import VerificationKey

_log = logging.getLogger(__name__)


class KeySource(Protocol):
    """Where a token's key comes from. Thread-safe."""

    def key(self, key_id: str | None) -> VerificationKey | None:
        """The issuer's key of this id; without an id its only key. None if the issuer has no such key.

        Raises ``AuthorizerUnavailable`` if that cannot be told just now.
        """
        ...


class IssuerKeys:
    """A ``KeySource`` that reads the key set by ``fetch``: see ``fetching.key_set_at`` and ``key_set_of``.

    Nothing is read before the first token. A reading holds up the others that need a key, for at most its timeout.
    """

    def __init__(
        self,
        fetch: Callable[[], Any],
        *,
        refresh_after: float = 600.0,
        lifetime: float = 3600.0,
        retry_after: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        if not 0 < retry_after <= refresh_after <= lifetime:
            raise ConfigurationError("the key set's times are 0 < retry_after <= refresh_after <= lifetime, in seconds")
        self._fetch = fetch
        self._refresh_after = refresh_after
        self._lifetime = lifetime
        self._retry_after = retry_after
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._keys: dict[str | None, VerificationKey] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._failing = False

    def key(self, key_id: str | None) -> VerificationKey | None:
        with self._lock:
            if self._age() >= self._refresh_after:
                self._read()
            found = self._find(key_id)
            if found is None:
                self._read()
                found = self._find(key_id)
            if found is None and self._failing:
                raise AuthorizerUnavailable("the issuer's key set cannot be read, and no key at hand fits the token")
            return found

    def _age(self) -> float:
        return self._clock.monotonic() - self._read_at

    def _find(self, key_id: str | None) -> VerificationKey | None:
        if self._age() >= self._lifetime:
            return None
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _read(self) -> None:
        now = self._clock.monotonic()
        if now - self._tried_at < self._retry_after:
            return
        self._tried_at = now
        try:
            self._keys = keys_in(self._fetch())
        except (FetchFailed, ValueError) as error:
            self._failing = True
            _log.warning("the issuer's key set cannot be read: %s", error)
        else:
            self._failing = False
            self._read_at = now
