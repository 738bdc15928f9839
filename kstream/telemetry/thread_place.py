"""Where a thread is: what an operator wants to know of one that is stuck."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

DEEPEST = 20
"""Frames that are shown."""


def place_of(thread: int | None) -> tuple[str, str]:
    """Where the thread of that identity is: what it was called into from the core, as ``process (orders.py:12)``, and
    the stack from there on. Two empty texts if there is no such thread, or it is the one that asks.
    """
    if thread is None or thread == threading.get_ident():
        return "", ""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way, for debuggers, to look at a thread
    if frame is None:
        return "", ""
    frames = _beyond_the_core(_outermost_first(frame))
    code = frames[0].f_code
    place = f"{code.co_name} ({code.co_filename.rpartition(os.sep)[2]}:{frames[0].f_lineno})"
    stack = traceback.StackSummary.extract([(frame, frame.f_lineno) for frame in frames[-DEEPEST:]])
    return place, "".join(stack.format()).rstrip()


def _outermost_first(frame: FrameType) -> Sequence[FrameType]:
    frames: list[FrameType] = []
    inner: FrameType | None = frame
    while inner is not None:
        frames.append(inner)
        inner = inner.f_back
    return frames[::-1]


def _beyond_the_core(frames: Sequence[FrameType]) -> Sequence[FrameType]:
    """From the first frame that the core called into: a handler's, or a store's. All of them if it is in the core."""
    ours = [
        index for index, frame in enumerate(frames) if frame.f_globals.get("__name__", "").startswith("kstream.core.")
    ]
    first = ours[-1] + 1 if ours else 0
    return frames[first:] or frames[-1:]
