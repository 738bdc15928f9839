"""Metrics' names as members of enumerations, which are text too."""

from __future__ import annotations

from enum import Enum, StrEnum


class Names(StrEnum):
    ORDERS = "orders"
    LOOKUP = "lookup"


class Old(str, Enum):  # noqa: UP042 - whose str() is not its text
    ORDERS = "orders"
    LOOKUP = "lookup"
