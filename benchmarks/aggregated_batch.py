"""100 KPL aggregates of 100 records through ``on_lambda``, beside aws-kinesis-agg's de-aggregation alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_kinesis_agg.deaggregator import deaggregate_records

from benchmarks.events import Context, aggregated_event
from benchmarks.result import Bound, Result
from benchmarks.rounds import least_times
from kstream import Consumer, Handler, on_lambda

if TYPE_CHECKING:
    from kstream import Record

USER_RECORDS = 10_000


class ReadData(Handler):
    def process(self, record: Record) -> None:
        record.data  # noqa: B018 - reading is the work


def run(*, quick: bool = False) -> Result:
    event, context = aggregated_event(), Context()
    lambda_handler = on_lambda(Consumer(ReadData, ordering="partition_key"))
    contenders = {
        "aws-kinesis-agg, de-aggregation alone": lambda: deaggregate_records(event["Records"]),
        "kstream, on_lambda and a handler": lambda: lambda_handler(event, context),
    }
    least = least_times(contenders, 7 if quick else 25)
    peer, ours = least.values()
    rows = [
        (name, f"{seconds * 1000:.1f} ms", f"{USER_RECORDS / seconds:,.0f}/s", f"{peer / seconds:.2f}")
        for name, seconds in least.items()
    ]
    return Result(
        "100 aggregates of 100 user records",
        ("contender", "time", "user records", "speed, of aws-kinesis-agg"),
        rows,
        [Bound("kstream's speed, of aws-kinesis-agg", peer / ours, at_least=1.7)],
    )
