"""By which VPC endpoint each service is called.

IAM's name of a service is often that of its endpoint, ``com.amazonaws.REGION.NAME``, and often not. These are the
services of the VPC User Guide ("AWS services that integrate with AWS PrivateLink") that answer a function under their
usual name, by private DNS.
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy.config.problems import nearest

_AS_IN_IAM = (
    "access-analyzer", "acm-pca", "apigateway", "application-autoscaling", "athena", "autoscaling", "backup", "batch",
    "cloudformation", "cloudtrail", "codebuild", "codedeploy", "codepipeline", "comprehend", "comprehendmedical", "config",
    "databrew", "datasync", "dms", "dynamodb", "ebs", "ec2", "ecs", "eks", "elasticache", "elasticbeanstalk",
    "elasticfilesystem", "elasticloadbalancing", "elasticmapreduce", "emr-containers", "emr-serverless", "entityresolution",
    "events", "execute-api", "fis", "frauddetector", "fsx", "glue", "guardduty", "healthlake", "imagebuilder",
    "inspector2", "kafka", "kafkaconnect", "kendra", "kms", "lakeformation", "lambda", "license-manager", "logs",
    "macie2", "mediaconnect", "mq", "personalize", "pi", "pipes", "polly", "ram", "rds", "rds-data", "redshift",
    "redshift-data", "redshift-serverless", "rekognition", "resource-groups", "s3", "s3tables", "schemas",
    "secretsmanager", "securityhub", "servicecatalog", "sns", "sqs", "ssm", "ssm-contacts", "ssm-incidents",
    "ssmmessages", "states", "storagegateway", "sts", "swf", "textract", "timestream-influxdb", "transcribe", "transfer",
    "translate", "verifiedpermissions", "workmail", "workspaces", "xray",
)  # fmt: skip

ENDPOINTS: Mapping[str, str | None] = {
    **{service: service for service in _AS_IN_IAM},
    "aps": "aps-workspaces",
    "bedrock": "bedrock-runtime",
    "cloudwatch": "monitoring",
    "codeartifact": "codeartifact.api",
    "ecr": "ecr.api",
    "firehose": "kinesis-firehose",
    "kinesis": "kinesis-streams",
    "memorydb": "memory-db",
    "sagemaker": "sagemaker.runtime",
    "tag": "tagging",
    # Their actions let a function sign on to what stands in the network itself: see reaches.
    "dax": None,
    "kafka-cluster": None,
    "neptune-db": None,
    "rds-db": None,
}
"""By IAM's name of the service; None for those that are reached without an endpoint."""

_KNOWN = frozenset(name for name in ENDPOINTS.values() if name is not None)


def unknown_service(service: str) -> str | None:
    """What is wrong with a service that a function in a VPC calls, by IAM's name; None if it can be reached."""
    if service in ENDPOINTS:
        return None
    return (
        f"is of {service!r}, which is no service whose VPC endpoint is known here{nearest(service, ENDPOINTS) or '.'} "
        "What has no endpoint cannot be called from this network: take vpc = false for the consumer that does"
    )


def unknown_endpoint(name: str) -> str | None:
    """What is wrong with the name of an endpoint; None if there is one of this name."""
    if name in _KNOWN:
        return None
    right = ENDPOINTS.get(name)
    hint = f"; its name is {right!r}" if right else nearest(name, _KNOWN)
    return f"is {name!r}, which is no endpoint that is known here{hint}. Names are those after com.amazonaws.REGION"
