"""Each role allows exactly what the code calls: recorded from botocore while kstream's stores and the consumers work."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from consumers.archive.consumer import Archive
from consumers.flights import table_consumer
from deploy import permissions
from deploy.config import load, parse
from deploy.permissions import Caller, grants
from deploy.synthesis import stacks
from kstream import (
    Consumer,
    DynamoDBLedger,
    DynamoDBTransaction,
    Handler,
    KinesisDeadLetters,
    Reject,
    S3DeadLetters,
    SQSDeadLetters,
    TransactionalHandler,
    on_lambda,
)
from kstream.core.ports import Scope
from kstream.testing.events import LambdaContext, kinesis_event
from tests.golden.deploy import ROOT

if TYPE_CHECKING:
    from deploy.config import Pipeline
    from kstream import Record
    from kstream.local.emulator import Emulator

_IN_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


class Recorder:
    """Clients that tell which IAM actions their calls need, and on what."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.calls: set[tuple[str, str]] = set()

    def client(self, service: str) -> Any:
        client: Any = boto3.client(service, endpoint_url=self._emulator.endpoint_url)  # type: ignore[call-overload]
        client.meta.events.register("provide-client-params", self._saw)
        return client

    def _saw(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.endpoint_prefix
        name = model.name
        if name == "TransactWriteItems":
            # IAM knows no such action: each part of the transaction needs its own.
            for part in params["TransactItems"]:
                ((kind, request),) = part.items()
                self.calls.add((f"dynamodb:{_IN_A_TRANSACTION[kind]}", request["TableName"]))
        elif name in ("BatchWriteItem", "BatchGetItem"):
            self.calls |= {(f"dynamodb:{name}", table) for table in params["RequestItems"]}
        else:
            names = ("TableName", "QueueUrl", "Bucket", "StreamName")
            self.calls.add(
                (f"{service}:{name}", next(params[key] for key in names if key in params).rpartition("/")[2])
            )

    @property
    def actions(self) -> set[str]:
        return {action for action, _ in self.calls}


@pytest.fixture
def recorder(emulator: Emulator) -> Recorder:
    return Recorder(emulator)


@pytest.fixture
def unique() -> str:
    return f"deploy-{uuid.uuid4().hex[:12]}"


class Writes(TransactionalHandler[DynamoDBTransaction]):
    def idempotency_key(self, record: Record) -> str:
        return record.text()

    def process(self, record: Record, transaction: DynamoDBTransaction) -> None: ...


class Rejects(Handler):
    def process(self, record: Record) -> None:
        raise Reject("no")


def park(sink: Any, *payloads: bytes) -> None:
    """Dead letters as a function parks them."""
    on_lambda(Consumer(Rejects, dead_letters=sink))(kinesis_event([(data, "k") for data in payloads]), LambdaContext())


def test_the_ledger_calls_what_its_grant_names(emulator: Emulator, recorder: Recorder, unique: str) -> None:
    DynamoDBLedger(unique, endpoint_url=emulator.endpoint_url).create_table()
    ledger = DynamoDBLedger(unique, client=recorder.client("dynamodb"))
    scope = Scope("consumer", "arn:aws:kinesis:us-east-1:000000000000:stream/s", "shardId-000000000000")
    ledger.save(scope, {1: 1})
    ledger.save(scope, {number << 64: 1 for number in range(1, 60)})
    ledger.load(scope, 1, 1 << 80)
    ledger.save_keys(scope, ["a", "b"])
    ledger.load_keys(scope, ["a", "b"])
    lambda_handler = on_lambda(Consumer(Writes, ledger=ledger))
    assert lambda_handler(kinesis_event([(b"1", "k"), (b"2", "k")]), LambdaContext()) == {"batchItemFailures": []}

    assert recorder.actions == set(permissions.LEDGER)


def test_dead_letters_call_what_their_grants_name(emulator: Emulator, unique: str) -> None:
    url = boto3.client("sqs", endpoint_url=emulator.endpoint_url).create_queue(QueueName=unique)["QueueUrl"]
    boto3.client("s3", endpoint_url=emulator.endpoint_url).create_bucket(Bucket=unique)
    boto3.client("kinesis", endpoint_url=emulator.endpoint_url).create_stream(StreamName=unique, ShardCount=1)
    queue, bucket, stream = Recorder(emulator), Recorder(emulator), Recorder(emulator)
    # The large one makes a sink ask how much it may send.
    payloads = (b"small", b"x" * 900_000)
    park(SQSDeadLetters(url, client=queue.client("sqs")), *payloads)
    park(S3DeadLetters(unique, client=bucket.client("s3")), *payloads)
    park(KinesisDeadLetters(unique, client=stream.client("kinesis")), *payloads)

    assert queue.actions == set(permissions.LETTERS_TO_QUEUE)
    assert bucket.actions == set(permissions.LETTERS_TO_BUCKET)
    assert stream.actions == set(permissions.LETTERS_TO_STREAM)


def allowed_to_code(pipeline: Pipeline, name: str) -> dict[str, set[str]]:
    """By the grant's name."""
    return {grant.sid: set(grant.actions) for grant in grants(pipeline, name) if grant.caller is Caller.CODE}


def test_the_archive_calls_what_its_role_allows(emulator: Emulator, recorder: Recorder, unique: str) -> None:
    boto3.client("s3", endpoint_url=emulator.endpoint_url).create_bucket(Bucket=unique)
    handler = on_lambda(Consumer(Archive(unique, "flights/", client=recorder.client("s3"))))
    assert handler(kinesis_event([(b"1", "k")]), LambdaContext()) == {"batchItemFailures": []}

    allowed = allowed_to_code(load(ROOT / "pipeline.toml"), "archive")
    assert allowed.keys() == {"DeadLetters", "Use1S3"}
    assert allowed["DeadLetters"] == set(permissions.LETTERS_TO_QUEUE)
    assert recorder.actions == allowed["Use1S3"]


def test_the_flights_consumer_calls_what_its_role_allows(
    emulator: Emulator, recorder: Recorder, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    DynamoDBLedger(unique, endpoint_url=emulator.endpoint_url).create_table()
    delays = f"{unique}-delays"
    boto3.client("dynamodb", endpoint_url=emulator.endpoint_url).create_table(
        TableName=delays,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("carrier", "day")],
        KeySchema=[
            {"AttributeName": "carrier", "KeyType": "HASH"},
            {"AttributeName": "day", "KeyType": "RANGE"},
        ],
    )
    monkeypatch.setenv(table_consumer.TABLE, delays)
    ledger = DynamoDBLedger(unique, client=recorder.client("dynamodb"))
    handler = on_lambda(Consumer(table_consumer.FlightDelaysInTable, ledger=ledger))
    flight = {"carrier": "UA", "year": 2013, "month": 1, "day": 1, "distance": 5, "dep_time": 517, "dep_delay": 2}
    late = {**flight, "dep_delay": 40}
    gone = {**flight, "dep_time": None, "dep_delay": None}
    event = kinesis_event([(json.dumps(one).encode(), "k") for one in (flight, late, gone)])
    assert handler(event, LambdaContext()) == {"batchItemFailures": []}
    # Once more: what is done is not done again.
    assert handler(event, LambdaContext()) == {"batchItemFailures": []}

    allowed = allowed_to_code(load(ROOT / "pipeline.toml"), "delays")
    assert allowed.keys() == {"Ledger", "DeadLetters", "Use1Dynamodb"}
    assert {action for action, table in recorder.calls if table == delays} == allowed["Use1Dynamodb"]
    assert {action for action, table in recorder.calls if table == unique} <= allowed["Ledger"]
    found = boto3.client("dynamodb", endpoint_url=emulator.endpoint_url).get_item(
        TableName=delays, Key={"carrier": {"S": "UA"}, "day": {"S": "2013-01-01"}}
    )["Item"]
    assert [found[name]["N"] for name in ("flights", "departures", "delay_minutes")] == ["3", "2", "42"]


@pytest.mark.parametrize(
    ("consumer", "actions"),
    [
        ({"ledger": "none", "dead_letters": "none"}, set()),
        ({"dead_letters": "none"}, set(permissions.LEDGER)),
        ({"ledger": "none", "dead_letters": "queue"}, set(permissions.LETTERS_TO_QUEUE)),
        ({"ledger": "none", "dead_letters": "bucket:b"}, set(permissions.LETTERS_TO_BUCKET)),
        ({"ledger": "none", "dead_letters": "stream:letters"}, set(permissions.LETTERS_TO_STREAM)),
        ({}, {*permissions.LEDGER, *permissions.LETTERS_TO_QUEUE}),
    ],
)
def test_a_role_allows_the_code_what_its_stores_call_and_nothing_else(
    consumer: dict[str, Any], actions: set[str]
) -> None:
    """What is not the code's is what Lambda itself does with the role."""
    lambdas_own = {
        *permissions.POLL_KINESIS, "sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents",
        "xray:PutTelemetryRecords", "xray:PutTraceSegments",
    }  # fmt: skip
    table = {
        "name": "shop",
        "streams": {"orders": {}, "letters": {}},
        "buckets": {"b": {}},
        "consumers": {"totals": {"stream": "orders", "handler": "a.b", **consumer}},
    }
    (stack,) = (stack for stack in stacks(parse(table)) if stack.role == "consumer-totals")
    (policy,) = stack.template["Resources"]["Role"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]

    assert {action for one in statements for action in one["Action"]} == actions | lambdas_own
    assert all(one["Effect"] == "Allow" and "*" not in "".join(one["Action"]) for one in statements)
    # X-Ray knows no resources; everything else is named.
    assert [one["Sid"] for one in statements if "*" in one["Resource"]] == ["Traces"]
