"""An I/O-bound async handler, 1 ms a record, 10,000 records over 1,000 keys: one by one, and 64 keys side by side."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response

from benchmarks.events import Context, plain_event
from benchmarks.result import Bound, Result
from kstream import Consumer, Handler, on_lambda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

    from kstream import Record

RECORDS, KEYS, SECONDS = 10_000, 1_000, 0.001


class Calls:
    """Each waits as a call over the network would. Knows in which order they ended, and how many of a key ran at once."""

    def __init__(self) -> None:
        self.most = 0
        self._running: dict[str, int] = defaultdict(int)
        self._made: dict[str, list[int]] = defaultdict(list)

    async def call(self, key: str, sequence: int) -> None:
        running = self._running[key] = self._running[key] + 1
        if running > self.most:
            self.most = running
        await asyncio.sleep(SECONDS)
        self._running[key] -= 1
        self._made[key].append(sequence)

    @property
    def in_order(self) -> bool:
        """Two calls that run at once end in either order: that one ended first this time is luck."""
        return self.most == 1 and all(sequences == sorted(sequences) for sequences in self._made.values())


class Calling(Handler):
    def __init__(self) -> None:
        self.calls = Calls()

    async def process(self, record: Record) -> None:
        await self.calls.call(record.partition_key, int(record.sequence_number))


def run(*, quick: bool = False) -> Result:
    records = RECORDS // 5 if quick else RECORDS
    event = plain_event(records)
    for index, entry in enumerate(event["Records"]):
        entry["kinesis"]["partitionKey"] = f"k-{index % KEYS}"
    rounds = [(_kstream(event, max_workers=1), _kstream(event, max_workers=64), _powertools(event)) for _ in range(2)]
    # The least time of each, as everywhere here; order must have held every time.
    one_by_one, side_by_side, peer = (min(seconds for seconds, _ in runs) for runs in zip(*rounds, strict=True))
    calls = [[made for _, made in runs] for runs in zip(*rounds, strict=True)]
    names = ("kstream, max_workers=1", "kstream, max_workers=64", "Powertools AsyncBatchProcessor")
    rows = [
        (name, f"{seconds:.2f} s", f"{one_by_one / seconds:.1f}", str(max(one.most for one in made)), _kept(made))
        for name, seconds, made in zip(names, (one_by_one, side_by_side, peer), calls, strict=True)
    ]
    return Result(
        f"{records:,} records over {KEYS:,} keys, an async handler of 1 ms each",
        ("contender", "time", "times as fast", "records of a key at once", "order per key kept"),
        rows,
        [
            Bound("64 keys side by side, of one by one", one_by_one / side_by_side, at_least=40),
            Bound("order per key kept", float(all(made.in_order for made in calls[1])), at_least=1),
        ],
    )


def _kstream(event: dict[str, Any], *, max_workers: int) -> tuple[float, Calls]:
    handler = Calling()
    lambda_handler = on_lambda(Consumer(handler, ordering="partition_key", max_workers=max_workers))
    lambda_handler({"Records": event["Records"][:64]}, Context())
    handler.calls = Calls()
    start = time.perf_counter()
    lambda_handler(event, Context())
    return time.perf_counter() - start, handler.calls


def _powertools(event: dict[str, Any]) -> tuple[float, Calls]:
    calls = Calls()

    async def call(record: KinesisStreamRecord) -> None:
        await calls.call(record.kinesis.partition_key, int(record.kinesis.sequence_number))

    processor = AsyncBatchProcessor(event_type=EventType.KinesisDataStreams)
    start = time.perf_counter()
    async_process_partial_response(event=event, record_handler=call, processor=processor)
    return time.perf_counter() - start, calls


def _kept(made: Sequence[Calls]) -> str:
    return "yes" if all(calls.in_order for calls in made) else "no"
