"""Ports as options, checked before anything is started."""

from __future__ import annotations

from kstream.core.errors import ConfigurationError

_HIGHEST = 65535


def check_ports(**given: int | None) -> None:
    """Raises ``ConfigurationError`` for one that is no port; they are named as their options are, with ``_`` for ``-``."""
    for name, port in given.items():
        if port is not None and not 0 <= port <= _HIGHEST:
            raise ConfigurationError(f"--{name.replace('_', '-')} {port}: give 1 to {_HIGHEST}, or 0 for a free one")
