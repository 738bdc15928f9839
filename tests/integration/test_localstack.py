"""What the project needs of LocalStack, on our own or on the one of --localstack-endpoint: one check for each."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.support.localstack.functions import zipped
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from tests.support.localstack.clients import Clients

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture
def name() -> str:
    """For what a test makes: no other test has it."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def kinesis(localstack_session: Clients) -> KinesisClient:
    client: KinesisClient = localstack_session.client("kinesis")
    return client


@pytest.fixture
def stream(kinesis: KinesisClient, name: str) -> Iterator[str]:
    """The name of a new stream of one shard."""
    make_stream(kinesis, name)
    yield name
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


@pytest.fixture
def sqs(localstack_session: Clients) -> SQSClient:
    client: SQSClient = localstack_session.client("sqs")
    return client


@pytest.fixture
def queue(sqs: SQSClient, name: str) -> Iterator[str]:
    """The URL of a new queue."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def role(localstack_session: Clients, name: str) -> Iterator[str]:
    """The ARN of a role that functions and APIs may assume."""
    iam = localstack_session.client("iam")
    yield iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.delete_role(RoleName=name)


@pytest.fixture
def deploy(localstack_session: Clients, role: str, name: str) -> Iterator[Callable[..., str]]:
    """Makes a function of a module's source, ready to be invoked, and returns its name. One for each test."""
    client = localstack_session.client("lambda")
    made = []

    def deploy(source: str, *, timeout_s: int = 20, **variables: str) -> str:
        client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": zipped(source)},
            Timeout=timeout_s,
            Environment={"Variables": variables},
        )
        made.append(name)
        assert within_a_minute(lambda: client.get_function(FunctionName=name)["Configuration"]["State"] == "Active")
        return name

    yield deploy
    for function in made:
        client.delete_function(FunctionName=function)


def make_stream(kinesis: KinesisClient, name: str) -> None:
    kinesis.create_stream(StreamName=name, ShardCount=1)
    assert within_a_minute(lambda: state_of(kinesis, name) == "ACTIVE")


def state_of(kinesis: KinesisClient, name: str) -> str:
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"]


def records_of(kinesis: KinesisClient, stream: str) -> list[tuple[str, bytes]]:
    """The partition key and data of each record."""
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return [(record["PartitionKey"], record["Data"]) for record in records]


def received(sqs: SQSClient, queue: str, count: int) -> list[Any]:
    """The first messages of a queue, as JSON, in the order in which they came."""
    bodies: list[Any] = []

    def enough() -> bool:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        bodies.extend(json.loads(message["Body"]) for message in messages)
        return len(bodies) >= count

    assert within_a_minute(enough), f"only {bodies}"
    return bodies


def invoke(session: Clients, function: str, event: object = None) -> tuple[Any, str | None, str]:
    """What the function answered, the kind of its error, and the end of its log."""
    answer = session.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
    log = base64.b64decode(answer["LogResult"]).decode() if "LogResult" in answer else ""
    return json.loads(answer["Payload"].read()), answer.get("FunctionError"), log


def test_it_is_the_release_that_we_know(localstack: str) -> None:
    assert httpx.get(f"{localstack}/_localstack/health", timeout=60).json()["version"].startswith("4.14.0")


def test_records_put_into_a_stream_are_read_from_it(kinesis: KinesisClient, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"\x00\xff", PartitionKey="\N{SNOWMAN}")

    assert records_of(kinesis, stream) == [("\N{SNOWMAN}", b"\x00\xff")]


def test_a_deployed_function_runs_in_lambdas_surroundings(
    localstack_session: Clients, deploy: Callable[..., str]
) -> None:
    """With its own variables, its role's credentials, a deadline, Lambda's boto3, and its output in the log."""
    function = deploy(
        """
        import os

        import boto3

        def handler(event, context):
            print("told", event)
            return {
                "variable": os.environ["GREETING"],
                "task root": os.getcwd() == os.environ["LAMBDA_TASK_ROOT"] == os.path.dirname(__file__),
                "function": context.function_name,
                "remaining": context.get_remaining_time_in_millis(),
                "account": boto3.client("sts").get_caller_identity()["Account"],
            }
        """,
        GREETING="hello",
    )

    answer, error, log = invoke(localstack_session, function, {"a": "\N{SNOWMAN}"})

    assert error is None
    assert 0 < answer.pop("remaining") <= 20_000
    assert answer == {"variable": "hello", "task root": True, "function": function, "account": "000000000000"}
    assert "told {'a': '\N{SNOWMAN}'}" in log
    assert "REPORT RequestId:" in log


def test_an_error_of_a_handler_is_a_function_error(localstack_session: Clients, deploy: Callable[..., str]) -> None:
    function = deploy("def handler(event, context): raise LookupError('no such order')")

    answer, error, _ = invoke(localstack_session, function)

    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "no such order")


def test_a_function_that_cannot_be_imported_says_why(localstack_session: Clients, deploy: Callable[..., str]) -> None:
    function = deploy("import pydantic_that_was_not_packaged")

    answer, error, _ = invoke(localstack_session, function)

    assert error == "Unhandled"
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "pydantic_that_was_not_packaged" in answer["errorMessage"]


def test_a_function_is_ended_at_its_timeout_and_starts_afresh(
    localstack_session: Clients, deploy: Callable[..., str]
) -> None:
    function = deploy(
        """
        calls = 0

        def handler(event, context):
            global calls
            calls += 1
            while event == "hang":
                pass
            return calls
        """,
        timeout_s=3,
    )
    assert invoke(localstack_session, function)[0] == 1

    answer, error, _ = invoke(localstack_session, function, "hang")

    assert error == "Unhandled"
    assert "timed out after 3.00 seconds" in answer["errorMessage"]
    assert invoke(localstack_session, function)[0] == 1


def test_a_mapping_delivers_again_from_the_first_failure_and_then_discards(
    localstack_session: Clients,
    kinesis: KinesisClient,
    stream: str,
    sqs: SQSClient,
    queue: str,
    deploy: Callable[..., str],
) -> None:
    """``batchItemFailures`` counts: what comes before the failure is done; the poison record goes to the queue."""
    function = deploy(
        """
        import base64, json, os

        import boto3

        sqs = boto3.client("sqs")

        def handler(event, context):
            numbers = [int(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]
            sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(numbers))
            for number, record in zip(numbers, event["Records"]):
                if number == 2:
                    return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
        """,
        SEEN=queue,
    )
    discarded = sqs.create_queue(QueueName=f"{stream}-discarded")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=discarded, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    kinesis.put_records(
        StreamName=stream, Records=[{"Data": str(number).encode(), "PartitionKey": "a"} for number in range(5)]
    )
    client = localstack_session.client("lambda")

    mapping = client.create_event_source_mapping(
        FunctionName=function,
        EventSourceArn=kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"],
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )["UUID"]
    try:
        (given_up,) = received(sqs, discarded, 1)
        seen = received(sqs, queue, 2)
    finally:
        client.delete_event_source_mapping(UUID=mapping)
        sqs.delete_queue(QueueUrl=discarded)

    assert seen[:2] == [[0, 1, 2, 3, 4], [2, 3, 4]]
    assert given_up["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert given_up["KinesisBatchInfo"]["batchSize"] == 3


def test_an_imported_api_puts_records_through_its_template(
    localstack_session: Clients, localstack: str, kinesis: KinesisClient, stream: str, role: str
) -> None:
    """OpenAPI with an AWS service integration: the template is evaluated, and the record arrives."""
    gateway = localstack_session.client("apigateway")
    api = gateway.import_rest_api(body=json.dumps(api_of(stream, role)))["id"]
    try:
        gateway.create_deployment(restApiId=api, stageName="v1")
        url = f"{localstack}/restapis/{api}/v1/_user_request_/records"

        answer = httpx.post(url, json={"key": 'c-"7"', "data": {"amount": 3}}, timeout=60)

        assert (answer.status_code, answer.json()) == (200, {"shard": "shardId-000000000000"})
        ((key, data),) = records_of(kinesis, stream)
        assert (key, json.loads(data)) == ('c-"7"', {"amount": 3})
    finally:
        gateway.delete_rest_api(restApiId=api)


def api_of(stream: str, role: str) -> dict[str, object]:
    template = (
        '{"StreamName": "' + stream + '", "PartitionKey": $input.json("$.key"), '
        '"Data": "$util.base64Encode($input.json("$.data"))"}'
    )
    answers = {"200": {"description": "put"}}
    integration = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": "arn:aws:apigateway:us-east-1:kinesis:action/PutRecord",
        "credentials": role,
        "passthroughBehavior": "never",
        "requestTemplates": {"application/json": template},
        "requestParameters": {"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"},
        "responses": {
            "default": {
                "statusCode": "200",
                "responseTemplates": {"application/json": '{"shard": $input.json("$.ShardId")}'},
            }
        },
    }
    operation = {"responses": answers, "x-amazon-apigateway-integration": integration}
    return {
        "openapi": "3.0.1",
        "info": {"title": stream, "version": "1"},
        "paths": {"/records": {"post": operation}},
    }


def test_a_stack_of_stream_function_and_mapping_works_and_goes(
    localstack_session: Clients, kinesis: KinesisClient, sqs: SQSClient, queue: str, name: str
) -> None:
    cloudformation = localstack_session.client("cloudformation")
    stack = f"stack-{name}"
    cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps(template_with(queue)), Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    stream = {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}["Stream"]

    kinesis.put_record(StreamName=stream, Data=b"7", PartitionKey="a")

    assert received(sqs, queue, 1) == [7]
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.describe_stream_summary(StreamName=stream)


def template_with(queue: str) -> dict[str, object]:
    source = (
        "import base64, os, boto3\n"
        "def handler(event, context):\n"
        "    for record in event['Records']:\n"
        "        body = base64.b64decode(record['kinesis']['data']).decode()\n"
        "        boto3.client('sqs').send_message(QueueUrl=os.environ['SEEN'], MessageBody=body)\n"
    )
    return {
        "Resources": {
            "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": source},
                    "Environment": {"Variables": {"SEEN": queue}},
                    "Timeout": 20,
                },
            },
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
                    "FunctionName": {"Ref": "Function"},
                    "StartingPosition": "TRIM_HORIZON",
                },
            },
        },
        "Outputs": {"Stream": {"Value": {"Ref": "Stream"}}},
    }


def test_a_table_keeps_its_conditions_and_its_stream_invokes_a_function(
    localstack_session: Clients, sqs: SQSClient, queue: str, deploy: Callable[..., str], name: str
) -> None:
    dynamodb: DynamoDBClient = localstack_session.client("dynamodb")
    table = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    function = deploy(
        """
        import json, os

        import boto3

        def handler(event, context):
            for record in event["Records"]:
                body = json.dumps(record["dynamodb"]["NewImage"])
                boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody=body)
        """,
        SEEN=queue,
    )
    client = localstack_session.client("lambda")
    mapping = client.create_event_source_mapping(
        FunctionName=function, EventSourceArn=table["LatestStreamArn"], StartingPosition="TRIM_HORIZON"
    )["UUID"]
    item = {"id": {"S": "a"}, "total": {"N": "1"}}
    try:
        dynamodb.put_item(TableName=name, Item=item, ConditionExpression="attribute_not_exists(id)")
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.put_item(TableName=name, Item=item, ConditionExpression="attribute_not_exists(id)")

        assert dynamodb.get_item(TableName=name, Key={"id": {"S": "a"}}, ConsistentRead=True)["Item"] == item
        assert received(sqs, queue, 1) == [item]
    finally:
        client.delete_event_source_mapping(UUID=mapping)
        dynamodb.delete_table(TableName=name)


def test_a_queue_gives_what_it_took(sqs: SQSClient, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody='{"a": "\N{SNOWMAN}"}')

    assert received(sqs, queue, 1) == [{"a": "\N{SNOWMAN}"}]


def test_a_bucket_gives_what_it_took(localstack_session: Clients, name: str) -> None:
    s3: S3Client = localstack_session.client("s3")
    s3.create_bucket(Bucket=name)

    s3.put_object(Bucket=name, Key="a/b", Body=b"\x00\xff", IfNoneMatch="*")

    assert s3.get_object(Bucket=name, Key="a/b")["Body"].read() == b"\x00\xff"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=name, Key="a/b", Body=b"", IfNoneMatch="*")


def test_a_role_gives_what_it_took(localstack_session: Clients, role: str, name: str) -> None:
    iam = localstack_session.client("iam")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": "*"}],
    }

    iam.put_role_policy(RoleName=name, PolicyName="put", PolicyDocument=json.dumps(policy))

    assert iam.get_role_policy(RoleName=name, PolicyName="put")["PolicyDocument"] == policy
    iam.delete_role_policy(RoleName=name, PolicyName="put")
