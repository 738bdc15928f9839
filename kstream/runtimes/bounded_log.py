"""Logging what goes wrong again and again: in full at first, then as counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

_IN_FULL = 3


class BoundedLog:
    """Logs the first three failures of a kind with their traceback, then one line at the 10th, the 100th, and so on.

    ``kind`` groups; keep the number of kinds small. Not thread-safe beyond what a lost count costs.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._counts: dict[str, int] = {}

    def failed(self, kind: str, message: str, error: BaseException | None = None) -> None:
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= _IN_FULL:
            self._logger.error("%s", message, exc_info=error)
            if count == _IN_FULL:
                self._logger.error("More of this kind (%s) are counted, and logged at 10, 100, 1000...", kind)
        elif _is_power_of_ten(count):
            self._logger.error("%s (%d of this kind so far)", message, count)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind so far."""
        return dict(self._counts)


def _is_power_of_ten(number: int) -> bool:
    return str(number).rstrip("0") == "1"
