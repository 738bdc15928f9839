"""What a handler notes on a trace, as every tracer takes it."""

from __future__ import annotations

import math

from kstream.telemetry.own_metrics import plain
from kstream.telemetry.texts import text_of

_BEYOND = 1 << 63
"""From here on an integer has more than the 64 bits that OpenTelemetry sends and others read."""


def key_of(key: object) -> str:
    """A name that is not empty."""
    return (plain(key) if isinstance(key, str) else text_of(key)) or "_"


def value_of(value: object, longest: int) -> str | float | bool:
    """A boolean, an integer of 64 bits, a finite number, or a text of at most so many characters. Raises nothing."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and -_BEYOND <= value < _BEYOND:
        return int.__int__(value)
    if isinstance(value, float) and math.isfinite(value):
        return float.__float__(value)
    return text_of(plain(value) if isinstance(value, str) else value)[:longest]
