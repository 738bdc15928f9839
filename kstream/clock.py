"""The machine's own time."""

from __future__ import annotations

import time as machine


class SystemClock:
    """``kstream.core.ports.Clock`` by the machine's clocks. Stateless and thread-safe."""

    # As they are: a method around each would double what a batch pays for them with every record.
    time = staticmethod(machine.time)
    monotonic = staticmethod(machine.monotonic)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            machine.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        import asyncio  # a synchronous consumer never pays for it

        await asyncio.sleep(max(0.0, seconds))
