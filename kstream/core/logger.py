"""The core's own log lines, which cannot break what they tell of."""

from __future__ import annotations

import logging
from contextlib import suppress

_logger = logging.getLogger("kstream")


def log(level: int, message: str, *values: object, error: BaseException | None = None) -> None:
    """To the logger ``kstream``. Raises nothing: a filter of the user's that fails has no say in what is processed."""
    with suppress(Exception):  # who cannot log has nobody to tell
        _logger.log(level, message, *values, exc_info=error, stacklevel=2)
