"""A consumer's stack: its function, role, log group, ledger, queues and event source mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy import environment, event_sources, naming, permissions
from deploy.network import SUBNETS, security_group_id
from deploy.stacks import ArtifactOf, Holding, OutputOf, Stack
from deploy.template import Outputs, Resources, att, ref, resource, template

if TYPE_CHECKING:
    from deploy.config import Pipeline
    from deploy.stacks import Parameter
    from deploy.template import Json

FUNCTION, ROLE, LOGS, LEDGER = "Function", "Role", "Logs", "Ledger"
LAYER, DEAD_LETTERS, ON_FAILURE = "Layer", "DeadLetters", "OnFailure"

# SQS: the longest that a message may stay, and the largest that it may be (SetQueueAttributes).
_FORTNIGHT_S = 1_209_600
_LARGEST_MESSAGE = 1_048_576

_MEANINGS = {
    "CodeBucket": "The bucket with the function's package",
    "CodeKey": "The package's key in it, with the hash of what is in it",
    "LayerKey": "The key of the layer's package, likewise",
    "SecurityGroup": "The security group of the function",
    "Subnets": "The subnets that the function runs in, separated by commas",
}


def stack(pipeline: Pipeline, name: str, before: tuple[str, ...]) -> Stack:
    """``before``: full names of the stacks that it needs."""
    consumer = pipeline.consumers[name]
    resources = Resources(
        {
            ROLE: resource("AWS::IAM::Role", permissions.role(pipeline, name)),
            LOGS: resource(
                "AWS::Logs::LogGroup",
                {
                    "LogGroupName": f"/aws/lambda/{naming.function_name(pipeline, name)}",
                    "RetentionInDays": consumer.log_retention_days,
                },
                keep=False,
            ),
        },
        _stores(pipeline, name),
        _layer(pipeline, name),
        {FUNCTION: _function(pipeline, name)},
    )
    to = event_sources.on_failure(pipeline, name, ON_FAILURE)
    resources |= event_sources.mapping(pipeline, name, function=FUNCTION, on_failure=to)
    parameters: dict[str, Parameter] = {
        "CodeBucket": ArtifactOf(name, "bucket"),
        "CodeKey": ArtifactOf(name, "key"),
        **({"LayerKey": ArtifactOf(name, "layer")} if LAYER in resources else {}),
        **_place(pipeline, name),
    }
    outputs = Outputs({"FunctionArn": att(FUNCTION, "Arn"), "MappingId": att(event_sources.MAPPING, "Id")})
    outputs |= {f"{queue}Url": ref(queue) for queue in (DEAD_LETTERS, ON_FAILURE) if queue in resources}
    return Stack(
        name=naming.stack_name(pipeline, f"consumer-{name}"),
        role=f"consumer-{name}",
        template=template(
            f"{pipeline.prefix}: the consumer {name}",
            resources,
            parameters={parameter: _MEANINGS[parameter] for parameter in parameters},
            outputs=outputs,
        ),
        parameters=parameters,
        dependencies=before,
        capabilities=("CAPABILITY_IAM",),
        holds=_holds(pipeline, name, resources),
        tags=pipeline.tags,
    )


def _function(pipeline: Pipeline, name: str) -> dict[str, Any]:
    consumer = pipeline.consumers[name]
    return resource(
        "AWS::Lambda::Function",
        {
            "FunctionName": naming.function_name(pipeline, name),
            "Description": consumer.description or None,
            "Handler": consumer.handler,
            "Runtime": consumer.runtime,
            "Architectures": [consumer.architecture],
            "MemorySize": consumer.memory_mb,
            "Timeout": consumer.timeout_seconds,
            "ReservedConcurrentExecutions": consumer.reserved_concurrency,
            "Role": att(ROLE, "Arn"),
            "Code": {"S3Bucket": ref("CodeBucket"), "S3Key": ref("CodeKey")},
            "Layers": [ref(LAYER)] if consumer.dependencies == "layer" else None,
            "Environment": {
                "Variables": environment.variables(pipeline, name, ledger=LEDGER, dead_letters=DEAD_LETTERS)
            },
            "LoggingConfig": {"LogGroup": ref(LOGS)},
            "TracingConfig": {"Mode": "Active"} if consumer.tracing else None,
            "VpcConfig": _vpc() if pipeline.in_vpc(consumer) else None,
        },
    )


def _layer(pipeline: Pipeline, name: str) -> Resources:
    """Another content is another version of it. The function takes that one, and CloudFormation the old one away."""
    consumer = pipeline.consumers[name]
    if consumer.dependencies != "layer":
        return Resources()
    properties = {
        "LayerName": naming.layer_name(pipeline, name),
        "Description": f"kstream and the dependencies of {naming.function_name(pipeline, name)}",
        "CompatibleRuntimes": [consumer.runtime],
        "CompatibleArchitectures": [consumer.architecture],
        "Content": {"S3Bucket": ref("CodeBucket"), "S3Key": ref("LayerKey")},
    }
    return Resources({LAYER: resource("AWS::Lambda::LayerVersion", properties)})


def _stores(pipeline: Pipeline, name: str) -> Resources:
    consumer = pipeline.consumers[name]
    stores = Resources()
    if consumer.ledger == "dynamodb":
        stores[LEDGER] = _ledger(naming.ledger_name(pipeline, name))
    if consumer.dead_letters == "queue":
        stores[DEAD_LETTERS] = _queue(naming.dead_letters_name(pipeline, name))
    if consumer.has_on_failure_queue:
        stores[ON_FAILURE] = _queue(naming.on_failure_name(pipeline, name))
    return stores


def _ledger(name: str) -> dict[str, Any]:
    return resource(
        "AWS::DynamoDB::Table",
        {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "scope", "AttributeType": "S"},
                {"AttributeName": "position", "AttributeType": "S"},
            ],
            "KeySchema": [
                {"AttributeName": "scope", "KeyType": "HASH"},
                {"AttributeName": "position", "KeyType": "RANGE"},
            ],
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
        keep=False,
    )


def _queue(name: str) -> dict[str, Any]:
    return resource(
        "AWS::SQS::Queue",
        {
            "QueueName": name,
            "MessageRetentionPeriod": _FORTNIGHT_S,
            "MaximumMessageSize": _LARGEST_MESSAGE,
            "SqsManagedSseEnabled": True,
        },
        keep=False,
    )


def _vpc() -> Json:
    return {"SecurityGroupIds": [ref("SecurityGroup")], "SubnetIds": {"Fn::Split": [",", ref("Subnets")]}}


def _place(pipeline: Pipeline, name: str) -> dict[str, Parameter]:
    """Where the function runs, if in a VPC."""
    if not pipeline.in_vpc(pipeline.consumers[name]):
        return {}
    network = naming.stack_name(pipeline, "network")
    return {
        "SecurityGroup": OutputOf(network, f"{security_group_id(name)}Id"),
        "Subnets": OutputOf(network, SUBNETS),
    }


def _holds(pipeline: Pipeline, name: str, resources: Resources) -> tuple[Holding, ...]:
    found = [
        Holding(DEAD_LETTERS, "queue", naming.dead_letters_name(pipeline, name), kept=False),
        Holding(ON_FAILURE, "queue", naming.on_failure_name(pipeline, name), kept=False),
        Holding(LEDGER, "table", naming.ledger_name(pipeline, name), kept=False),
    ]
    return tuple(holding for holding in found if holding.logical_id in resources)
