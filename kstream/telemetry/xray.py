"""Traces in AWS X-Ray, by the X-Ray SDK, which is imported when the first batch is traced."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kstream.settings import invocation_trace
from kstream.telemetry.trace_context import TraceContext
from kstream.telemetry.tracing import Tracing, check_installed

if TYPE_CHECKING:
    from typing import Unpack

    from aws_xray_sdk.core.recorder import AWSXRayRecorder

    from kstream.core.telemetry import BatchContext
    from kstream.telemetry.tracing import Shown
    from kstream.telemetry.xray_trace import XRayBatch


class XRay(Tracing):
    """A subsegment per batch, and one for each attempt at a record that failed, was slow, or was sampled.

    In Lambda the batch's stands under the function's segment, where the function has active tracing and this invocation
    is sampled; otherwise nothing is traced, at next to no cost. Elsewhere the batch is a segment of its own, as the
    recorder's sampling rules decide, or a subsegment of what is open already. Documents go to the X-Ray daemon by UDP,
    without waiting: whether there is one changes nothing.

    While a batch is in hand, ``xray_recorder`` and the SDK's patched libraries work in kstream's threads and tasks too.

    A document that X-Ray would refuse, above 64 kB, is sent in parts, and without metadata and annotations of the
    handler's that do not fit; ``left_out_for_size`` in its metadata says how many. ``error_messages=False`` holds for the
    subsegments that a handler opens in a batch as well.

    ``recorder``: the SDK's global ``xray_recorder``, unless another one is given. For the others see ``Tracing``. Needs
    ``kstream[xray]``; raises ``ConfigurationError`` without it.
    """

    def __init__(self, *, recorder: AWSXRayRecorder | None = None, **shown: Unpack[Shown]) -> None:
        super().__init__(**shown)
        check_installed("aws_xray_sdk", "XRay", "xray")
        self._recorder = recorder

    def _open(self, context: BatchContext) -> XRayBatch | None:
        header = invocation_trace()
        invocation = None
        if header is not None:
            invocation = TraceContext.from_amzn(header)
            if invocation is None or not invocation.sampled or invocation.parent_id is None:
                return None
        from kstream.telemetry.xray_trace import open_batch

        return open_batch(self._sdk(), context, invocation, header or "", error_messages=self._error_messages)

    def _sdk(self) -> Any:
        if self._recorder is None:
            from aws_xray_sdk.core import xray_recorder

            self._recorder = xray_recorder
        return self._recorder


def trace_headers() -> dict[str, str]:
    """What a request should carry to go on in the trace that is in hand here; empty if there is none.

    That is what the SDK has open; else, in Lambda, the invocation's own trace. Never imports the SDK: where nobody else
    has, nothing is open. Thread-safe; raises nothing.
    """
    return trace.headers() if (trace := _open_trace() or _invocation()) is not None else {}


def _open_trace() -> TraceContext | None:
    sdk = sys.modules.get("aws_xray_sdk.core")
    recorder = getattr(sdk, "xray_recorder", None)  # None: it is just being imported, in another thread
    if recorder is None:
        return None
    from kstream.telemetry.xray_context import current_entity

    entity = current_entity(recorder)
    if entity is None:
        return None
    return TraceContext.from_amzn(f"Root={entity.trace_id};Parent={entity.id};Sampled={int(bool(entity.sampled))}")


def _invocation() -> TraceContext | None:
    header = invocation_trace()
    return None if header is None else TraceContext.from_amzn(header)
