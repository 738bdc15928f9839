"""The dead-letter sinks that lie in AWS."""

from __future__ import annotations

from kstream.aws.kinesis_letters import KinesisDeadLetters
from kstream.aws.s3_letters import S3DeadLetters
from kstream.aws.sqs_letters import SQSDeadLetters

__all__ = ["KinesisDeadLetters", "S3DeadLetters", "SQSDeadLetters"]
