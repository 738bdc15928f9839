"""The bucket with the functions' packages and with templates too large for a request."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from deploy.naming import OWNER_TAG
from deploy.stack.errors import CallFailed, NameTaken, NoSuchBucket
from deploy.template import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.config import Pipeline
    from deploy.stack.account import Account
    from deploy.stacks import Stack

_LONGEST_NAME = 63
_ABSENT = {"404", "NoSuchBucket", "NoSuchKey", "NotFound"}


def bucket_of(pipeline: Pipeline, account: Account) -> str:
    """The configured one, or the pipeline's own."""
    if pipeline.artifact_bucket:
        return pipeline.artifact_bucket
    name = f"{pipeline.prefix}-artifacts-{account.id}-{account.region}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"artifacts-{sha256(pipeline.prefix.encode()).hexdigest()[:12]}-{account.id}-{account.region}"


def exists(account: Account, bucket: str) -> bool:
    """Whether it is there and ours. Raises ``NameTaken`` if another account has it."""
    from botocore.exceptions import ClientError

    try:
        account.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account.id)
    except ClientError as error:
        code = error.response["Error"].get("Code")
        if code in _ABSENT:
            return False
        if code == "403":
            raise NameTaken(
                f"the bucket {bucket} belongs to another account, or these credentials may not see it: "
                "choose another name for it in pipeline.toml (physical_name; of the packages' bucket, artifact_bucket)",
                "aws s3api list-buckets",
            ) from error
        raise
    return True


def require(account: Account, bucket: str) -> None:
    """Raises ``NoSuchBucket`` if a bucket that somebody named is not there: made under a mistyped name it would stay."""
    if not exists(account, bucket):
        raise NoSuchBucket(
            f"there is no bucket {bucket}, and artifact_bucket names one that is there already: mend the name, or leave it "
            "out, and the pipeline has a bucket of its own",
            "aws s3api list-buckets",
        )


def make(account: Account, bucket: str, pipeline: str) -> None:
    """The bucket, private, encrypted, and marked as the pipeline's from the first moment, if it is not there."""
    if exists(account, bucket):
        return
    s3 = account.client("s3")
    # us-east-1 is the one region that must not be named.
    place = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    tags = [{"Key": OWNER_TAG, "Value": pipeline}]
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={**place, "Tags": tags})
    shut = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=shut)


def upload(account: Account, bucket: str, files: Mapping[str, Path]) -> int:
    """Puts what is not there yet, by key; how many these were. The same key has the same content."""
    from botocore.exceptions import ClientError

    s3 = account.client("s3")
    sent = 0
    for key, path in files.items():
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"].get("Code") not in _ABSENT:
                raise
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType="application/zip")
            sent += 1
    return sent


def template(account: Account, bucket: str, stack: Stack, pipeline: str) -> dict[str, Any]:
    """The template as CloudFormation is handed it: in the request, or, if it is too large, in the bucket."""
    if stack.size <= BODY_LIMIT:
        return {"TemplateBody": stack.body}
    body = stack.body.encode()
    key = f"templates/{stack.name}-{sha256(body).hexdigest()[:16]}.json"
    make(account, bucket, pipeline)
    s3 = account.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    return {"TemplateURL": s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}).partition("?")[0]}


def remove(account: Account, bucket: str, *, content: bool) -> bool:
    """The bucket; with ``content``, everything in it too, old versions as well. Without, False if anything is in it."""
    from botocore.exceptions import ClientError

    if content:
        _empty(account, bucket)
    try:
        account.client("s3").delete_bucket(Bucket=bucket, ExpectedBucketOwner=account.id)
    except ClientError as error:
        if content or error.response["Error"].get("Code") != "BucketNotEmpty":
            raise
        return False
    return True


def _empty(account: Account, bucket: str) -> None:
    s3 = account.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        gone = [
            {"Key": one["Key"], "VersionId": one["VersionId"]}
            for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        ]
        if gone:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True})
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise CallFailed(f"{bucket}: {first.get('Key')} cannot be deleted: {first.get('Message')}", "status")
