"""The pauses between a request's attempts. They end as soon as putting does: a Retry-After may be a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import threading

    from kstream.core.ports import Clock


class Pauses:
    """``clock``: its sleep is the pause, which then nothing ends early; None: this machine's time. Thread-safe."""

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock

    def wait(self, seconds: float, ended: threading.Event) -> None:
        if self._clock is None:
            ended.wait(seconds)
        else:
            self._clock.sleep(seconds)

    async def wait_async(self, seconds: float, ended: asyncio.Event) -> None:
        if self._clock is not None:
            await self._clock.sleep_async(seconds)
            return
        import asyncio
        from contextlib import suppress

        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
