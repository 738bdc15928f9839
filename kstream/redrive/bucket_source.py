"""Items in an S3 bucket, one object for each: kstream's letters, or what AWS's event source mapping wrote there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.aws.clients import client
from kstream.aws.failures import code_of, told_as
from kstream.aws.s3_letters import S3DeadLetters
from kstream.core.errors import DeadLetterError
from kstream.redrive.item import item_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.redrive.item import Item

_GONE = {"NoSuchKey", "404"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}


class BucketSource:
    """The objects of ``bucket`` whose keys begin with ``prefix``. A ``Source``."""

    can_delete = True

    def __init__(self, bucket: str, prefix: str, *, endpoint_url: str | None = None, region: str | None = None) -> None:
        self._bucket = bucket
        self._client: Any = client("s3", endpoint_url=endpoint_url, region=region)
        self._letters = S3DeadLetters(bucket, prefix, client=self._client)

    @property
    def name(self) -> str:
        # Without the prefix: an object's key is the same whatever part of it was given.
        return f"s3:{self._bucket}"

    def items(self) -> Iterator[Item]:
        for stored in self._letters.letters():
            yield item_of(stored.key, stored.body, stored.problem)

    def count(self) -> int | None:
        return None

    def delete(self, item: Item) -> bool:
        action = f"cannot delete {item.ref!r} from the bucket {self._bucket!r}"
        try:
            with told_as(DeadLetterError, action, needs="s3:GetObject and s3:DeleteObject", remedies={}):
                answer = self._client.get_object(Bucket=self._bucket, Key=item.ref)
                found = item_of(item.ref, answer["Body"].read().decode(errors="replace"))
                if (found.key, found.generation) != (item.key, item.generation):
                    return False
                # Only the object that was just looked at: a consumer may store a later letter at any moment.
                self._client.delete_object(Bucket=self._bucket, Key=item.ref, IfMatch=answer["ETag"])
        except DeadLetterError as error:
            code = code_of(error.__cause__) if isinstance(error.__cause__, Exception) else ""
            if code in _GONE:
                return True
            if code in _CHANGED:
                return False
            raise
        return True

    def close(self) -> None:
        pass
