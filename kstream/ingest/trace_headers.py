"""The trace that a request goes on with: what the caller's function says of it, and of that what belongs there."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.ingest.contract import KEPT_CHARACTERS, KEPT_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger("kstream")

_KEPT = re.compile(f"{KEPT_CHARACTERS}+")


class TraceHeaders:
    """Asks ``source`` once for each request. As thread-safe as that is.

    Tracing never keeps a record from being put: what ``source`` raises, or gives that no stream would keep, is logged once
    of each kind, and the request goes without it. Raises ``ConfigurationError`` for what cannot be called.
    """

    def __init__(self, source: Callable[[], Mapping[str, str]]) -> None:
        if not callable(source):
            raise ConfigurationError(f"trace_headers is {source!r}; give a function that returns headers")
        self._source = source
        self._told: set[str] = set()

    def __call__(self) -> dict[str, str]:
        """Of ``KEPT_HEADERS`` those that there are now, with names in lower case. Raises nothing."""
        try:
            given = {name.lower(): value for name, value in self._source().items()}
        except Exception as error:  # noqa: BLE001 - user code that only watches
            self._tell(f"it raised {type(error).__name__}", error)
            return {}
        return {
            name: value
            for name, most in KEPT_HEADERS.items()
            if (value := given.get(name)) and self._fits(name, value, most)
        }

    def _fits(self, name: str, value: object, most: int) -> bool:
        if isinstance(value, str) and len(value) <= most and _KEPT.fullmatch(value) and value == value.strip():
            return True
        # Without the value: what was put here by mistake may be a secret.
        self._tell(f"its {name} is no text of 1 to {most} characters that a stream keeps")
        return False

    def _tell(self, what: str, error: Exception | None = None) -> None:
        if what not in self._told:
            self._told.add(what)
            _log.warning("trace_headers: %s; requests go without", what, exc_info=error)
