"""Who may do what, all of it: each consumer's role, statement by statement, with the reason.

The same statements say which VPC endpoints its code needs, and what those let through. They tell three callers apart:
what the function's *code* calls; what Lambda's *poller* calls with the function's role, outside of the VPC; and what
the *platform* does for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from deploy import naming
from deploy.config import SourceKind
from deploy.policy_size import require_room_in_role
from deploy.template import arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.config import Pipeline, Use
    from deploy.template import Json, Text

# What kstream's own stores call. tests/unit/deploy/test_permissions.py records it from them, and compares.
LEDGER = ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query")
LETTERS_TO_QUEUE = ("sqs:GetQueueAttributes", "sqs:SendMessage")
LETTERS_TO_BUCKET = ("s3:PutObject",)
LETTERS_TO_STREAM = ("kinesis:DescribeStreamSummary", "kinesis:PutRecord")

# Lambda Developer Guide: "Process Amazon Kinesis Data Streams records", "Process DynamoDB records", "Using Lambda with
# Amazon SQS", each under "permissions".
POLL_KINESIS = (
    "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator",
    "kinesis:ListShards",
)  # fmt: skip
POLL_FAN_OUT = ("kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard")
POLL_DYNAMODB = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
POLL_SQS = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
# Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC".
NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
)  # fmt: skip

# Which actions use the stream's key, and how (Kinesis developer guide, "Permissions to use user-generated KMS keys").
_KEY_OF = {
    "kinesis:GetRecords": "kms:Decrypt",
    "kinesis:SubscribeToShard": "kms:Decrypt",
    "kinesis:PutRecord": "kms:GenerateDataKey",
    "kinesis:PutRecords": "kms:GenerateDataKey",
}
# Those of enhanced fan-out are allowed on the registered consumer.
_OF_READERS = {"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard", "kinesis:DeregisterStreamConsumer"}

TRACES = "Traces"


class Caller(StrEnum):
    CODE = "code"
    POLLER = "poller"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Named actions on named ARNs; ``*`` alone where IAM knows no resource for the action."""

    sid: str
    caller: Caller
    actions: tuple[str, ...]
    resources: tuple[Text, ...]
    why: str
    condition: Json | None = None

    @property
    def service(self) -> str:
        """``sqs``, ``dynamodb``, ..."""
        return self.actions[0].partition(":")[0]

    def statement(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return {**body, "Condition": self.condition} if self.condition else body


def grants(pipeline: Pipeline, name: str) -> list[Grant]:
    """All that the function of the consumer ``name`` may do."""
    return [
        *_code(pipeline, name),
        *_uses(pipeline, name),
        *_poller(pipeline, name),
        *_on_failure(pipeline, name),
        *_platform(pipeline, name),
    ]


def _code(pipeline: Pipeline, name: str) -> Iterator[Grant]:
    consumer = pipeline.consumers[name]
    if consumer.ledger == "dynamodb":
        table = arn("dynamodb", f"table/{naming.ledger_name(pipeline, name)}")
        yield Grant(sid="Ledger", caller=Caller.CODE, actions=LEDGER, resources=(table,), why="its ledger")
    kind, _, where = consumer.dead_letters.partition(":")
    if kind == "none":
        return
    actions: tuple[str, ...]
    if kind == "queue":
        actions, target = LETTERS_TO_QUEUE, arn("sqs", naming.dead_letters_name(pipeline, name))
    elif kind == "bucket":
        bucket, _, prefix = where.partition("/")
        actions, target = LETTERS_TO_BUCKET, naming.bucket_arn(pipeline, bucket, f"/{prefix}*")
    else:
        actions, target = LETTERS_TO_STREAM, naming.stream_arn(pipeline, where)
    yield Grant(sid="DeadLetters", caller=Caller.CODE, actions=actions, resources=(target,), why="its dead letters")
    if kind == "stream":
        yield from _key(pipeline.streams[where].customer_key, "DeadLettersKey", "kms:GenerateDataKey")


def _uses(pipeline: Pipeline, name: str) -> Iterator[Grant]:
    for number, use in enumerate(pipeline.consumers[name].uses, 1):
        sid = f"Use{number}{''.join(use.services).title().replace('-', '')}"
        for part, actions, resources in _used(pipeline, use):
            why = f"{', '.join(actions)} in its own code"
            yield Grant(sid=f"{sid}{part}", caller=Caller.CODE, actions=actions, resources=resources, why=why)
        if use.stream:
            key = pipeline.streams[use.stream].customer_key
            yield from _key(key, f"Use{number}Key", *sorted(_KEY_OF[one] for one in use.actions if one in _KEY_OF))


def _used(pipeline: Pipeline, use: Use) -> Iterator[tuple[str, tuple[str, ...], tuple[Text, ...]]]:
    """What the statement's id ends in, actions, and what they are allowed on."""
    actions = tuple(sorted(use.actions))
    if use.stream:
        stream = naming.stream_arn(pipeline, use.stream)
        yield "", actions, (stream, *([_fan_out(stream)] if _OF_READERS & set(actions) else []))
    elif use.table:
        yield "", actions, (arn("dynamodb", f"table/{naming.table_name(pipeline, use.table)}"),)
    elif use.bucket:
        keys, whole = (
            naming.bucket_arn(pipeline, use.bucket, f"/{use.prefix}*"),
            naming.bucket_arn(pipeline, use.bucket),
        )
        for part, resources, inside in (("", keys, True), ("Bucket", whole, False)):
            these = tuple(action for action in actions if _of_objects(action) is inside)
            if these:
                yield part, these, (resources,)
    else:
        yield "", actions, use.arns


def _of_objects(action: str) -> bool:
    """Whether IAM allows it on objects, not on their bucket (Service Authorization Reference, Amazon S3)."""
    if action in ("s3:AbortMultipartUpload", "s3:BypassGovernanceRetention", "s3:ListMultipartUploadParts"):
        return True
    return "Object" in action and "BucketObject" not in action


def _poller(pipeline: Pipeline, name: str) -> Iterator[Grant]:
    consumer = pipeline.consumers[name]
    source = naming.source_arn(pipeline, name)

    def poll(actions: tuple[str, ...], *resources: Text, sid: str = "Source") -> Grant:
        return Grant(
            sid=sid, caller=Caller.POLLER, actions=actions, resources=resources, why="what Lambda polls for it"
        )

    if consumer.kind is SourceKind.SQS:
        yield poll(POLL_SQS, source)
    elif consumer.kind is SourceKind.DYNAMODB:
        yield poll(POLL_DYNAMODB, source)
        # Streams are listed by their table, so no single one can be named.
        streams = str(source).rpartition("/")[0] + "/*"
        yield poll(("dynamodb:ListStreams",), streams, sid="SourceList")
    else:
        yield poll(POLL_KINESIS, source)
        if consumer.fan_out:
            yield poll(POLL_FAN_OUT, source, _fan_out(source), sid="SourceFanOut")
        if consumer.stream:
            key = pipeline.streams[consumer.stream].customer_key
            yield from _key(key, "SourceKey", "kms:Decrypt")


def _fan_out(source: Text) -> Text:
    """The registered consumer of the stream: its ARN ends with the time at which it was made."""
    if isinstance(source, str):
        return f"{source}/consumer/*"
    return {"Fn::Sub": f"{source['Fn::Sub']}/consumer/*"}


def _key(key: str | None, sid: str, *actions: str) -> Iterator[Grant]:
    """Kinesis uses the key on the caller's behalf; nobody calls KMS directly."""
    actions = tuple(dict.fromkeys(actions))
    if key is not None and actions:
        via = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "kinesis.${AWS::Region}.amazonaws.com"}}}
        why = "the stream's key"
        yield Grant(sid=sid, caller=Caller.PLATFORM, actions=actions, resources=(key,), why=why, condition=via)


def _on_failure(pipeline: Pipeline, name: str) -> Iterator[Grant]:
    consumer = pipeline.consumers[name]
    to = consumer.mapping.on_failure
    if consumer.kind is SourceKind.SQS or to == "none":
        return
    actions: tuple[str, ...] = ("sqs:SendMessage",)
    resources: tuple[Text, ...] = (to,)
    if to == "queue":
        resources = (arn("sqs", naming.on_failure_name(pipeline, name)),)
    elif ":sns:" in to:
        actions = ("sns:Publish",)
    elif ":s3:" in to:
        actions, resources = ("s3:PutObject",), (f"{to}/*",)
        yield Grant(
            sid="OnFailureBucket",
            caller=Caller.POLLER,
            actions=("s3:ListBucket",),
            resources=(to,),
            why="Lambda asks for it",
        )
    yield Grant(sid="OnFailure", caller=Caller.POLLER, actions=actions, resources=resources, why="what Lambda gives up")


def _platform(pipeline: Pipeline, name: str) -> Iterator[Grant]:
    consumer = pipeline.consumers[name]
    function = naming.function_name(pipeline, name)
    lines = arn("logs", f"log-group:/aws/lambda/{function}:*")
    actions: tuple[str, ...] = ("logs:CreateLogStream", "logs:PutLogEvents")
    yield Grant(sid="Logs", caller=Caller.PLATFORM, actions=actions, resources=(lines,), why="its log lines")
    if consumer.tracing:
        actions = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
        yield Grant(sid=TRACES, caller=Caller.PLATFORM, actions=actions, resources=("*",), why="its traces")
    if pipeline.in_vpc(consumer):
        yield Grant(
            sid="Network",
            caller=Caller.PLATFORM,
            actions=NETWORK_INTERFACES,
            resources=("*",),
            why="its network interfaces",
        )


def role(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The properties of the function's role. Raises ``PolicyTooLarge``."""
    statements = [grant.statement() for grant in grants(pipeline, name)]
    if pipeline.in_vpc(pipeline.consumers[name]):
        # Lambda itself makes the interfaces; the function's own code has no business there.
        function = arn("lambda", f"function:{naming.function_name(pipeline, name)}")
        statements.append(
            {
                "Sid": "NetworkNotByItsCode",
                "Effect": "Deny",
                "Action": list(NETWORK_INTERFACES),
                "Resource": ["*"],
                "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": [function]}},
            }
        )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    policy = {"Version": "2012-10-17", "Statement": statements}
    require_room_in_role(policy, name)
    return {
        "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "consumer", "PolicyDocument": policy}],
    }
