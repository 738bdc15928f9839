"""Dead letters as objects in an S3 bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.aws.failures import told_as
from kstream.aws.lazy_client import LazyClient
from kstream.core.dead_letter import DeadLetter, StoredLetter
from kstream.core.errors import DeadLetterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from mypy_boto3_s3 import S3Client

_REMEDIES = {
    "NoSuchBucket": "make the bucket, or name another",
    "NoSuchKey": "it is gone: deleted, moved, or expired by a lifecycle rule",
    "PermanentRedirect": "the bucket is in another region: pass region=",
}


class S3DeadLetters:
    """Keeps each dead letter as the object ``<prefix><key>.json`` of ``bucket``.

    The same letter stored twice is one object, and the later copy stands. Takes what a record can hold (an object may
    have 5 GB in one request). Thread-safe. Give ``client`` to bring your own; otherwise it is made at the first use.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "dead-letters/",
        *,
        client: S3Client | None = None,
        endpoint_url: str | None = None,
        region: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client: LazyClient[S3Client] = LazyClient("s3", client, endpoint_url=endpoint_url, region=region)

    @property
    def bucket(self) -> str:
        return self._bucket

    def put(self, letter: DeadLetter) -> None:
        self.store(letter)

    def store(self, letter: DeadLetter) -> str:
        """Like ``put``; answers the object's key."""
        body = letter.to_json().encode()
        key = f"{self._prefix}{letter.key}.json"
        with self._failures("write to", needs="s3:PutObject"):
            self._client.get().put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        return key

    def letters(self) -> Iterator[StoredLetter]:
        """All that is stored under the prefix, in the order of the keys; what is deleted on the way is left out."""
        with self._failures("list", needs="s3:ListBucket on the bucket, s3:GetObject on its objects"):
            pages = (
                self._client.get().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    body = self._fetch(entry["Key"])
                    if body is not None:
                        yield StoredLetter(entry["Key"], body)

    def read(self, key: str) -> DeadLetter:
        """The letter stored as ``key``. Raises ``DeadLetterError`` if there is none, or if it is not a letter."""
        return DeadLetter.from_json(self.text(key))

    def text(self, key: str) -> str:
        """The object ``key`` of the bucket, as it lies there. Raises ``DeadLetterError`` if there is none."""
        with self._failures(f"read {key!r} from", needs="s3:GetObject"):
            body = self._fetch(key)
        if body is None:
            raise DeadLetterError(f"no dead letter s3://{self._bucket}/{key}: {_REMEDIES['NoSuchKey']}")
        return body

    def delete(self, key: str) -> None:
        """Forgets the letter stored as ``key``. Harmless when it is gone already."""
        with self._failures(f"delete {key!r} from", needs="s3:DeleteObject"):
            self._client.get().delete_object(Bucket=self._bucket, Key=key)

    def _fetch(self, key: str) -> str | None:
        client = self._client.get()
        try:
            return client.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode(errors="replace")
        except client.exceptions.NoSuchKey:
            return None

    def _failures(self, verb: str, *, needs: str) -> AbstractContextManager[None]:
        action = f"cannot {verb} the dead-letter bucket {self._bucket!r}"
        return told_as(DeadLetterError, action, needs=needs, remedies=_REMEDIES)
