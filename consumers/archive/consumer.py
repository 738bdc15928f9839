"""Writes each batch as one object of JSON lines to S3. The bucket is named in ``ARCHIVE_BUCKET``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from consumers.archive.lines import lines, object_name
from kstream import BatchHandler, ConfigurationError, Consumer, on_lambda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from kstream import Record

BUCKET = "ARCHIVE_BUCKET"
PREFIX = "ARCHIVE_PREFIX"


class Archive(BatchHandler):
    """One PutObject a batch. A batch that comes again is written to the same name.

    ``bucket``, ``prefix``  where to; by default what the environment says when the first batch comes.
    ``client``              a boto3 S3 client in place of an own one.
    """

    def __init__(self, bucket: str | None = None, prefix: str | None = None, *, client: S3Client | None = None) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client = client

    def open(self) -> None:
        self._to = self._bucket or os.environ.get(BUCKET)
        if not self._to:
            raise ConfigurationError(f"the archive has no bucket: set {BUCKET}")
        self._under = os.environ.get(PREFIX, "archive/") if self._prefix is None else self._prefix
        if self._client is None:
            import boto3

            self._client = boto3.client("s3")

    def process(self, records: Sequence[Record]) -> None:
        assert self._client is not None
        assert self._to is not None
        if records:
            name = object_name(self._under, records)
            self._client.put_object(Bucket=self._to, Key=name, Body=lines(records), ContentType="application/x-ndjson")


consumer = Consumer(Archive)
lambda_handler = on_lambda(consumer)
