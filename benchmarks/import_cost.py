"""What importing costs, each in a process of its own, over bare Python."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.result import Bound, Result

PROGRAMS = {
    "bare Python": "pass",
    "import kstream": "import kstream",
    "from kstream import Consumer, Handler, Record, Reject, on_lambda": (
        "from kstream import Consumer, Handler, Record, Reject, on_lambda"
    ),
    "from aws_lambda_powertools.utilities.batch import BatchProcessor": (
        "from aws_lambda_powertools.utilities.batch import BatchProcessor"
    ),
    "import aws_kinesis_agg.deaggregator": "import aws_kinesis_agg.deaggregator",
    "import boto3": "import boto3",
}


def run(*, quick: bool = False) -> Result:
    least = dict.fromkeys(PROGRAMS, float("inf"))
    for _ in range(5 if quick else 15):
        for name, program in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            least[name] = min(least[name], time.perf_counter() - start)
    bare = least.pop("bare Python")
    rows = [(name, f"{(seconds - bare) * 1000:.0f} ms") for name, seconds in least.items()]
    names = list(least)
    return Result(
        "Import, over bare Python",
        ("program", "cost"),
        rows,
        [
            Bound("import kstream, ms", (least[names[0]] - bare) * 1000, at_most=40),
            Bound("a consumer's imports, ms", (least[names[1]] - bare) * 1000, at_most=40),
        ],
    )
