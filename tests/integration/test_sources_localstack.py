"""Consumers of a table's stream and of a FIFO queue on LocalStack: deployed, and delivered to by its own mappings."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.deployed import place
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.deployed import Place
    from tests.support.localstack.clients import Clients

CONSUMER = """
import json, os, uuid

import boto3

from kstream import Consumer, Handler, Reject, Retry, on_lambda

sqs = boto3.client("sqs")


class Tells(Handler):
    \"\"\"Tells what it did. What is flaky fails in its first delivery.\"\"\"

    tried = set()

    def process(self, record):
        said = record.json()
        if "dynamodb" in said:
            said = {name: value["S"] for name, value in said["dynamodb"]["NewImage"].items()}
        if said["kind"] == "poison":
            raise Reject("poison")
        if said["kind"] == "flaky" and record.id not in self.tried:
            self.tried.add(record.id)
            raise ConnectionError
        body = json.dumps([record.partition_key, said["id"], record.headers.get("tenant")])
        sqs.send_message(
            QueueUrl=os.environ["SEEN"], MessageBody=body, MessageGroupId="all", MessageDeduplicationId=str(uuid.uuid4())
        )


lambda_handler = on_lambda(Consumer(Tells, name=os.environ["AWS_LAMBDA_FUNCTION_NAME"], ordering="partition_key",
                                    retry=Retry(attempts=1)))
"""

PIPELINE = """
name = "{{name}}"
account = "000000000000"
lock = "{{root}}/requirements/function.lock"

[monitoring]
enabled = false

[consumers.changes]
handler = "tells.lambda_handler"
table_stream_arn = "{table}"
runtime = "python3.11"
tracing = false
timeout_seconds = 5
environment = {{{{ SEEN = "{seen_changes}" }}}}

[consumers.jobs]
handler = "tells.lambda_handler"
queue_arn = "{queue}"
runtime = "python3.11"
tracing = false
timeout_seconds = 5
environment = {{{{ SEEN = "{seen_jobs}" }}}}
"""

KINDS = ["good", "flaky", "good", "poison", "good"]


@pytest.fixture
def name() -> str:
    """For what the test makes: no other test has it."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def queues(localstack_session: Clients, name: str) -> Iterator[Callable[..., str]]:
    """Makes FIFO queues that end with the test."""
    sqs = localstack_session.client("sqs")
    made: list[str] = []

    def make(what: str, **attributes: str) -> str:
        attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        made.append(sqs.create_queue(QueueName=f"{name}-{what}.fifo", Attributes=attributes)["QueueUrl"])
        return made[-1]

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def table(localstack_session: Clients, name: str) -> Iterator[dict[str, Any]]:
    dynamodb = localstack_session.client("dynamodb")
    yield dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def pipeline(
    tmp_path: Path,
    localstack: str,
    localstack_session: Clients,
    queues: Callable[..., str],
    table: dict[str, Any],
) -> Iterator[tuple[Place, dict[str, str]]]:
    """And the URLs of its queues."""
    sqs = localstack_session.client("sqs")
    urls = {what: queues(what) for what in ("seen-changes", "seen-jobs")}
    # Shorter than what AWS asks for: a message that failed is to come back within the test.
    urls["jobs"] = queues("jobs", VisibilityTimeout="6")
    arn = sqs.get_queue_attributes(QueueUrl=urls["jobs"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    (tmp_path / "tells.py").write_text(CONSUMER)
    text = PIPELINE.format(
        table=table["LatestStreamArn"], queue=arn, seen_changes=urls["seen-changes"], seen_jobs=urls["seen-jobs"]
    )
    with place(tmp_path, localstack, localstack_session, text) as made:
        assert made.run("up") == 0
        yield made, urls


def told(session: Clients, url: str, count: int) -> list[Any]:
    sqs = session.client("sqs")
    found: list[Any] = []

    def enough() -> bool:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", ()):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    assert within_a_minute(enough), f"only {found}"
    return found


def test_messages_and_changes_are_processed_once_in_order_and_poison_is_parked(
    pipeline: tuple[Place, dict[str, str]], table: dict[str, Any], localstack_session: Clients
) -> None:
    made, urls = pipeline
    sqs, dynamodb = localstack_session.client("sqs"), localstack_session.client("dynamodb")
    for number, kind in enumerate(KINDS):
        for group in ("a", "b"):
            sqs.send_message(
                QueueUrl=urls["jobs"],
                MessageBody=json.dumps({"id": f"{group}{number}", "kind": kind if group == "a" else "good"}),
                MessageGroupId=group,
                MessageAttributes={"tenant": {"DataType": "String", "StringValue": "blue"}},
            )
        item = {"id": {"S": f"i{number}"}, "kind": {"S": kind}}
        dynamodb.put_item(TableName=table["TableName"], Item=item)

    jobs = told(localstack_session, urls["seen-jobs"], 9)
    changes = told(localstack_session, urls["seen-changes"], 4)

    assert [message for message in jobs if message[0] == "a"] == [["a", f"a{n}", "blue"] for n in (0, 1, 2, 4)]
    assert [message for message in jobs if message[0] == "b"] == [["b", f"b{n}", "blue"] for n in range(5)]
    assert sorted(changes) == [
        [json.dumps({"id": {"S": f"i{n}"}}, separators=(",", ":")), f"i{n}", None] for n in (0, 1, 2, 4)
    ]
    for consumer, poison in (("jobs", "a3"), ("changes", "i3")):
        (letter, *_) = made.messages(made.output(f"consumer-{consumer}", "DeadLettersUrl"))
        payload = json.loads(base64.b64decode(letter["record"]["data"]))
        assert (letter["reason"], letter["record"]["shardId"]) == ("poison", "")
        assert payload.get("id", payload.get("dynamodb", {}).get("Keys", {}).get("id")) in (poison, {"S": poison})
