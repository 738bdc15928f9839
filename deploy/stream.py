"""The stack that holds data: streams, buckets and tables. What it holds outlives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.naming import bucket_arn, bucket_name, owner_tags, stack_name, table_name
from deploy.stacks import Holding, Stack
from deploy.template import Outputs, Resources, att, logical, logical_of_any, ref, resource, template

if TYPE_CHECKING:
    from deploy.config import Bucket, DataTable, Pipeline, Stream


def stack(pipeline: Pipeline) -> Stack | None:
    """None if the pipeline reads what others hold, and writes nowhere."""
    if not (pipeline.streams or pipeline.buckets or pipeline.tables):
        return None
    resources = Resources()
    outputs = Outputs()
    holds = []
    for key, stream in pipeline.streams.items():
        own = stream_id(key)
        resources[own] = _stream(pipeline, key, stream)
        resources |= _readers(own, stream)
        outputs |= {f"{own}Name": ref(own), f"{own}Arn": att(own, "Arn")}
        holds.append(Holding(own, "stream", pipeline.stream_name(key), kept=True))
    for key, bucket in pipeline.buckets.items():
        own = logical(key, "Bucket")
        resources |= _bucket(pipeline, key, own, bucket)
        outputs[f"{own}Name"] = ref(own)
        holds.append(Holding(own, "bucket", bucket_name(pipeline, key), kept=True))
    for key, table in pipeline.tables.items():
        own = logical(key, "Table")
        resources[own] = _table(pipeline, key, table)
        outputs[f"{own}Name"] = ref(own)
        holds.append(Holding(own, "table", table_name(pipeline, key), kept=True))
    return Stack(
        name=stack_name(pipeline, "stream"),
        role="stream",
        template=template(f"{pipeline.prefix}: streams, buckets and tables", resources, outputs=outputs),
        holds=tuple(holds),
        tags=pipeline.tags,
    )


def stream_id(key: str) -> str:
    """The logical id of a stream."""
    return logical(key, "Stream")


def _stream(pipeline: Pipeline, name: str, stream: Stream) -> dict[str, Any]:
    key = stream.customer_key or "alias/aws/kinesis"
    return resource(
        "AWS::Kinesis::Stream",
        {
            "Name": pipeline.stream_name(name),
            "StreamModeDetails": {"StreamMode": stream.mode.upper().replace("-", "_")},
            "ShardCount": stream.shards,
            "RetentionPeriodHours": stream.retention_hours,
            # Said only where it is not the default, which older regions and emulators know without it.
            "MaxRecordSizeInKiB": stream.record_size_kib if stream.record_size_kib > 1024 else None,
            "StreamEncryption": {"EncryptionType": "KMS", "KeyId": key},
            "Tags": owner_tags(pipeline),
        },
        keep=True,
    )


def _readers(own: str, stream: Stream) -> Resources:
    """One after the other: Kinesis refuses a sixth while five are being registered."""
    readers = Resources()
    for name in stream.fan_out:
        before = tuple(readers)[-1:]
        properties = {"ConsumerName": name, "StreamARN": att(own, "Arn")}
        reader = resource("AWS::Kinesis::StreamConsumer", properties, depends_on=before)
        readers[logical_of_any(own, "FanOut", name)] = reader
    return readers


def _bucket(pipeline: Pipeline, key: str, own: str, bucket: Bucket) -> Resources:
    rules: list[dict[str, Any]] = [
        {"Id": "unfinished-uploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}
    ]
    if bucket.expire_days:
        rules.append({"Id": "expiry", "Status": "Enabled", "ExpirationInDays": bucket.expire_days})
    if bucket.versioned:
        rules.append({"Id": "overwritten", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}})
    made = resource(
        "AWS::S3::Bucket",
        {
            "BucketName": bucket_name(pipeline, key),
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "LifecycleConfiguration": {"Rules": rules},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": dict.fromkeys(
                ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
            ),
            "VersioningConfiguration": {"Status": "Enabled" if bucket.versioned else "Suspended"},
            "Tags": owner_tags(pipeline),
        },
        keep=True,
    )
    only_tls = resource(
        "AWS::S3::BucketPolicy",
        {
            "Bucket": ref(own),
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "OnlyOverTls",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [bucket_arn(pipeline, key), bucket_arn(pipeline, key, "/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
        keep=True,
    )
    return Resources({own: made, f"{own}Policy": only_tls})


def _table(pipeline: Pipeline, name: str, table: DataTable) -> dict[str, Any]:
    keys = [(table.partition_key, table.partition_key_type, "HASH")]
    if table.sort_key:
        keys.append((table.sort_key, table.sort_key_type, "RANGE"))
    expiry = {"AttributeName": table.expires_attribute, "Enabled": True} if table.expires_attribute else None
    return resource(
        "AWS::DynamoDB::Table",
        {
            "TableName": table_name(pipeline, name),
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind, _ in keys],
            "KeySchema": [{"AttributeName": key, "KeyType": role} for key, _, role in keys],
            "TimeToLiveSpecification": expiry,
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "Tags": owner_tags(pipeline),
        },
        keep=True,
    )
