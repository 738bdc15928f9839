"""What stands in the account already under the names of a template: read as it is, in CloudFormation's own properties.

Only what an import has to know is read: the name, and what CloudFormation would otherwise set anew in vain or by replacing.
What is left out here is set by the update after the import, and what the template does not name stays as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.stack import artifacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.stack.account import Account
    from deploy.stacks import Stack

_ABSENT = {
    "404", "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NoSuchBucketPolicy", "QueueDoesNotExist",
    "ResourceNotFoundException",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """One resource of a template that is there without its stack. ``identifier`` is what CloudFormation finds it by,
    ``properties`` how it is now."""

    logical_id: str
    kind: str
    name: str
    identifier: Mapping[str, str]
    properties: Mapping[str, Any]


def standing(account: Account, stack: Stack, owned: frozenset[str]) -> list[Standing]:
    """All of the stack's resources that are there, but for those with the logical ids ``owned``."""
    found = []
    resources: Mapping[str, Any] = stack.template["Resources"]
    for logical_id, resource in resources.items():
        kind = _KINDS.get(resource["Type"])
        if kind is None or logical_id in owned:
            continue
        name = _name(account, resource["Properties"].get(kind.named_by), resources)
        read = None if name is None else _read(account, kind, name)
        if name is not None and read is not None:
            identifier, properties = read
            found.append(Standing(logical_id, resource["Type"], name, {kind.identified_by: identifier}, properties))
    return found


def _name(account: Account, said: Any, resources: Mapping[str, Any]) -> str | None:
    """The text that CloudFormation would make of a name; None where it makes one up."""
    if isinstance(said, str):
        return said
    if isinstance(said, dict) and "Fn::Sub" in said:
        return str(said["Fn::Sub"]).replace("${AWS::AccountId}", account.id).replace("${AWS::Region}", account.region)
    if isinstance(said, dict) and said.get("Ref") in resources:
        other = resources[said["Ref"]]
        kind = _KINDS.get(other["Type"])
        return None if kind is None else _name(account, other["Properties"].get(kind.named_by), resources)
    return None


def _read(account: Account, kind: _Kind, name: str) -> tuple[str, Mapping[str, Any]] | None:
    from botocore.exceptions import ClientError

    try:
        return kind.read(account, name)
    except ClientError as error:
        if error.response["Error"].get("Code") not in _ABSENT:
            raise
        return None


Read = tuple[str, dict[str, Any]]
"""The identifier's value, and the properties."""


def _stream(account: Account, name: str) -> Read | None:
    kinesis = account.client("kinesis")
    found = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    if found["StreamStatus"] == "DELETING":
        return None
    mode = found.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    properties: dict[str, Any] = {
        "Name": name,
        "StreamModeDetails": {"StreamMode": mode},
        "RetentionPeriodHours": found["RetentionPeriodHours"],
    }
    if mode == "PROVISIONED":
        properties["ShardCount"] = found["OpenShardCount"]
    if found.get("EncryptionType") == "KMS":
        properties["StreamEncryption"] = {"EncryptionType": "KMS", "KeyId": found["KeyId"]}
    return name, properties


def _table(account: Account, name: str) -> Read | None:
    dynamodb = account.client("dynamodb")
    found = dynamodb.describe_table(TableName=name)["Table"]
    if found["TableStatus"] == "DELETING":
        return None
    keys = {key["AttributeName"] for key in found["KeySchema"]}
    properties: dict[str, Any] = {
        "TableName": name,
        # Indexes are not the file's to name: what CloudFormation never heard of it leaves alone.
        "AttributeDefinitions": [one for one in found["AttributeDefinitions"] if one["AttributeName"] in keys],
        "KeySchema": found["KeySchema"],
        "BillingMode": found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
    }
    if properties["BillingMode"] == "PROVISIONED":
        said = found["ProvisionedThroughput"]
        properties["ProvisionedThroughput"] = {unit: said[unit] for unit in ("ReadCapacityUnits", "WriteCapacityUnits")}
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        # DynamoDB refuses to switch on what is on.
        properties["TimeToLiveSpecification"] = {"AttributeName": expiry["AttributeName"], "Enabled": True}
    return name, properties


def _bucket(account: Account, name: str) -> Read | None:
    return (name, {"BucketName": name}) if artifacts.exists(account, name) else None


def _bucket_policy(account: Account, name: str) -> Read:
    s3 = account.client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    return name, {"Bucket": name, "PolicyDocument": policy}


def _queue(account: Account, name: str) -> Read:
    sqs = account.client("sqs")
    return str(sqs.get_queue_url(QueueName=name)["QueueUrl"]), {"QueueName": name}


def _log_group(account: Account, name: str) -> Read | None:
    logs = account.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        for found in page["logGroups"]:
            if found["logGroupName"] == name:
                kept = found.get("retentionInDays")
                return name, {"LogGroupName": name, **({"RetentionInDays": kept} if kept else {})}
    return None


@dataclass(frozen=True, slots=True)
class _Kind:
    """``named_by`` is the property with the name, ``identified_by`` the one that CloudFormation finds it by: the primary
    identifier in its schema of the resource."""

    named_by: str
    identified_by: str
    read: Callable[[Account, str], Read | None]


_KINDS = {
    "AWS::DynamoDB::Table": _Kind("TableName", "TableName", _table),
    "AWS::Kinesis::Stream": _Kind("Name", "Name", _stream),
    "AWS::Logs::LogGroup": _Kind("LogGroupName", "LogGroupName", _log_group),
    "AWS::S3::Bucket": _Kind("BucketName", "BucketName", _bucket),
    "AWS::S3::BucketPolicy": _Kind("Bucket", "Bucket", _bucket_policy),
    "AWS::SQS::Queue": _Kind("QueueName", "QueueUrl", _queue),
}

IDENTIFIERS = {kind: found.identified_by for kind, found in _KINDS.items()}
"""What can be adopted, by type, and the property that it is found by."""
