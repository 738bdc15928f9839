"""An I/O-bound async handler, 1 ms a record, 10,000 records over 1,000 keys: one by one, and 64 keys side by side."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response

from benchmarks.events import FIRST_SEQUENCE, Context, plain_event
from benchmarks.result import Bound, Result
from kstream import Consumer, Handler, on_lambda

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

    from kstream import Record

RECORDS, KEYS, SECONDS = 10_000, 1_000, 0.001


class Wait(Handler):
    """Waits as a call over the network would, and remembers in which order each key's records came."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)

    async def process(self, record: Record) -> None:
        await asyncio.sleep(SECONDS)
        self.seen[record.partition_key].append(int(record.sequence_number))


def run(*, quick: bool = False) -> Result:
    records = RECORDS // 5 if quick else RECORDS
    event = plain_event(records)
    for index, entry in enumerate(event["Records"]):
        entry["kinesis"]["partitionKey"] = f"k-{index % KEYS}"
    rounds = [(_kstream(event, max_workers=1), _kstream(event, max_workers=64), _powertools(event)) for _ in range(2)]
    # The least time of each, as everywhere here; order must have held every time.
    one_by_one, side_by_side, peer = (min(seconds for seconds, _ in runs) for runs in zip(*rounds, strict=True))
    _, ordered, peer_ordered = (all(kept for _, kept in runs) for runs in zip(*rounds, strict=True))
    rows = [
        ("kstream, max_workers=1", f"{one_by_one:.2f} s", "1.0", "yes"),
        ("kstream, max_workers=64", f"{side_by_side:.2f} s", f"{one_by_one / side_by_side:.1f}", _yes(ordered)),
        ("Powertools AsyncBatchProcessor", f"{peer:.2f} s", f"{one_by_one / peer:.1f}", _yes(peer_ordered)),
    ]
    return Result(
        f"{records:,} records over {KEYS:,} keys, an async handler of 1 ms each",
        ("contender", "time", "times as fast", "order per key kept"),
        rows,
        [
            Bound("64 keys side by side, of one by one", one_by_one / side_by_side, at_least=40),
            Bound("order per key kept", float(ordered), at_least=1),
        ],
    )


def _kstream(event: dict[str, Any], *, max_workers: int) -> tuple[float, bool]:
    handler = Wait()
    lambda_handler = on_lambda(Consumer(handler, ordering="partition_key", max_workers=max_workers))
    lambda_handler({"Records": event["Records"][:64]}, Context())
    handler.seen.clear()
    start = time.perf_counter()
    lambda_handler(event, Context())
    return time.perf_counter() - start, _in_order(handler.seen)


def _powertools(event: dict[str, Any]) -> tuple[float, bool]:
    """Its records of a key all run at once, so here each waits a little less than the one before it, as calls may."""
    seen: dict[str, list[int]] = defaultdict(list)

    async def wait(record: KinesisStreamRecord) -> None:
        sequence = int(record.kinesis.sequence_number)
        await asyncio.sleep(SECONDS * (1.5 - (sequence - FIRST_SEQUENCE) / len(event["Records"])))
        base64.b64decode(record.kinesis.data)
        seen[record.kinesis.partition_key].append(sequence)

    processor = AsyncBatchProcessor(event_type=EventType.KinesisDataStreams)
    start = time.perf_counter()
    async_process_partial_response(event=event, record_handler=wait, processor=processor)
    return time.perf_counter() - start, _in_order(seen)


def _in_order(seen: dict[str, list[int]]) -> bool:
    return all(sequences == sorted(sequences) for sequences in seen.values())


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
