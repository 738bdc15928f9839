"""Items in an SQS queue: kstream's letters, or on-failure messages that came straight or through SNS.

SQS can show a message only by receiving it: that hides it from others for a while and counts towards the queue's own
``maxReceiveCount``. A queue of some length answers each request with a sample of its messages, so a look at it is as good
as SQS makes it: at least once, in no order.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kstream.aws.clients import is_loopback
from kstream.aws.sqs_letters import SQSDeadLetters
from kstream.core.errors import DeadLetterError
from kstream.redrive.item import item_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.redrive.item import Item

_log = logging.getLogger(__name__)

HIDDEN_S = 300
# As many in a row as one request gives: the queue has come round.
_ENOUGH_REPEATS = 10
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
        self._letters = SQSDeadLetters(url, endpoint_url=endpoint_url, region=region)
        self._held: set[str] = set()
        self._seen: set[tuple[str, str]] = set()

    @property
    def name(self) -> str:
        return f"sqs:{self._url}"

    def items(self) -> Iterator[Item]:
        repeats = 0
        for stored in self._letters.letters(visibility_timeout=HIDDEN_S, wait=self._wait):
            self._held.add(stored.key)
            item = item_of(stored.key, stored.body, stored.problem)
            if (item.key, item.generation) in self._seen:
                repeats += 1
                if repeats >= _ENOUGH_REPEATS:
                    return
                continue
            repeats = 0
            self._seen.add((item.key, item.generation))
            yield item

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
