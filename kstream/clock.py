"""The machine's own time."""

from __future__ import annotations

import time


class SystemClock:
    """``kstream.core.ports.Clock`` by the machine's clocks. Stateless and thread-safe."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        import asyncio  # a synchronous consumer never pays for it

        await asyncio.sleep(max(0.0, seconds))
