"""An event of 10,000 plain JSON records through ``on_lambda``, beside a bare loop and Powertools."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from benchmarks.events import Context, plain_event
from benchmarks.result import Bound, Result
from benchmarks.rounds import least_times
from kstream import Consumer, Handler, MemoryLedger, SQLiteLedger, on_lambda

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

    from kstream import Record

RECORDS = 10_000


class ReadJson(Handler):
    def process(self, record: Record) -> None:
        record.json()


def run(*, quick: bool = False) -> Result:
    event, context = plain_event(RECORDS), Context()
    powertools = BatchProcessor(event_type=EventType.KinesisDataStreams)

    def bare_loop() -> None:
        for entry in event["Records"]:
            json.loads(base64.b64decode(entry["kinesis"]["data"]))

    def read_json(record: KinesisStreamRecord) -> None:
        record.kinesis.data_as_json()

    with tempfile.TemporaryDirectory() as folder:
        by_shard = on_lambda(Consumer(ReadJson))
        by_key = on_lambda(Consumer(ReadJson, ordering="partition_key"))
        in_memory = on_lambda(Consumer(ReadJson, ordering="partition_key", ledger=MemoryLedger()))
        ledger = SQLiteLedger(Path(folder, "ledger.sqlite"))
        in_sqlite = on_lambda(Consumer(ReadJson, ordering="partition_key", ledger=ledger))
        contenders = {
            "bare loop: base64 + json.loads": bare_loop,
            "kstream, ordering=shard": lambda: by_shard(event, context),
            "kstream, ordering=partition_key": lambda: by_key(event, context),
            "kstream, partition_key, MemoryLedger": lambda: in_memory(event, context),
            "kstream, partition_key, SQLiteLedger": lambda: in_sqlite(event, context),
            "Powertools process_partial_response": lambda: process_partial_response(
                event=event, record_handler=read_json, processor=powertools
            ),
        }
        least = least_times(contenders, 7 if quick else 25)
        ledger.close()
    names = list(contenders)
    bare, shard, key, memory, sqlite, peer = (least[name] for name in names)
    rows = [
        (name, f"{seconds * 1000:.1f} ms", f"{seconds / RECORDS * 1e6:.2f} us", f"{seconds / bare:.2f}")
        for name, seconds in least.items()
    ]
    return Result(
        "10,000 plain JSON records of 200 bytes through on_lambda",
        ("contender", "time", "per record", "of bare loop"),
        rows,
        [
            Bound("kstream, of a bare loop", shard / bare, at_most=1.25),
            Bound("kstream by key, of a bare loop", key / bare, at_most=1.25),
            Bound("kstream, of Powertools", max(shard, key) / peer, at_most=1.0),
            Bound("sparse ledger in memory, of none", memory / key, at_most=1.15),
            Bound("sparse ledger in SQLite, of none", sqlite / key, at_most=1.15),
        ],
    )
