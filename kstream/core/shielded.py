"""Telemetry that cannot change what is processed."""

from __future__ import annotations

from logging import ERROR
from typing import TYPE_CHECKING, Any

from kstream.core.logger import log
from kstream.core.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Shielded:
    """Passes everything on to those who watch; what one of them raises is logged, and goes no further.

    Calls only what is overridden. Has the methods of ``Telemetry``; as thread-safe as those inside.
    """

    def __init__(self, watching: Iterable[Telemetry]) -> None:
        self.watching = tuple(watching)
        self._listeners = {name: tuple(self._listening(name)) for name in Telemetry.EVENTS}
        self._told: set[tuple[str, type[BaseException]]] = set()

    def _listening(self, name: str) -> Iterable[Callable[..., None]]:
        return (getattr(one, name) for one in self.watching if _overrides(type(one), name))

    def tell(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Raises nothing."""
        for listener in self._listeners[name]:
            try:
                listener(*args, **kwargs)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - user code that only watches: neither ends nor cancels anything
                self._failed(listener, error)

    def _failed(self, listener: Callable[..., None], error: BaseException) -> None:
        name = getattr(listener, "__qualname__", repr(type(listener)))
        # Once for each kind: telemetry that fails would fail for every record.
        if (kind := (name, type(error))) not in self._told:
            self._told.add(kind)
            log(ERROR, "telemetry failed, and is ignored: %s", name, error=error)


def _overrides(watching: type[Telemetry], name: str) -> bool:
    if getattr(watching, name) is not getattr(Telemetry, name):
        return True
    return name == "batch_interrupted" and _overrides(watching, "batch_finished")  # which it calls
