"""What watching costs: the plain event of 10,000 records with everything off, with metrics and log lines, and traced."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.events import Context, plain_event
from benchmarks.plain_batch import RECORDS, ReadJson
from benchmarks.result import Bound, Result
from benchmarks.rounds import least_times
from kstream import Consumer, on_lambda
from kstream.core import context as core_context
from kstream.telemetry import ContextFilter, Logs, Metrics, OpenTelemetry, XRay
from kstream.telemetry.lines_out import LinesOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream import Telemetry

OFF = "off: telemetry=()"
DEFAULT = "log lines as text: what on_lambda gives outside Lambda"
WATCHED = "metrics and JSON log lines"
XRAY, XRAY_ALL = "X-Ray, 1 % of the records", "X-Ray, 1 %, no bound on the sampled of a batch"
OTEL = "OpenTelemetry, 1 % of the records"


def run(*, quick: bool = False) -> Result:
    event, lambda_context = plain_event(RECORDS), Context()
    null = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - closed below, after the last round
    ContextFilter()  # from here on records are followed where a contender asks for it

    def contender(telemetry: Sequence[Telemetry] | None, *, followed: bool = False) -> Callable[[], object]:
        handler = on_lambda(Consumer(ReadJson, telemetry=telemetry))

        def process() -> object:
            core_context._followed = followed
            return handler(event, lambda_context)

        return process

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        _send_segments_to(daemon)
        contenders = {
            OFF: contender(()),
            DEFAULT: contender(None),
            WATCHED: contender(
                [Logs(), Metrics(service="bench", write=LinesOut(lambda: null, what="lines").put)], followed=True
            ),
            XRAY: contender([XRay(sample_rate=0.01)]),
            XRAY_ALL: contender([XRay(sample_rate=0.01, most_sampled=RECORDS, most_records=RECORDS)]),
            OTEL: contender([OpenTelemetry(sample_rate=0.01, tracer_provider=TracerProvider())]),
        }
        least = least_times(contenders, 7 if quick else 25)
    null.close()
    off = least[OFF]
    rows = [
        (name, f"{seconds * 1000:.1f} ms", f"{seconds / RECORDS * 1e6:.2f} us", f"{seconds / off:.3f}")
        for name, seconds in least.items()
    ]
    return Result(
        "10,000 plain JSON records, watched",
        ("telemetry", "time", "per record", "of all off"),
        rows,
        [
            Bound("what on_lambda gives by default, of all off", least[DEFAULT] / off, at_most=1.04),
            Bound("metrics and log lines, of all off", least[WATCHED] / off, at_most=1.08),
            Bound("X-Ray at 1 %, of all off", least[XRAY] / off, at_most=1.15),
            Bound("OpenTelemetry at 1 %, of all off", least[OTEL] / off, at_most=1.15),
        ],
    )


def _send_segments_to(daemon: socket.socket) -> None:
    """So that the SDK works as it does beside its daemon, and decides by itself what to sample: everything."""
    from aws_xray_sdk.core import xray_recorder

    logging.getLogger("aws_xray_sdk").setLevel(logging.ERROR)
    xray_recorder.configure(
        service="bench", sampling=False, daemon_address=f"127.0.0.1:{daemon.getsockname()[1]}", plugins=()
    )
