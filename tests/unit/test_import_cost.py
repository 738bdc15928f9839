"""What an import brings along, told by the modules and not by the clock."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "aws_xray_sdk",
    "boto3",
    "botocore",
    "concurrent",
    "google",
    "httpx",
    "rich",
    "sqlite3",
    "tenacity",
    "typer",
    "uvicorn",
}

LAMBDA = """
import json
from kstream import Consumer, Handler, Record, Reject, on_lambda

class Totals(Handler):
    def process(self, record: Record) -> None:
        total = record.json()

event = {"Records": [{
    "kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "k", "sequenceNumber": str(n), "data": "e30=",
                "approximateArrivalTimestamp": 1700000000.5},
    "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": f"shardId-0:{n}", "awsRegion": "us-east-1",
    "eventName": "aws:kinesis:record", "eventSourceARN": "arn:aws:kinesis:us-east-1:0:stream/s"} for n in range(3)]}
assert on_lambda(Consumer(Totals, ordering="partition_key"))(event, None) == {"batchItemFailures": []}
"""


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after this code, and did not hold before."""
    program = (
        f"import sys, json; before = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    # -I: as in Lambda, neither the environment nor the working directory decides what is importable beside the package.
    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "code",
    ["import kstream", "from kstream import Consumer, Handler, Record, Reject, on_lambda", LAMBDA],
    ids=["the package", "a consumer's names", "a Lambda run"],
)
def test_a_plain_consumer_pays_for_nothing_it_does_not_use(code: str) -> None:
    assert {name for name in modules_after(code) if name.partition(".")[0] in HEAVY} == set()


def test_the_package_itself_loads_next_to_nothing() -> None:
    loaded = {name for name in modules_after("import kstream") if name.startswith("kstream")}
    assert loaded == {"kstream", "kstream.lazy_names"}


def test_the_codec_is_loaded_by_the_first_aggregate_and_envelopes_and_other_sources_by_the_first_of_them() -> None:
    others = ("kstream.runtimes.change_event", "kstream.runtimes.queue_event")
    for module in ("kstream.core.aggregation", "kstream.core.envelope", *others):
        assert not any(name.startswith(module) for name in modules_after(LAMBDA))


def test_a_breaker_and_threads_are_loaded_by_the_first_consumer_that_has_them() -> None:
    modules = {"kstream.core.breaker", "kstream.core.threads"}
    assert not modules & modules_after(LAMBDA)
    has_them = 'ordering="partition_key", breaker=__import__("kstream").CircuitBreaker(), max_workers=2'
    assert modules <= modules_after(LAMBDA.replace('ordering="partition_key"', has_them))


def test_what_a_consumer_does_use_is_loaded() -> None:
    """So that the tests above cannot pass by looking in the wrong place."""
    failing = LAMBDA.replace("total = record.json()", "raise OSError").replace(
        'ordering="partition_key")', 'ordering="none", retry=__import__("kstream").Retry(base=0))'
    )
    found = modules_after(failing.replace('== {"batchItemFailures": []}', '!= {"batchItemFailures": []}'))
    assert "tenacity" in found
    assert "asyncio" in modules_after(LAMBDA.replace("def process", "async def process"))
