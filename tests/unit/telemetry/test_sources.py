"""What is told of batches that come from a table or a queue: its name, and no shard, for their events name none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kstream import Consumer, Handler, Retry, on_lambda
from kstream.telemetry.metrics import Metrics
from kstream.testing import LambdaContext, VirtualClock, dynamodb_event, sqs_event
from tests.support.tracers import OTelTracer, xray_tracer

if TYPE_CHECKING:
    from kstream import Record

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

MESSAGES = sqs_event(["one", "two"])
MESSAGES["Records"][1]["attributes"]["AWSTraceHeader"] = TRACE
MESSAGE_IDS = [message["messageId"] for message in MESSAGES["Records"]]
CHANGES = dynamodb_event([{"id": "a"}, {"id": "b"}], first_sequence_number=10**20)
NUMBERS = [str(10**20), str(10**20 + 1)]

BOTH = pytest.mark.parametrize(("event", "ids"), [(MESSAGES, MESSAGE_IDS), (CHANGES, NUMBERS)], ids=["queue", "table"])


class SecondFails(Handler):
    def process(self, record: Record) -> None:
        if record.sequence_number in (MESSAGE_IDS[1], NUMBERS[1]):
            raise RuntimeError("no")


def run(event: dict[str, Any], telemetry: Any) -> None:
    function = on_lambda(
        Consumer(SecondFails, name="totals", retry=Retry(attempts=1), telemetry=telemetry), clock=VirtualClock()
    )
    function(event, LambdaContext())


@BOTH
def test_metrics(event: dict[str, Any], ids: list[str]) -> None:
    lines: list[str] = []
    clock = VirtualClock(1_700_000_010.0)
    run(event, Metrics(service="shop", write=lines.append, time=clock.time))
    [document] = map(json.loads, lines)
    assert (document["stream"], document["consumer"]) == ("test", "totals")
    assert [document[f"{which}_sequence_number"] for which in ("first", "last")] == ids
    assert document["checkpoint"] == ids[1]
    assert "shard" not in document
    assert document["CheckpointLag"] > 0


@pytest.mark.parametrize(
    ("event", "system", "ids"),
    [(MESSAGES, "aws_sqs", MESSAGE_IDS), (CHANGES, "aws.dynamodb", NUMBERS)],
    ids=["queue", "table"],
)
def test_spans(event: dict[str, Any], system: str, ids: list[str]) -> None:
    tracer = OTelTracer()
    run(event, tracer.telemetry(sample_rate=0))
    record, batch = tracer.exporter.get_finished_spans()
    assert (record.name, batch.name) == ("process test", "process_batch test")
    facts = dict(batch.attributes or {})
    assert facts["messaging.system"] == system
    assert facts["messaging.destination.name"] == "test"
    assert not {"messaging.destination.partition.id", "aws.kinesis.stream_name"} & facts.keys()
    assert dict(record.attributes or {})["messaging.message.id"] == f"{ids[1]}:0"
    assert [format(link.context.trace_id, "032x") for link in record.links] == (
        ["5759e988bd862e3fe1be46a994272793"] if system == "aws_sqs" else []
    )


@BOTH
def test_x_ray(event: dict[str, Any], ids: list[str]) -> None:
    with xray_tracer() as tracer:
        run(event, tracer.telemetry(sample_rate=0))
        found = [
            document for document in tracer.daemon.documents() if "first_sequence_number" in document["annotations"]
        ]
    [batch] = found
    assert batch["annotations"]["stream"] == "test"
    assert batch["annotations"]["first_sequence_number"] == ids[0]
    assert "shard" not in batch["annotations"]
    assert "undone" not in batch["metadata"]["kstream"]["outcome"]
