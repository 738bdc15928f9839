"""Telemetry that cannot change what is processed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.outcome import Outcome
    from kstream.core.ports import Telemetry
    from kstream.core.record import Record

_log = logging.getLogger("kstream")


class Shielded:
    """Passes everything on to ``telemetry``; what that raises is logged, and goes no further."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        _shielded(self._telemetry.record_failed, record, error, attempt=attempt, parked=parked)

    def ledger_failed(self, error: Exception) -> None:
        _shielded(self._telemetry.ledger_failed, error)

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        _shielded(self._telemetry.dead_letter_failed, record, error)

    def batch_finished(self, outcome: Outcome) -> None:
        _shielded(self._telemetry.batch_finished, outcome)


def _shielded(tell: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    try:
        tell(*args, **kwargs)
    except Exception:  # noqa: BLE001 - user code that only watches
        _log.exception("telemetry failed, and was ignored")
