"""What stands already becomes part of the pipeline, with what it holds.

Streams, tables and buckets are LocalStack's. It has no import, so CloudFormation is one of ours with the rules of import.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.config import parse
from deploy.stack.account import Account
from deploy.stack.deployment import Deployment
from deploy.stack.errors import CannotAdopt, NameTaken, NotAllowed
from deploy.stack.following import Patience
from deploy.stack.standing import IDENTIFIERS, standing
from deploy.stack.values import Artifacts
from deploy.synthesis import stacks
from tests.support.cloudformation import IDENTIFIERS as BY_THE_GUIDE
from tests.support.cloudformation import CloudFormation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.stack.following import Event
    from deploy.stacks import Stack
    from tests.support.localstack.clients import Clients


class Quiet:
    def step(self, stack: str, what: str) -> None: ...

    def event(self, event: Event) -> None: ...


class Shop:
    """A pipeline of one stack with a stream, a bucket and a table, in front of LocalStack's services."""

    def __init__(self, session: Clients) -> None:
        self.name = f"a{uuid.uuid4().hex[:10]}"
        self.session = session
        self.cloudformation = CloudFormation(self.exists)
        self.account = Account("000000000000", "us-east-1", self._client)
        self.bucket = f"{self.name}-archive-000000000000-us-east-1"

    def _client(self, service: str) -> Any:
        return self.cloudformation if service == "cloudformation" else self.session.client(service)

    def stack(self, **table: Any) -> Stack:
        given = {
            "name": self.name,
            "streams": {"orders": {"physical_name": self.name, "retention_hours": 48}},
            "buckets": {"archive": {}},
            "tables": {"totals": {"partition_key": "customer", "expires_attribute": "until", **table}},
        }
        (stack,) = (stack for stack in stacks(parse(given)) if stack.role == "stream")
        return stack

    @property
    def deployment(self) -> Deployment:
        patience = Patience(10, 0, lambda _: None)
        return Deployment(self.account, self.name, Artifacts("unused", {}), Quiet(), patience)

    def exists(self, kind: str, identifier: str) -> bool:
        """Asked of the service, and not of what is tested."""
        if kind == "AWS::Kinesis::Stream":
            return identifier in self.session.client("kinesis").list_streams()["StreamNames"]
        if kind == "AWS::DynamoDB::Table":
            return identifier in self.session.client("dynamodb").list_tables()["TableNames"]
        assert kind.startswith("AWS::S3::"), kind
        s3 = self.session.client("s3")
        there = identifier in [one["Name"] for one in s3.list_buckets()["Buckets"]]
        if kind == "AWS::S3::Bucket" or not there:
            return there
        try:
            s3.get_bucket_policy(Bucket=identifier)
        except s3.exceptions.ClientError:
            return False
        return True

    def make_by_hand(self) -> None:
        kinesis, dynamodb, s3 = (self.session.client(name) for name in ("kinesis", "dynamodb", "s3"))
        kinesis.create_stream(StreamName=self.name, ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})
        kinesis.put_record(StreamName=self.name, PartitionKey="c-1", Data=b"before")
        dynamodb.create_table(
            TableName=f"{self.name}-totals",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "customer", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}],
        )
        dynamodb.update_time_to_live(
            TableName=f"{self.name}-totals",
            TimeToLiveSpecification={"AttributeName": "until", "Enabled": True},
        )
        s3.create_bucket(Bucket=self.bucket)

    def take_away(self) -> None:
        kinesis, dynamodb, s3 = (self.session.client(name) for name in ("kinesis", "dynamodb", "s3"))
        if self.exists("AWS::Kinesis::Stream", self.name):
            kinesis.delete_stream(StreamName=self.name)
        if self.exists("AWS::DynamoDB::Table", f"{self.name}-totals"):
            dynamodb.delete_table(TableName=f"{self.name}-totals")
        if self.exists("AWS::S3::Bucket", self.bucket):
            s3.delete_bucket(Bucket=self.bucket)


@pytest.fixture
def shop(localstack_session: Clients) -> Iterator[Shop]:
    made = Shop(localstack_session)
    yield made
    made.take_away()


def test_what_can_be_adopted_is_found_by_what_cloudformation_calls_it() -> None:
    """By the guide, and by the primary identifiers of the schemas that cfn-lint brings."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    assert IDENTIFIERS == BY_THE_GUIDE
    for kind, identifier in IDENTIFIERS.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", kind).schema
        assert schema["primaryIdentifier"] == [f"/properties/{identifier}"]
        assert "read" in schema["handlers"], "without it CloudFormation cannot import"


def test_without_adopt_the_name_is_taken_and_the_next_command_adopts(shop: Shop) -> None:
    shop.make_by_hand()
    with pytest.raises(NameTaken, match=f"{shop.name} already exists") as taken:
        shop.deployment.bring_up(shop.stack())
    assert taken.value.then == "up --replace-failed --adopt"

    assert shop.deployment.bring_up(shop.stack(), replace_failed=True, adopt=True).what == "updated"


def test_what_stands_is_taken_over_as_it_is_and_then_made_what_the_file_says(shop: Shop) -> None:
    shop.make_by_hand()
    stack = shop.stack()
    planned = {change.logical_id: change.action for change in shop.deployment.planned(stack, adopt=True)}
    assert planned == {
        "OrdersStream": "adopt",
        "ArchiveBucket": "adopt",
        "ArchiveBucketPolicy": "create",
        "TotalsTable": "adopt",
    }
    assert not shop.cloudformation.stacks, "a plan leaves nothing behind"

    assert shop.deployment.bring_up(stack, adopt=True).what == "updated"

    made = shop.cloudformation.stacks[stack.name]
    assert made.template == stack.template
    told = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in made.events]
    assert told[:3] == [(name, "IMPORT_COMPLETE") for name in ("OrdersStream", "ArchiveBucket", "TotalsTable")]
    # Its mode, its retention and its encryption are not as the file has them; its name stays.
    assert shop.cloudformation.updated["OrdersStream"] == {
        "StreamModeDetails", "ShardCount", "RetentionPeriodHours", "StreamEncryption", "Tags"
    }  # fmt: skip
    # The expiry is on: DynamoDB would refuse to switch it on again.
    assert shop.cloudformation.updated["TotalsTable"] == {"PointInTimeRecoverySpecification", "Tags"}
    assert shop.deployment.bring_up(stack, adopt=True).what == "unchanged"
    kinesis = shop.session.client("kinesis")
    (first, second) = kinesis.list_shards(StreamName=shop.name)["Shards"]
    found = [
        record["Data"]
        for shard in (first, second)
        for record in kinesis.get_records(
            ShardIterator=kinesis.get_shard_iterator(
                StreamName=shop.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
        )["Records"]
    ]
    assert found == [b"before"]


def test_a_stack_that_is_there_takes_in_what_is_new_in_the_file(shop: Shop) -> None:
    """The template that it has stays as it is while it imports, its outputs too."""
    whole = shop.stack()
    resources, outputs = whole.template["Resources"], whole.template["Outputs"]
    little = replace(
        whole,
        template={
            "Resources": {"OrdersStream": resources["OrdersStream"]},
            "Outputs": {"OrdersStreamName": outputs["OrdersStreamName"]},
        },
    )
    assert shop.deployment.bring_up(little, adopt=True).what == "created"
    shop.make_by_hand()

    assert shop.deployment.bring_up(whole, adopt=True).what == "updated"

    told = [
        (event["LogicalResourceId"], event["ResourceStatus"]) for event in shop.cloudformation.stacks[whole.name].events
    ]
    assert ("TotalsTable", "IMPORT_COMPLETE") in told
    assert ("OrdersStream", "IMPORT_COMPLETE") not in told


def test_an_up_that_was_interrupted_after_the_import_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.make_by_hand()
    stack = shop.stack()

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Deployment, "_compare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shop.deployment.bring_up(stack, adopt=True)
    assert shop.cloudformation.stacks[stack.name].status == "IMPORT_COMPLETE"

    assert shop.deployment.bring_up(stack).what == "updated"
    assert shop.cloudformation.stacks[stack.name].template == stack.template


def test_a_table_with_other_keys_is_not_taken_over(shop: Shop) -> None:
    shop.make_by_hand()
    with pytest.raises(
        CannotAdopt, match=r"customer \(HASH, S\), and pipeline.toml says customer \(HASH, S\), day \(RANGE"
    ):
        shop.deployment.bring_up(shop.stack(sort_key="day"), adopt=True)
    assert not shop.cloudformation.stacks


def test_localstack_cannot_import_and_says_so(shop: Shop) -> None:
    """Once it can, this fails, and the tests above can go to it."""
    shop.make_by_hand()
    account = Account("000000000000", "us-east-1", shop.session.client, emulated=True)
    deployment = replace(shop.deployment, account=account)
    with pytest.raises(CannotAdopt, match=r"has no import.*cannot be taken over"):
        deployment.bring_up(shop.stack(), adopt=True)


def test_log_groups_queues_and_policies_are_read_as_they_are(shop: Shop) -> None:
    """What a consumer's stack would make anew: Lambda itself makes a log group for a late line."""
    pipeline = parse(
        {
            "name": shop.name,
            "streams": {"orders": {"physical_name": shop.name}},
            "buckets": {"archive": {}},
            "consumers": {"totals": {"stream": "orders", "handler": "a.b"}},
        }
    )
    s3, logs, sqs = (shop.session.client(name) for name in ("s3", "logs", "sqs"))
    group, queue = f"/aws/lambda/{shop.name}-totals", f"{shop.name}-totals-on-failure"
    logs.create_log_group(logGroupName=group)
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    s3.create_bucket(Bucket=shop.bucket)
    policy = {"Version": "2012-10-17", "Statement": []}
    s3.put_bucket_policy(Bucket=shop.bucket, Policy='{"Version": "2012-10-17", "Statement": []}')
    found = {one.logical_id: one for stack in stacks(pipeline) for one in standing(shop.account, stack, frozenset())}

    assert {name: dict(one.identifier) for name, one in found.items()} == {
        "ArchiveBucket": {"BucketName": shop.bucket},
        "ArchiveBucketPolicy": {"Bucket": shop.bucket},
        "Logs": {"LogGroupName": group},
        "OnFailure": {"QueueUrl": url},
    }
    assert found["ArchiveBucketPolicy"].properties == {"Bucket": shop.bucket, "PolicyDocument": policy}
    assert found["Logs"].properties == {"LogGroupName": group}
    logs.delete_log_group(logGroupName=group)
    sqs.delete_queue(QueueUrl=url)
    s3.delete_bucket_policy(Bucket=shop.bucket)


def test_who_may_not_look_is_told_so(shop: Shop) -> None:
    from botocore.exceptions import ClientError

    def refusing(service: str) -> Any:
        if service == "cloudformation":
            return shop.cloudformation
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeStreamSummary")

    deployment = replace(shop.deployment, account=Account("000000000000", "us-east-1", refusing))
    with pytest.raises(NotAllowed, match="DescribeStreamSummary"):
        deployment.planned(shop.stack(), adopt=True)
