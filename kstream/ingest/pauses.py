"""The pauses between a request's attempts. They end as soon as putting does: a Retry-After may be a minute."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kstream.ingest.errors import ClientClosed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from kstream.core.ports import Clock


class Pauses:
    """Of one client. ``clock``: its sleep is the pause, which then nothing ends early; None: this machine's time.

    ``wait`` and ``wait_async`` return after so many seconds, or once ``ended`` is set: then with ``ClientClosed``, if it was
    ``end`` that set it. Thread-safe; what waits on an event loop is ended there.
    """

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[threading.Event | asyncio.Event] = []
        self._over = False

    def wait(self, seconds: float, ended: threading.Event) -> ClientClosed | None:
        if self._clock is not None:
            self._clock.sleep(seconds)
        else:
            with self._listed(ended):
                ended.wait(seconds)
        return ClientClosed() if self._over else None

    async def wait_async(self, seconds: float, ended: asyncio.Event) -> ClientClosed | None:
        if self._clock is not None:
            await self._clock.sleep_async(seconds)
        else:
            import asyncio
            from contextlib import suppress

            with self._listed(ended), suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), seconds)
        return ClientClosed() if self._over else None

    def end(self) -> None:
        """The client is closed: nobody waits any more."""
        with self._lock:
            self._over = True
            for ended in self._waiting:
                ended.set()

    @contextmanager
    def _listed(self, ended: threading.Event | asyncio.Event) -> Iterator[None]:
        with self._lock:
            self._waiting.append(ended)
            if self._over:
                ended.set()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(ended)
