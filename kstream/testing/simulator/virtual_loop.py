"""An event loop that goes by a clock which a simulation moves: ``asyncio.sleep`` takes virtual time, and no real one."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable


class SimulatedClock(VirtualClock):
    """``kstream.core.ports.LoopClock``."""

    async def sleep_async(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # in the loop below: the other tasks go on meanwhile

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return _VirtualLoop(self)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """Where nothing is ready, time moves on to the next timer. What would run in a thread runs at once, in this one: no
    thread is started that the seed does not order, and no timer runs out meanwhile."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_Impatient(clock))

    def time(self) -> float:
        return self._clock.monotonic()

    def run_in_executor(  # type: ignore[override]
        self,
        executor: Any,  # noqa: ARG002
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it, who raises it
            future.set_exception(error)
        return future


class _Impatient(selectors.DefaultSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Beside the loop's own pipe, what a handler has opened: that is real, and so is the time that it takes.
        real = timeout is None or len(self.get_map()) > 1
        ready = super().select(timeout if real else 0)
        if not ready and timeout:
            self._clock.advance(timeout)
        return ready
