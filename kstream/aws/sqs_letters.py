"""Dead letters as messages in an SQS queue."""

from __future__ import annotations

from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

from kstream.aws.claim_check import ClaimCheck, read_claim_check
from kstream.aws.failures import DENIED, code_of, told_as
from kstream.aws.lazy_client import LazyClient
from kstream.aws.s3_letters import S3DeadLetters
from kstream.core.dead_letter import StoredLetter
from kstream.core.errors import DeadLetterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from mypy_boto3_sqs import SQSClient

    from kstream.core.dead_letter import DeadLetter

# The most that a queue can allow, and the default of a new queue since 2025; an older one has 256 KiB. Its own
# attribute MaximumMessageSize decides (SQS API reference, SetQueueAttributes).
_SERVICE_LIMIT = 1_048_576
_PER_RECEIVE = 10

_REMEDIES = {
    "NonExistentQueue": "make the queue, or name another",
    "QueueDoesNotExist": "make the queue, or name another",
}


class SQSDeadLetters:
    """Sends each dead letter to the queue at ``url``, standard or FIFO.

    A letter above the queue's own limit (1 KiB to 1 MiB; a payload grows by a third in its envelope) goes whole to
    ``overflow``, and the message says where: a *claim check*. Without ``overflow`` it is refused with
    ``DeadLetterError``, and the record stays undone. Those objects outlive their messages, because two messages may
    point to one: give the bucket a lifecycle rule that keeps them for longer than the queue does.

    The same letter stored twice is two messages, as SQS has it. Thread-safe. Give ``client`` to bring your own;
    otherwise it is made at the first use.
    """

    def __init__(
        self,
        url: str,
        overflow: S3DeadLetters | None = None,
        *,
        client: SQSClient | None = None,
        endpoint_url: str | None = None,
        region: str | None = None,
    ) -> None:
        self._url = url
        self._overflow = overflow
        self._endpoint_url = endpoint_url
        self._region = region
        self._client: LazyClient[SQSClient] = LazyClient("sqs", client, endpoint_url=endpoint_url, region=region)
        self._limit: int | None = None
        self._lock = Lock()

    def put(self, letter: DeadLetter) -> None:
        body = letter.to_json()
        limit = self._largest()
        if len(body) > limit:
            body = self._claim_check(letter, len(body), limit).to_json()
        with self._failures("send to", needs="sqs:SendMessage"):
            self._client.get().send_message(QueueUrl=self._url, MessageBody=body, **self._ordering(letter, body))

    def letters(self, *, visibility_timeout: int = 300, wait: int = 1) -> Iterator[StoredLetter]:
        """Receives until the queue answers nothing for ``wait`` seconds (0..20). Each ``key`` is a receipt.

        What is received is hidden from others for ``visibility_timeout`` seconds; then it is there again, and its
        receipt may no longer delete it. ``delete`` it, or ``release`` it.
        """
        while True:
            with self._failures("receive from", needs="sqs:ReceiveMessage"):
                answer = self._client.get().receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=_PER_RECEIVE,
                    WaitTimeSeconds=wait,
                    VisibilityTimeout=visibility_timeout,
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                yield self._resolve(message["ReceiptHandle"], message["Body"])

    def delete(self, key: str) -> None:
        """Deletes the message of this receipt. Harmless when it is gone already."""
        with self._failures("delete from", needs="sqs:DeleteMessage"):
            self._client.get().delete_message(QueueUrl=self._url, ReceiptHandle=key)

    def release(self, key: str) -> None:
        """Lets others receive the message of this receipt at once."""
        with self._failures("release in", needs="sqs:ChangeMessageVisibility"):
            self._client.get().change_message_visibility(QueueUrl=self._url, ReceiptHandle=key, VisibilityTimeout=0)

    def _largest(self) -> int:
        with self._lock:
            if self._limit is None:
                self._limit = self._ask_limit()
            return self._limit

    def _ask_limit(self) -> int:
        from botocore.exceptions import ClientError

        with self._failures("look at", needs="sqs:GetQueueAttributes"):
            try:
                answer = self._client.get().get_queue_attributes(
                    QueueUrl=self._url, AttributeNames=["MaximumMessageSize"]
                )
            except ClientError as error:
                # A sink that may only send still sends: SQS itself then judges the size.
                if code_of(error).rpartition(".")[2] in DENIED:
                    return _SERVICE_LIMIT
                raise
        return int(answer.get("Attributes", {}).get("MaximumMessageSize", _SERVICE_LIMIT))

    def _claim_check(self, letter: DeadLetter, size: int, limit: int) -> ClaimCheck:
        if self._overflow is None:
            raise DeadLetterError(
                f"the dead letter of {letter.record!r} takes {size:,} bytes, and the queue {self._url!r} {limit:,}: "
                "give SQSDeadLetters an overflow=S3DeadLetters(bucket)"
                + ("" if limit >= _SERVICE_LIMIT else ", or raise the queue's MaximumMessageSize")
            )
        return ClaimCheck(self._overflow.bucket, self._overflow.store(letter), size)

    def _resolve(self, receipt: str, body: str) -> StoredLetter:
        check = read_claim_check(body)
        if check is None:
            return StoredLetter(receipt, body)
        store = self._overflow
        if store is None or store.bucket != check.bucket:
            store = S3DeadLetters(check.bucket, endpoint_url=self._endpoint_url, region=self._region)
        try:
            return StoredLetter(receipt, store.text(check.key))
        except DeadLetterError as error:
            # One letter that cannot be fetched must not hide those behind it.
            return StoredLetter(receipt, body, problem=str(error))

    def _ordering(self, letter: DeadLetter, body: str) -> dict[str, Any]:
        if not self._url.endswith(".fifo"):
            return {}
        # A group of its own for each record: what is received hides the rest of its group. Deduplicated by the content,
        # not by the record: one that is redriven and fails again within SQS's five minutes is another letter, and must
        # not vanish.
        return {
            "MessageGroupId": sha256(letter.key.encode()).hexdigest(),
            "MessageDeduplicationId": sha256(body.encode()).hexdigest(),
        }

    def _failures(self, verb: str, *, needs: str) -> AbstractContextManager[None]:
        action = f"cannot {verb} the dead-letter queue {self._url!r}"
        return told_as(DeadLetterError, action, needs=needs, remedies=_REMEDIES)
