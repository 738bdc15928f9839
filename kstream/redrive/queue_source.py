"""Items in an SQS queue: kstream's letters, or on-failure messages that came straight or through SNS.

SQS can show a message only by receiving it: that hides it from others for a while and counts towards the queue's own
``maxReceiveCount``. A queue of some length answers each request with a sample of its messages, so a look at it is as good
as SQS makes it: at least once, in no order.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kstream.aws.claim_check import read_claim_check
from kstream.aws.clients import client, is_loopback
from kstream.aws.failures import told_as
from kstream.aws.s3_letters import S3DeadLetters
from kstream.aws.sqs_letters import SQSDeadLetters
from kstream.core.errors import DeadLetterError
from kstream.redrive.item import item_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.redrive.item import Item

_log = logging.getLogger(__name__)

HIDDEN_S = 300
# As many repeats in a row as one request gives: the queue has come round.
_PER_RECEIVE = 10
_REMEDIES = {
    "NonExistentQueue": "make the queue, or name another",
    "QueueDoesNotExist": "make the queue, or name another",
}
_AWS = (".amazonaws.com", ".amazonaws.com.cn")


class QueueSource:
    """The messages of the queue at ``url``. A ``Source``.

    What was received and not deleted is held until ``close``, which shows it to others again; after a crash that takes
    ``HIDDEN_S`` seconds. Several copies of one item count as one until it is deleted.
    """

    can_delete = True

    def __init__(self, url: str, *, endpoint_url: str | None = None, region: str | None = None, wait: int = 1) -> None:
        self._url = url
        self._wait = wait
        host = urlsplit(url).hostname or ""
        if endpoint_url is None and is_loopback(url):
            endpoint_url = "/".join(url.split("/")[:3])
        elif endpoint_url is None and region is None and host.startswith("sqs.") and host.endswith(_AWS):
            region = host.split(".")[1]
        self._endpoint_url = endpoint_url
        self._region = region
        self._client: Any = client("sqs", endpoint_url=endpoint_url, region=region)
        self._letters = SQSDeadLetters(url, client=self._client)
        self._held: set[str] = set()
        self._seen: set[tuple[str, str]] = set()

    @property
    def name(self) -> str:
        return f"sqs:{self._url}"

    def items(self) -> Iterator[Item]:
        repeats = 0
        while True:
            messages = self._receive()
            if not messages:
                return
            for message in messages:
                item = self._resolved(message["ReceiptHandle"], message["Body"])
                if (item.key, item.generation) in self._seen:
                    repeats += 1
                    continue
                repeats = 0
                self._seen.add((item.key, item.generation))
                yield item
            if repeats >= _PER_RECEIVE:
                return

    def _receive(self) -> list[Any]:
        action = f"cannot receive from the dead-letter queue {self._url!r}"
        with told_as(DeadLetterError, action, needs="sqs:ReceiveMessage", remedies=_REMEDIES):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_PER_RECEIVE,
                WaitTimeSeconds=self._wait,
                VisibilityTimeout=HIDDEN_S,
            )
        messages: list[Any] = answer.get("Messages", [])
        # All of them at once: whoever looks may stop at the first.
        self._held.update(message["ReceiptHandle"] for message in messages)
        return messages

    def _resolved(self, receipt: str, text: str) -> Item:
        check = read_claim_check(text)
        if check is None:
            return item_of(receipt, text)
        store = S3DeadLetters(check.bucket, endpoint_url=self._endpoint_url, region=self._region)
        try:
            return item_of(receipt, store.text(check.key))
        except DeadLetterError as error:
            return item_of(receipt, text, problem=str(error))

    def count(self) -> int | None:
        return None

    def delete(self, item: Item) -> bool:
        self._letters.delete(item.ref)
        self._held.discard(item.ref)
        # Another copy of it is to be deleted as well.
        self._seen.discard((item.key, item.generation))
        return True

    def close(self) -> None:
        failed = 0
        for receipt in self._held:
            try:
                self._letters.release(receipt)
            except DeadLetterError:
                failed += 1  # the receipt has expired, so it is visible already; or SQS is away, and it will be
        self._held.clear()
        if failed:
            _log.warning("%d messages of %s may stay hidden for up to %d s", failed, self._url, HIDDEN_S)
