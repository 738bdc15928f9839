"""kstream's own peak allocation over an event of 10,000 records, beside the event's size."""

from __future__ import annotations

import gc
import json
import tracemalloc

from benchmarks.events import Context, aggregated_event, plain_event
from benchmarks.plain_batch import ReadJson
from benchmarks.result import Bound, Result
from kstream import Consumer, on_lambda


def run(*, quick: bool = False) -> Result:  # noqa: ARG001 - one run tells
    rows, bounds = [], []
    for name, event in (("plain", plain_event()), ("aggregated", aggregated_event())):
        size = len(json.dumps(event))
        lambda_handler = on_lambda(Consumer(ReadJson, ordering="partition_key"))
        lambda_handler(event, Context())
        gc.collect()
        tracemalloc.start()
        lambda_handler(event, Context())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append((name, f"{size / 1e6:.2f} MB", f"{peak / 1e6:.2f} MB", f"{peak / size:.2f}"))
        bounds.append(Bound(f"peak over the {name} event, of its JSON", peak / size, at_most=1.0))
    return Result("Peak allocation over 10,000 user records", ("event", "JSON", "peak", "of the JSON"), rows, bounds)
