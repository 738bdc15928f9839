"""What users give to a policy or a store, checked where they give it: told at once, and not when it is first used."""

from __future__ import annotations

from math import isfinite

from kstream.core.errors import ConfigurationError


def check_number(where: str, given: object, *, least: float, whole: bool = False, what: str = "") -> None:
    """Raises ``ConfigurationError`` unless it is a finite number of at least ``least``.

    ``where``  how the user wrote it, up to the value: ``Retry(attempts``.
    ``what``   what it counts, for the message: ``seconds``.
    """
    kinds = int if whole else int | float
    if isinstance(given, bool) or not isinstance(given, kinds) or not isfinite(given) or given < least:
        unit = f"{what}, " if what else ""
        raise ConfigurationError(f"{where}={given!r}): {unit}{'a whole number, ' if whole else ''}at least {least:g}")


def check_exception_types(where: str, given: object) -> None:
    """Raises ``ConfigurationError`` unless it is a tuple of exception classes."""
    if not isinstance(given, tuple) or not all(isinstance(one, type) and issubclass(one, Exception) for one in given):
        raise ConfigurationError(
            f"{where}={given!r}): a tuple of exception classes, such as (ConnectionError, TimeoutError)"
        )
