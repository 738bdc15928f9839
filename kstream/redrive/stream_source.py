"""Items in a Kinesis stream, where ``KinesisDeadLetters`` put them. A stream forgets by itself, and never when told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.aws.claim_check import read_claim_check
from kstream.aws.clients import client
from kstream.aws.s3_letters import S3DeadLetters
from kstream.aws.shards import KinesisReader
from kstream.clock import SystemClock
from kstream.core.errors import DeadLetterError, ReadError
from kstream.core.shards import TrimHorizon
from kstream.redrive.item import item_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.ports import Clock
    from kstream.redrive.item import Item

_PAGE = 1_000
_PAUSE_S = 0.25


class StreamSource:
    """Everything that the stream (a name or an ARN) still holds, up to its tip. A ``Source`` that cannot delete."""

    can_delete = False

    def __init__(
        self, stream: str, *, endpoint_url: str | None = None, region: str | None = None, clock: Clock | None = None
    ) -> None:
        self._stream = stream.rpartition("/")[2]
        self._endpoint_url = endpoint_url
        self._region = region or (stream.split(":")[3] if stream.startswith("arn:") else None)
        self._clock = clock or SystemClock()

    @property
    def name(self) -> str:
        return f"kinesis:{self._stream}"

    def items(self) -> Iterator[Item]:
        reader = KinesisReader(client("kinesis", endpoint_url=self._endpoint_url, region=self._region))
        try:
            for shard in reader.shards(self._stream):
                yield from self._shard(reader, shard.id)
        except ReadError as error:
            raise DeadLetterError(f"cannot read the dead-letter stream {self._stream!r}: {error}") from error

    def count(self) -> int | None:
        return None

    def delete(self, item: Item) -> bool:
        raise DeadLetterError(f"{item.ref}: a record cannot be deleted from the stream {self._stream!r}")

    def close(self) -> None:
        pass

    def _shard(self, reader: KinesisReader, shard_id: str) -> Iterator[Item]:
        shard = reader.open(self._stream, shard_id, TrimHorizon())
        while True:
            page = shard.read(_PAGE)
            for record in page.records:
                text = record.data.decode(errors="replace")
                yield self._resolved(f"{shard_id}:{record.sequence_number}", text)
            if page.ended or not (page.records or page.behind_ms or page.throttled):
                return
            self._clock.sleep(_PAUSE_S)

    def _resolved(self, ref: str, text: str) -> Item:
        check = read_claim_check(text)
        if check is None:
            return item_of(ref, text)
        try:
            store = S3DeadLetters(check.bucket, endpoint_url=self._endpoint_url, region=self._region)
            return item_of(ref, store.text(check.key))
        except DeadLetterError as error:
            return item_of(ref, text, problem=str(error))
