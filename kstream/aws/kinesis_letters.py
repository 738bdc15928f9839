"""Dead letters as records of a Kinesis stream."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from kstream.aws.claim_check import ClaimCheck
from kstream.aws.failures import told_as
from kstream.aws.lazy_client import LazyClient
from kstream.core.errors import DeadLetterError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mypy_boto3_kinesis import KinesisClient

    from kstream.aws.s3_letters import S3DeadLetters
    from kstream.core.dead_letter import DeadLetter

# What every stream takes, data and partition key together; MaxRecordSizeInKiB says whether this one takes more.
_EVERY_STREAM = 1_048_576
_PARTITION_KEY = 256  # characters

_REMEDIES = {"ResourceNotFoundException": "make the stream, or name another"}


class KinesisDeadLetters:
    """Puts each dead letter into ``stream`` (a name or an ARN), under the partition key of its record.

    A letter above the stream's record size (1 MiB unless the stream says more; a payload grows by a third in its
    envelope) goes whole to ``overflow``, and the record says where: a *claim check*. Without ``overflow`` it is
    refused with ``DeadLetterError``, and the record stays undone.

    The same letter stored twice is two records. Read them like any stream: ``kstream tail``, or a consumer that calls
    ``DeadLetter.from_json``. Thread-safe. Give ``client`` to bring your own; otherwise it is made at the first use.
    """

    def __init__(
        self,
        stream: str,
        overflow: S3DeadLetters | None = None,
        *,
        client: KinesisClient | None = None,
        endpoint_url: str | None = None,
        region: str | None = None,
    ) -> None:
        self._stream = stream
        self._target: dict[str, Any] = {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}
        self._overflow = overflow
        self._client: LazyClient[KinesisClient] = LazyClient(
            "kinesis", client, endpoint_url=endpoint_url, region=region
        )
        self._limit: int | None = None
        self._lock = Lock()

    def put(self, letter: DeadLetter) -> None:
        body = letter.to_json().encode()
        # Only where it goes; the record's own key, which may be empty or no valid text, stands in the envelope.
        key = (letter.record.partition_key or letter.key)[:_PARTITION_KEY].encode(errors="replace").decode()
        size = len(body) + len(key.encode())
        if size > _EVERY_STREAM and size > self._largest():
            body = self._claim_check(letter, len(body)).to_json().encode()
        with self._failures("put into", needs="kinesis:PutRecord"):
            self._client.get().put_record(**self._target, Data=body, PartitionKey=key)

    def _largest(self) -> int:
        with self._lock:
            if self._limit is None:
                with self._failures("look at", needs="kinesis:DescribeStreamSummary"):
                    answer: Any = self._client.get().describe_stream_summary(**self._target)
                size = answer["StreamDescriptionSummary"].get("MaxRecordSizeInKiB")
                self._limit = size * 1024 if size else _EVERY_STREAM
            return self._limit

    def _claim_check(self, letter: DeadLetter, size: int) -> ClaimCheck:
        if self._overflow is None:
            raise DeadLetterError(
                f"the dead letter of {letter.record!r} takes {size:,} bytes, and a record of the stream "
                f"{self._stream!r} {self._largest():,} with its key: give KinesisDeadLetters an "
                "overflow=S3DeadLetters(bucket), or raise the stream's MaxRecordSizeInKiB"
            )
        return ClaimCheck(self._overflow.bucket, self._overflow.store(letter), size)

    def _failures(self, verb: str, *, needs: str) -> AbstractContextManager[None]:
        action = f"cannot {verb} the dead-letter stream {self._stream!r}"
        return told_as(DeadLetterError, action, needs=needs, remedies=_REMEDIES)
