"""`kstream consume --metrics-port`: what Prometheus fetches is what the terminal shows and what was done."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cloudwatch import read, total
from tests.support.commands import Running, kstream
from tests.support.processes import listeners, within_a_minute

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from kstream.local.emulator import Emulator

CONSUMER = """
from kstream import Consumer, Handler, Reject, Retry

class Notes(Handler):
    def process(self, record):
        self.telemetry.count("letters", len(record.data))
        if record.text() == "poison":
            raise Reject("never")

consumer = Consumer(Notes, retry=Retry(attempts=1))
"""


# The command itself; but no line may be lost at its end because the machine was slow for a moment.
PATIENT = """
from kstream.cli import main
from kstream.telemetry.lines_out import metrics_out

metrics_out()._patience = 60.0
main()
"""


@pytest.fixture
def arguments(emulator: Emulator, stream: str, tmp_path: Path) -> list[str]:
    (tmp_path / "notes.py").write_text(CONSUMER)
    return ["consume", "notes.py", "--stream", stream, "--endpoint-url", emulator.endpoint_url, "--hurry"]


def put(kinesis: KinesisClient, stream: str, *words: str) -> None:
    for word in words:
        kinesis.put_record(StreamName=stream, Data=word.encode(), PartitionKey="one")


def scraped(address: str) -> dict[str, float]:
    """The samples that Prometheus reads, by name; each has the labels of the one consumer."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        text = answer.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {(sample.labels["service"], sample.labels["consumer"]) for sample in samples} <= {("local", "Notes")}
    return {sample.name: sample.value for sample in samples}


def test_prometheus_fetches_what_the_consumer_did(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path
) -> None:
    put(kinesis, stream, "a", "poison", "bc")
    with Running(*arguments, "--metrics-port", "0", "--json", cwd=tmp_path) as running:
        running.wait_for("Metrics at ")
        address = re.findall(r"Metrics at (http://127\.0\.0\.1:\d+/metrics)", running.said)[0]
        assert {host for host, _ in listeners(running.process.pid)} == {"127.0.0.1"}
        found: dict[str, float] = {}

        def all_told() -> bool:
            """Its numbers come one after the other, the iterator's age last: once the runner has the batch's answer."""
            found.update(scraped(address))
            return (
                found.get("kstream_user_records_total") == found.get("kstream_record_age_seconds_count") == 3
                and found.get("kstream_records_succeeded_total") == 2
                and found.get("kstream_records_dead_lettered_total") == 1
                and found.get("letters_total") == 9
                and "kstream_iterator_age_seconds" in found
            )

        assert within_a_minute(all_told), found
        assert running.interrupt() == 0

    last = json.loads(running.said.splitlines()[-1])
    assert (last["received"], last["processed"], last["deadLettered"]) == (3, 2, 1)
    for field, name in {
        "received": "kstream_user_records_total",
        "processed": "kstream_records_succeeded_total",
        "rejected": "kstream_records_rejected_total",
        "deadLettered": "kstream_records_dead_lettered_total",
        "failed": "kstream_records_failed_total",
        "discarded": "kstream_records_discarded_total",
    }.items():
        assert found[name] == last[field], name
    assert found["kstream_record_age_seconds_count"] == 3
    assert found["letters_total"] == 9
    assert found["kstream_iterator_age_seconds"] >= 0
    assert last["recordAgeMaxSeconds"] >= last["recordAgeP99Seconds"] >= 0


def test_the_same_numbers_go_to_standard_output_where_that_is_set(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSTREAM_METRICS", "emf")
    monkeypatch.setenv("KSTREAM_SERVICE", "shop")
    put(kinesis, stream, "a", "poison", "bc")

    command = [sys.executable, "-c", PATIENT, *arguments, "--once-through", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True)

    *documents, counts = [
        line for line in done.stdout.splitlines() if line and ('"batches"' not in line or '"final":true' in line)
    ]
    points = [point for line in documents for point in read(line)]
    last = json.loads(counts)
    assert total(points, "RecordsSucceeded") == last["processed"] == 2
    assert total(points, "RecordsDeadLettered") == last["deadLettered"] == 1
    assert total(points, "letters") == 9
    assert {dict(point.series.dimensions)["stream"] for point in points} == {stream}


def test_a_port_that_is_taken_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = kstream(*arguments, "--metrics-port", str(port), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot serve metrics at 127.0.0.1:{port}")
    assert "or 0 for a free one" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_none_is_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    assert kstream(*arguments, "--metrics-port", "99999", cwd=tmp_path).returncode == 2
