"""Places in a stream as a command line names them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from kstream.core.mapping import StartingPosition

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NAMES = {"trim": "TRIM_HORIZON", "trim_horizon": "TRIM_HORIZON", "latest": "LATEST"}


def starting_position(text: str, *, now: datetime | None = None) -> StartingPosition:
    """``trim``, ``latest``, an ISO 8601 time (local unless it names its zone), or how long ago: ``90s 10m 2h 1d``.

    AWS's own names are understood as well. Raises ``ConfigurationError`` for anything else.
    """
    name = _NAMES.get(text.lower().replace("-", "_"))
    if name == "TRIM_HORIZON":
        return "TRIM_HORIZON"
    if name == "LATEST":
        return "LATEST"
    found = moment(text, now=now)
    if found is None:
        raise ConfigurationError(
            f"{text!r} is no place in a stream: give trim, latest, a time such as 2026-01-31T12:00, or 10m for ten "
            "minutes ago"
        )
    return found


def moment(text: str, *, now: datetime | None = None) -> datetime | None:
    """An ISO 8601 time (local unless it names its zone), or how long ago: ``90s 10m 2h 1d``. None for anything else."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
