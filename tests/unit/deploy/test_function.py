"""The function as its settings say: variables, tracing, and where its dependencies are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploy.config import parse
from deploy.environment import EnvironmentTooLarge
from deploy.policy_size import PolicyTooLarge
from deploy.stacks import ArtifactOf
from deploy.synthesis import stacks

if TYPE_CHECKING:
    from deploy.stacks import Stack


def stack_of(**consumer: Any) -> Stack:
    table = {
        "name": "shop",
        "streams": {"orders": {}},
        "consumers": {"totals": {"stream": "orders", "handler": "app.lambda_handler", **consumer}},
    }
    (found,) = (stack for stack in stacks(parse(table)) if stack.role == "consumer-totals")
    return found


def function_of(stack: Stack) -> dict[str, Any]:
    properties: dict[str, Any] = stack.template["Resources"]["Function"]["Properties"]
    return properties


def variables(**consumer: Any) -> dict[str, Any]:
    found: dict[str, Any] = function_of(stack_of(**consumer))["Environment"]["Variables"]
    return found


@pytest.mark.parametrize(
    ("consumer", "expected"),
    [
        ({}, {"KSTREAM_METRICS": "emf", "KSTREAM_TRACING": "xray"}),
        ({"tracing": False}, {"KSTREAM_METRICS": "emf", "KSTREAM_TRACING": "off"}),
        ({"metrics": False}, {"KSTREAM_METRICS": "off", "KSTREAM_TRACING": "xray"}),
    ],
)
def test_telemetry_is_told_to_the_function(consumer: dict[str, Any], expected: dict[str, str]) -> None:
    found = variables(**consumer)
    assert {name: found[name] for name in expected} == expected
    assert found["KSTREAM_SERVICE"] == "shop"


@pytest.mark.parametrize("tracing", [True, False])
def test_tracing_is_active_and_allowed_or_neither(tracing: bool) -> None:
    stack = stack_of(tracing=tracing)
    (policy,) = stack.template["Resources"]["Role"]["Properties"]["Policies"]
    actions = {action for statement in policy["PolicyDocument"]["Statement"] for action in statement["Action"]}

    assert (function_of(stack).get("TracingConfig") == {"Mode": "Active"}) is tracing
    assert ({"xray:PutTelemetryRecords", "xray:PutTraceSegments"} <= actions) is tracing


KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d"


def statements(**use: Any) -> dict[str, dict[str, Any]]:
    """What a consumer of another stream may do by one entry of ``uses``, by the statements' ids."""
    consumer = {"stream": "orders", "handler": "a.b", "uses": [use]}
    table = {
        "name": "shop",
        "streams": {"orders": {}, "sealed": {"kms_key": KEY}},
        "buckets": {"archive": {}},
        "consumers": {"totals": consumer},
    }
    (stack,) = (stack for stack in stacks(parse(table)) if stack.role == "consumer-totals")
    (policy,) = stack.template["Resources"]["Role"]["Properties"]["Policies"]
    return {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"] if one["Sid"].startswith("Use")}


@pytest.mark.parametrize(
    ("actions", "keys"),
    [
        (["PutRecord", "GetRecords"], ["kms:Decrypt", "kms:GenerateDataKey"]),
        (["PutRecord", "PutRecords"], ["kms:GenerateDataKey"]),
        (["SubscribeToShard"], ["kms:Decrypt"]),
        (["DescribeStreamSummary"], None),
    ],
)
def test_the_key_of_a_stream_may_be_used_as_its_actions_use_it(actions: list[str], keys: list[str] | None) -> None:
    found = statements(stream="sealed", actions=[f"kinesis:{action}" for action in actions])

    assert found.get("Use1Key", {"Action": None})["Action"] == keys


def test_actions_of_objects_are_allowed_on_objects_and_those_of_buckets_on_the_bucket() -> None:
    actions = ["s3:AbortMultipartUpload", "s3:ListBucket", "s3:PutObject"]
    found = statements(bucket="archive", prefix="x/", actions=actions)

    assert {sid: one["Action"] for sid, one in found.items()} == {
        "Use1S3": ["s3:AbortMultipartUpload", "s3:PutObject"],
        "Use1S3Bucket": ["s3:ListBucket"],
    }
    assert found["Use1S3"]["Resource"][0]["Fn::Sub"].endswith("/x/*")
    assert "/" not in found["Use1S3Bucket"]["Resource"][0]["Fn::Sub"].rpartition(":::")[2]


def test_an_environment_above_lambdas_limit_is_refused_with_what_deploy_adds() -> None:
    """At its longest: the queue's URL and the ledger's name are only known later."""
    with pytest.raises(EnvironmentTooLarge, match=r"consumers.totals.environment: .* have 4,\d+ bytes"):
        variables(environment={"LONG": "x" * 4000})
    with pytest.raises(EnvironmentTooLarge):
        variables(environment={"LONG": "é" * 2000})
    assert variables(environment={"LONG": "x" * 3500})["LONG"] == "x" * 3500


def secrets(number: int) -> list[dict[str, Any]]:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:{:0100}"
    return [{"arns": [arn.format(one) for one in range(number)], "actions": ["secretsmanager:GetSecretValue"]}]


def test_a_role_whose_policy_iam_would_not_take_is_refused_by_the_consumers_name() -> None:
    """As IAM counts it, white space aside: the template, indented, may be longer."""
    with pytest.raises(PolicyTooLarge, match=r"consumers.totals.uses: .* has 1\d,\d+ characters, and IAM takes 10,240"):
        stack_of(uses=secrets(60))
    assert len(json.dumps(stack_of(uses=secrets(45)).template["Resources"]["Role"], indent=4)) > 10_240


def test_a_layer_is_published_for_the_functions_python_and_processor() -> None:
    stack = stack_of(dependencies="layer", runtime="python3.12", architecture="x86_64")
    layer = stack.template["Resources"]["Layer"]

    assert function_of(stack)["Layers"] == [{"Ref": "Layer"}]
    assert layer["Properties"]["Content"] == {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "LayerKey"}}
    assert layer["Properties"]["CompatibleRuntimes"] == ["python3.12"]
    assert layer["Properties"]["CompatibleArchitectures"] == ["x86_64"]
    assert stack.parameters["LayerKey"] == ArtifactOf("totals", "layer")


def test_without_one_the_zip_holds_all() -> None:
    stack = stack_of()
    assert "Layer" not in stack.template["Resources"]
    assert "Layers" not in function_of(stack)
    assert "LayerKey" not in stack.parameters
