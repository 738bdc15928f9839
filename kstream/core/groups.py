"""Groups of errors, as ``asyncio.TaskGroup`` raises them, and what they stand for."""

from __future__ import annotations

from kstream.core.errors import Reject


def alone(error: Exception) -> Exception:
    """What a group of errors stands for: its only one, or the first of many Rejects. Any other error: itself."""
    while isinstance(error, ExceptionGroup):
        if len(error.exceptions) > 1 and error.split(Reject)[1] is not None:
            return error
        error = error.exceptions[0]
    return error


def is_any_of(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether it is of one of these kinds, or a group with such an error in it, as ``except*`` would catch it."""
    if isinstance(error, kinds):
        return True
    return isinstance(error, BaseExceptionGroup) and any(is_any_of(one, kinds) for one in error.exceptions)
